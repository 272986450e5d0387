import { isSwitch, type Setting } from './settings.js';

export interface ReadFlags {
  /** By path of the setting. A flag given again: the last one, or of a list all of them. */
  readonly texts: ReadonlyMap<string, string>;
  readonly problems: readonly string[];
}

/**
 * Reads `--name value`, `--name=value`, `--switch` and `--no-switch`. Every value is a text: what looks like a number
 * keeps its zeros.
 * @param isStrict whether a flag or word that the schema does not know is a problem, or somebody else's
 */
export function readFlags(
  settings: readonly Setting[],
  argv: readonly string[],
  isStrict: boolean,
): ReadFlags {
  const byFlag = new Map(settings.flatMap((one) => (one.arg === undefined ? [] : [[one.arg, one] as const])));
  const texts = new Map<string, string>();
  const problems: string[] = [];
  const words = [...argv];
  for (let word = words.shift(); word !== undefined; word = words.shift()) {
    const [, name, inline] = /^--([^=]+)(?:=(.*))?$/s.exec(word) ?? [];
    const setting = name === undefined ? undefined : byFlag.get(name);
    const negated = name?.startsWith('no-') === true ? byFlag.get(name.slice(3)) : undefined;
    if (setting !== undefined) {
      const value = inline ?? takeValue(setting, words);
      if (value === undefined) problems.push(`--${name}: needs a value`);
      else texts.set(setting.path, joined(setting, texts.get(setting.path), value));
    } else if (negated !== undefined && isSwitch(negated)) texts.set(negated.path, 'false');
    else if (isStrict) problems.push(`${word.split('=')[0]}: there is no such flag`);
  }
  return { texts, problems };
}

/** Takes the next word when it is the value of this flag. */
function takeValue(setting: Setting, words: string[]): string | undefined {
  const [next] = words;
  if (isSwitch(setting)) return next !== undefined && /^(true|false)$/i.test(next) ? words.shift() : 'true';
  return next === undefined || next.startsWith('--') ? undefined : words.shift();
}

const joined = ({ format }: Setting, before: string | undefined, value: string): string =>
  before !== undefined && typeof format === 'string' && format.endsWith('-list')
    ? `${before},${value}`
    : value;
