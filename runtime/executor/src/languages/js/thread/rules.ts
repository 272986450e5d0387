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
  imports:
    'functions may import only url, buffer, util and crypto (hashing); bundle packages into the module',
  codeFromText: 'a function may not make code from text',
  threads: 'a function may not reach other threads',
} as const;

/**
 * A function that always throws the rule; `what` is how the function's author wrote it, `prototype` what `instanceof`
 * is to find when it stands for a constructor.
 */
export function refuse(what: string, rule: string, prototype?: object): () => never {
  // An ordinary function, so that `new` meets the rule as well.
  function refusal(): never {
    throw new RuleError(what, rule);
  }
  if (prototype !== undefined) refusal.prototype = prototype;
  return Object.freeze(refusal);
}
