/**
 * Reads a block's facts and checks from its bytes. Printed source is never parsed: the library prints strings without
 * escaping their quotes, so a name with a quote in it could pretend to be two facts.
 *
 * @see https://github.com/eclipse-biscuit/biscuit/blob/main/schema.proto
 */
import { MessageReader, WireFormatError } from './protobuf.js';

/** Symbols that every token has without naming them, by index; its own begin at {@link firstOwnSymbol}. */
export const defaultSymbols: readonly string[] =
  'read write resource operation right time role owner tenant namespace user team service admin email group member ip_address client client_ip domain path version cluster node hostname nonce query'.split(
    ' ',
  );
export const firstOwnSymbol = 1024;
/** Sets, arrays, maps and closures nest; a hostile token must not exhaust our stack. */
const maxNesting = 8;

type Term =
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'date'; readonly epochSeconds: number }
  | { readonly kind: 'variable'; readonly symbol: number }
  | { readonly kind: 'other' };

interface Predicate {
  readonly name: string;
  readonly terms: readonly Term[];
}

export type Operation =
  | { readonly kind: 'value'; readonly term: Term }
  | { readonly kind: 'binary'; readonly operator: number }
  | { readonly kind: 'unary' }
  /** `&&` and `||` are closures without parameters; `any` and `all` have one for the element. */
  | { readonly kind: 'closure'; readonly hasParameters: boolean; readonly operations: readonly Operation[] };

export interface Query {
  readonly predicates: readonly Predicate[];
  /** Operations of each expression, in the order of a stack machine. */
  readonly expressions: readonly (readonly Operation[])[];
  /** Whether it trusts other blocks than its own and the authority. */
  readonly isScoped: boolean;
}

export interface Check {
  readonly kind: 'one' | 'all' | 'reject';
  readonly queries: readonly Query[];
}

export interface DatalogBlock {
  readonly facts: readonly Predicate[];
  readonly ruleCount: number;
  readonly checks: readonly Check[];
  readonly isScoped: boolean;
  readonly publicKeyCount: number;
}

/** Binary operators that the shape gate and the expiry reader know, as numbered in the schema. */
export const binaryOperators = { lessThan: 0, lessOrEqual: 2, matches: 8 } as const;

/**
 * Reads all blocks, because later ones use the symbols of earlier ones.
 * @throws {WireFormatError} when a block is not what the schema says
 */
export function readDatalogBlocks(blocks: readonly Uint8Array[]): DatalogBlock[] {
  const ownSymbols: string[] = [];
  return blocks.map((bytes) => {
    const block = new MessageReader(bytes, [2, 3], [1, 4, 5, 6, 7, 8]);
    ownSymbols.push(...block.bytesList(1).map(toText));
    const symbol = (index: number): string => {
      const found = index < firstOwnSymbol ? defaultSymbols[index] : ownSymbols[index - firstOwnSymbol];
      if (found === undefined) throw new WireFormatError(`symbol ${index} is not defined`);
      return found;
    };
    return {
      facts: block.bytesList(4).map((fact) => readPredicate(new MessageReader(fact, [1]).bytes(1), symbol)),
      ruleCount: block.bytesList(5).length,
      checks: block.bytesList(6).map((check) => readCheck(check, symbol)),
      isScoped: block.bytesList(7).length > 0,
      publicKeyCount: block.bytesList(8).length,
    };
  });
}

type SymbolTable = (index: number) => string;

const toText = (bytes: Uint8Array): string => Buffer.from(bytes).toString('utf8');

function readCheck(bytes: Uint8Array, symbol: SymbolTable): Check {
  const check = new MessageReader(bytes, [2], [1]);
  const kind = (['one', 'all', 'reject'] as const)[check.optionalNumber(2) ?? 0];
  if (kind === undefined) throw new WireFormatError('a check has an unknown kind');
  return { kind, queries: check.bytesList(1).map((query) => readQuery(query, symbol)) };
}

function readQuery(bytes: Uint8Array, symbol: SymbolTable): Query {
  const query = new MessageReader(bytes, [1], [2, 3, 4]);
  return {
    predicates: query.bytesList(2).map((predicate) => readPredicate(predicate, symbol)),
    expressions: query
      .bytesList(3)
      .map((expression) =>
        new MessageReader(expression, [], [1]).bytesList(1).map((op) => readOperation(op, symbol)),
      ),
    isScoped: query.bytesList(4).length > 0,
  };
}

function readPredicate(bytes: Uint8Array, symbol: SymbolTable): Predicate {
  const predicate = new MessageReader(bytes, [1], [2]);
  const name = predicate.optionalNumber(1);
  if (name === undefined) throw new WireFormatError('a predicate has no name');
  return { name: symbol(name), terms: predicate.bytesList(2).map((term) => readTerm(term, symbol)) };
}

function readTerm(bytes: Uint8Array, symbol: SymbolTable): Term {
  const term = new MessageReader(bytes, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  if (term.fields().length !== 1) throw new WireFormatError('a term must have one value');
  const variable = term.optionalNumber(1);
  if (variable !== undefined) return { kind: 'variable', symbol: variable };
  const text = term.optionalNumber(3);
  if (text !== undefined) return { kind: 'string', value: symbol(text) };
  const epochSeconds = term.optionalNumber(4);
  if (epochSeconds !== undefined) return { kind: 'date', epochSeconds };
  for (const collection of [7, 8, 9, 10]) {
    const nested = term.fields()[0]?.number === collection ? term.optionalBytes(collection) : undefined;
    if (nested !== undefined) refuseDeepNesting(nested, 1);
  }
  return { kind: 'other' };
}

/** Collections hold messages in messages: any field that itself reads as a message counts as one level. */
function refuseDeepNesting(bytes: Uint8Array, depth: number): void {
  if (depth > maxNesting) throw new WireFormatError('collections are nested too deeply');
  for (const field of new MessageReader(bytes, [], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]).fields()) {
    // 5 is a string of bytes, which need not read as a message.
    if (field.bytes !== undefined && field.number !== 5) refuseDeepNesting(field.bytes, depth + 1);
  }
}

function readOperation(bytes: Uint8Array, symbol: SymbolTable, depth = 1): Operation {
  if (depth > maxNesting) throw new WireFormatError('expressions are nested too deeply');
  const operation = new MessageReader(bytes, [1, 2, 3, 4]);
  const [field] = operation.fields();
  if (operation.fields().length !== 1) throw new WireFormatError('an operation must be of one kind');
  if (field?.number === 1) return { kind: 'value', term: readTerm(operation.bytes(1), symbol) };
  if (field?.number === 2) return { kind: 'unary' };
  if (field?.number === 4) {
    const closure = new MessageReader(operation.bytes(4), [], [1, 2]);
    return {
      kind: 'closure',
      hasParameters: closure.fields().some(({ number }) => number === 1),
      operations: closure.bytesList(2).map((inner) => readOperation(inner, symbol, depth + 1)),
    };
  }
  const operator = new MessageReader(operation.bytes(3), [1, 2]).optionalNumber(1);
  if (operator === undefined) throw new WireFormatError('an operation has no operator');
  return { kind: 'binary', operator };
}
