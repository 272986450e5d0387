import { homedir, userInfo } from 'node:os';
import { readEnvironment } from '@gantry/config';

/** The name of the user the agent runs as; its number where it has none, as in some containers. */
export function systemUserName(): string {
  try {
    return userInfo().username;
  } catch {
    return String(process.getuid?.() ?? '');
  }
}

/** What foreign programs and jobs find in their environment: nothing of the agent's own settings. */
export function systemEnvironment(): Record<string, string> {
  const name = systemUserName();
  const kept = ['LANG', 'LC_ALL', 'TZ', 'TMPDIR', 'SHELL', 'SLURM_CONF'].flatMap((variable) => {
    const value = readEnvironment(variable);
    return value === undefined ? [] : [[variable, value] as const];
  });
  return {
    PATH: readEnvironment('PATH') ?? '/usr/local/bin:/usr/bin:/bin',
    HOME: homedir(),
    USER: name,
    LOGNAME: name,
    ...Object.fromEntries(kept),
  };
}
