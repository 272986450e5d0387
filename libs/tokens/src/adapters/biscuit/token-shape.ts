/**
 * What a token may look like, and until when it holds. Appended blocks come from whoever held the token, and the
 * library's own limits are not looked at inside one round of joins: 1.1 KB of Datalog can keep it busy for seconds.
 * So appended blocks may only carry what an attenuation needs.
 */
import { type Principal, roles } from '@gantry/contracts';
import {
  binaryOperators,
  type Check,
  type DatalogBlock,
  type Operation,
  type Query,
} from './datalog-block.js';
import type { TokenContainer } from './token-container.js';

/** Limits of appended blocks; the authority block is ours. */
const shapeLimits = {
  /** With the authority. */
  blocks: 4,
  facts: 16,
  checks: 32,
  queriesPerCheck: 8,
  predicatesPerQuery: 3,
  operationsPerExpression: 64,
  operationsPerToken: 256,
  /** Each compiles its pattern anew for every combination of facts. */
  matchesPerToken: 4,
} as const;

const maxNameBytes = 64;
const timeFact = 'time';

/**
 * Why the container alone is refused, or undefined. Needs no key and no Datalog.
 */
export function findContainerFault(container: TokenContainer): string | undefined {
  const { blocks } = container;
  if (blocks.length > shapeLimits.blocks) {
    return `the token has ${blocks.length} blocks; at most ${shapeLimits.blocks} are accepted`;
  }
  if (blocks.some(({ external }) => external !== undefined)) return 'third-party blocks are not accepted';
  return undefined;
}

/** Why the appended blocks are refused, or undefined. */
export function findShapeFault(blocks: readonly DatalogBlock[]): string | undefined {
  const appended = blocks.slice(1);
  const queries = appended.flatMap(({ checks }) => checks.flatMap((check) => check.queries));
  const expressions = queries.flatMap((query) => query.expressions).map(flatten);
  const operations = expressions.flat();
  const refusals: readonly (readonly [boolean, string])[] = [
    [appended.some(({ ruleCount }) => ruleCount > 0), 'rules'],
    [appended.some(isTrusting), '"trusting" of other blocks or keys'],
    [
      operations.some((operation) => operation.kind === 'closure' && operation.hasParameters),
      'loops over collections',
    ],
    [
      count(appended, ({ facts }) => facts.length) > shapeLimits.facts,
      `more than ${shapeLimits.facts} facts`,
    ],
    [
      count(appended, ({ checks }) => checks.length) > shapeLimits.checks,
      `more than ${shapeLimits.checks} checks`,
    ],
    [
      appended.some(({ checks }) =>
        checks.some((check) => check.queries.length > shapeLimits.queriesPerCheck),
      ),
      `more than ${shapeLimits.queriesPerCheck} alternatives in a check`,
    ],
    [
      queries.some(({ predicates }) => predicates.length > shapeLimits.predicatesPerQuery),
      `more than ${shapeLimits.predicatesPerQuery} predicates in a query`,
    ],
    [
      expressions.some(({ length }) => length > shapeLimits.operationsPerExpression) ||
        operations.length > shapeLimits.operationsPerToken,
      'expressions of that size',
    ],
    [operations.filter(isMatches).length > shapeLimits.matchesPerToken, 'that many regular expressions'],
  ];
  const found = refusals.find(([isRefused]) => isRefused);
  return found === undefined ? undefined : `appended blocks must not have ${found[1]}`;
}

const count = <T>(items: readonly T[], size: (item: T) => number): number =>
  items.reduce((sum, item) => sum + size(item), 0);

/** With the operations inside of closures. */
const flatten = (operations: readonly Operation[]): Operation[] =>
  operations.flatMap((operation) =>
    operation.kind === 'closure' ? [operation, ...flatten(operation.operations)] : [operation],
  );

const isTrusting = (block: DatalogBlock): boolean =>
  block.isScoped ||
  block.publicKeyCount > 0 ||
  block.checks.some(({ queries }) => queries.some(({ isScoped }) => isScoped));

