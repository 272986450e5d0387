/** One variable of the process environment; undefined when unset or empty. */
export const readEnvironment = (name: string): string | undefined => process.env[name] || undefined;

/** The names of the variables that are meant for us and not empty. */
export const ownVariables = (): string[] =>
  Object.keys(process.env).filter(
    (name) => name.startsWith('GANTRY_') && readEnvironment(name) !== undefined,
  );

/** Whether the process was declared one of production (`NODE_ENV`), where nothing weak is accepted. */
export const isProduction = (): boolean => readEnvironment('NODE_ENV') === 'production';

/** The environment of a child process of our own: what it needs to run and our own settings, no more. */
export function inheritedEnvironment(): Record<string, string> {
  const kept = Object.entries(process.env).filter(
    ([name]) => name.startsWith('GANTRY_') || ['PATH', 'HOME', 'TMPDIR', 'LANG', 'NODE_ENV'].includes(name),
  );
  return Object.fromEntries(kept.map(([name, value]) => [name, value ?? '']));
}
