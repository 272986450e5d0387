/** The rules a function lives by, as errors it meets when it breaks one. */

export class RuleError extends Error {
  readonly code = 'ERR_GANTRY_RULE';
  constructor(what: string, rule: string) {
    super(`${what} is not available to functions: ${rule}`);
    this.name = 'RuleError';
  }
}

export const rules = {
  network: 'functions have no network',
  process: 'a function may not look into or change the process it runs in',
  imports: 'functions may import only url, buffer, util and crypto (hashing)',
  threads: 'a function may not reach other threads',
} as const;

/** A function that always throws the rule; `what` is how the function's author wrote it. */
export function refuse(what: string, rule: string): () => never {
  // An ordinary function, so that `new` meets the rule as well.
  const refusal = function (): never {
    throw new RuleError(what, rule);
  };
  return Object.freeze(refusal);
}
