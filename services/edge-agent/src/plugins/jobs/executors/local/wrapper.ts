/**
 * The process around a local task. It is the leader of the task's process group, says that it has begun, runs the
 * program and writes down how it ended, whether the agent is there or not.
 *
 * I1. Only the first to make the file `started` begins the task: an agent that gives a task up makes it itself.
 * I2. The program's words are words of the wrapper's own command line: no shell ever reads them.
 * I3. The program gets the environment it was promised: no variable of the wrapper lives outside of a subshell.
 * I4. A signal to the group reaches the program; the wrapper itself stays to write down the end.
 * I5. A program that is not there is reported as that, whatever folders of PATH cannot be read.
 */

/** `sh -c wrapperScript gantry-job <folder>/started <folder>/exit program arguments…` */
export const wrapperScript = `trap : HUP INT QUIT TERM USR1 USR2 ALRM
(
  set -C
  IFS= read -r stat <"/proc/$$/stat" && IFS= read -r boot </proc/sys/kernel/random/boot_id &&
    printf '%s\\n%s\\n' "$stat" "$boot" >"$1"
) 2>/dev/null || exit 125
(
  shift 2
  case $1 in
    */*) test -e "$1" ;;
    *) command -v -- "$1" ;;
  esac >/dev/null 2>&1 || { printf '%s: not found\\n' "$1" >&2; exit 127; }
  exec "$@"
)
set -- "$2" "$?"
printf '%s\\n' "$2" >"$1"
exit "$2"
`;
