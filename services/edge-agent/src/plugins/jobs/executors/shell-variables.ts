/** Variables that do not reach a program as they are. Pure. */
import type { JobSpec } from '@gantry/contracts';
import type { FieldError } from '@gantry/kernel';

/**
 * A shell stands between every executor and the program, and keeps these to itself: bash and dash refuse to set them and
 * end (OPTIND, UID, SHELLOPTS), take no value from outside (IFS), or put in their own (RANDOM, PPID, SHLVL).
 */
const shellVariables: ReadonlySet<string> = new Set([
  ...['_', 'BASHOPTS', 'BASHPID', 'BASH_ALIASES', 'BASH_ARGC', 'BASH_ARGV', 'BASH_ARGV0', 'BASH_CMDS'],
  ...['BASH_COMMAND', 'BASH_LINENO', 'BASH_SOURCE', 'BASH_SUBSHELL', 'BASH_VERSINFO', 'COMP_WORDBREAKS'],
  ...['DIRSTACK', 'EPOCHREALTIME', 'EPOCHSECONDS', 'EUID', 'FUNCNAME', 'GROUPS', 'HISTCMD', 'IFS', 'LINENO'],
  ...['OPTIND', 'PIPESTATUS', 'PPID', 'RANDOM', 'SECONDS', 'SHELLOPTS', 'SHLVL', 'SRANDOM', 'UID'],
]);

export const findShellVariables = ({ environment }: JobSpec): readonly FieldError[] =>
  Object.keys(environment)
    .filter((name) => shellVariables.has(name))
    .map((name) => ({
      pointer: `/body/spec/environment/${name}`,
      detail: `environment/${name}: shells keep this variable to themselves; it would not arrive`,
    }));
