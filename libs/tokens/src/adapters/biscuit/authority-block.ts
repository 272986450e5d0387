/**
 * Writes the block that we sign. Written by hand rather than by the library, which keeps some kilobytes of each token
 * that it builds for ever; a frontend that issues tokens for months would run out of memory. Tests compare the bytes.
 */
import type { Principal } from '@gantry/contracts';
import { binaryOperators, defaultSymbols, firstOwnSymbol } from './datalog-block.js';
import { bytesField, numberField } from './protobuf.js';

/** Datalog version 3.0, the oldest: every reader of Biscuit tokens knows it. */
const datalogVersion = 3;

/** `user(…); role(…); org(…); check if time($time), $time < expiry`, with the expiry in whole epoch seconds. */
export function buildAuthorityBlock({ user, role, org }: Principal, expirySeconds: number): Uint8Array {
  const symbols = new SymbolWriter();
  const facts = [writeFact(symbols, 'user', user), writeFact(symbols, 'role', role)];
  if (org !== undefined) facts.push(writeFact(symbols, 'org', org));
  const check = writeExpiryCheck(symbols, expirySeconds);
  return Buffer.concat([
    ...symbols.own.map((symbol) => bytesField(1, Buffer.from(symbol))),
    numberField(3, datalogVersion),
    ...facts.map((fact) => bytesField(4, fact)),
    bytesField(6, check),
  ]);
}

/** Numbers texts: the ones that every token has, then our own in the order of their first use. */
class SymbolWriter {
  readonly own: string[] = [];

  indexOf(text: string): number {
    const known = defaultSymbols.indexOf(text);
    if (known >= 0) return known;
    const own = this.own.indexOf(text);
    if (own >= 0) return firstOwnSymbol + own;
    return firstOwnSymbol + this.own.push(text) - 1;
  }
}

/** Term kinds of the schema, by field number. */
const term = { variable: 1, string: 3, date: 4 } as const;

function writeFact(symbols: SymbolWriter, name: string, value: string): Uint8Array {
  const predicate = Buffer.concat([
    numberField(1, symbols.indexOf(name)),
    bytesField(2, numberField(term.string, symbols.indexOf(value))),
  ]);
  return bytesField(1, predicate);
}

function writeExpiryCheck(symbols: SymbolWriter, expirySeconds: number): Uint8Array {
  const time = symbols.indexOf('time');
  const variable = numberField(term.variable, time);
  const operations = [
    bytesField(1, variable),
    bytesField(1, numberField(term.date, expirySeconds)),
    bytesField(3, numberField(1, binaryOperators.lessThan)),
  ];
  const query = Buffer.concat([
    bytesField(1, numberField(1, symbols.indexOf('query'))),
    bytesField(2, Buffer.concat([numberField(1, time), bytesField(2, variable)])),
    bytesField(3, Buffer.concat(operations.map((operation) => bytesField(1, operation)))),
  ]);
  return bytesField(1, query);
}