const isMatches = (operation: Operation): boolean =>
  operation.kind === 'binary' && operation.operator === binaryOperators.matches;

/**
 * Who the authority block names. Facts of appended blocks never count: anybody can append one.
 * @returns the reason when it does not name exactly one user
 */
export function readPrincipal(authority: DatalogBlock): Principal | { readonly fault: string } {
  const users = namesIn(authority, 'user');
  const orgs = namesIn(authority, 'org');
  const roleFacts = namesIn(authority, 'role');
  const [user] = users;
  if (users.length !== 1 || user === undefined) return { fault: 'the token must name exactly one user' };
  if (orgs.length > 1) return { fault: 'the token names more than one organisation' };
  if (roleFacts.length > 1) return { fault: 'the token names more than one role' };
  for (const name of [user, ...orgs]) {
    const sizeBytes = Buffer.byteLength(name);
    if (sizeBytes === 0 || sizeBytes > maxNameBytes)
      return { fault: 'a name in the token is empty or too long' };
  }
  // COGNIT's tokens have no role.
  const role = roles.find((candidate) => candidate === (roleFacts[0] ?? 'user'));
  if (role === undefined) return { fault: 'the token names an unknown role' };
  return { user, org: orgs[0], role };
}

function namesIn(block: DatalogBlock, fact: string): string[] {
  return block.facts
    .filter(({ name }) => name === fact)
    .map(({ terms }) => (terms.length === 1 && terms[0]?.kind === 'string' ? terms[0].value : ''));
}

/**
 * Until when a token holds that holds now. Besides facts of its own a check can see only the time, so it changes its
 * answer only through `time(…)`.
 */
export interface Validity {
  /** Epoch milliseconds: the earliest of the plain expiry checks, or undefined without one. */
  readonly expiresAtMs: number | undefined;
  /** Whether every check that looks at the time is a plain expiry check; else it must be asked again each second. */
  readonly isPlain: boolean;
}

export function readValidity(blocks: readonly DatalogBlock[]): Validity {
  let isPlain = true;
  let expiresAtMs: number | undefined;
  for (const block of blocks) {
    // A rule or a time of its own can make anything depend on the time in ways that are not read here.
    if (block.ruleCount > 0 || block.facts.some(({ name }) => name === timeFact)) isPlain = false;
    for (const check of block.checks) {
      const expiry = expiryOf(check);
      if (expiry !== undefined) expiresAtMs = Math.min(expiresAtMs ?? expiry, expiry);
      else if (check.queries.some(readsTime)) isPlain = false;
    }
  }
  return { expiresAtMs, isPlain };
}

const readsTime = ({ predicates }: Query): boolean => predicates.some(({ name }) => name === timeFact);

/**
 * The instant from which `check if time($t), $t < <date>` (or `<=`) fails, in epoch milliseconds; undefined for every
 * other check.
 */
export function expiryOf(check: Check): number | undefined {
  const [query] = check.queries;
  if (check.kind !== 'one' || check.queries.length !== 1 || query === undefined) return undefined;
  const [predicate] = query.predicates;
  const [expression] = query.expressions;
  const isAlone = query.predicates.length === 1 && query.expressions.length === 1 && !query.isScoped;
  if (!isAlone || predicate?.name !== timeFact || predicate.terms.length !== 1) return undefined;
  const [time] = predicate.terms;
  const [left, right, compare, ...rest] = expression ?? [];
  if (rest.length > 0 || time?.kind !== 'variable') return undefined;
  if (left?.kind !== 'value' || left.term.kind !== 'variable' || left.term.symbol !== time.symbol)
    return undefined;
  if (right?.kind !== 'value' || right.term.kind !== 'date' || compare?.kind !== 'binary') return undefined;
  if (compare.operator === binaryOperators.lessThan) return right.term.epochSeconds * 1000;
  // Dates are whole seconds, so "<=" holds through the second that it names.
  if (compare.operator === binaryOperators.lessOrEqual) return (right.term.epochSeconds + 1) * 1000;
  return undefined;
}
