/** One setting of a schema: where it stands, what it takes, and how it is named outside of files. */
export interface Setting {
  /** `cloud.port` */
  readonly path: string;
  readonly format: unknown;
  /** Name of its environment variable. */
  readonly env: string | undefined;
  /** Its flag, without the dashes. */
  readonly arg: string | undefined;
}

/** Every setting of a schema, in its order. */
export function settingsOf(schema: unknown, prefix = ''): readonly Setting[] {
  if (typeof schema !== 'object' || schema === null) return [];
  return Object.entries(schema).flatMap(([key, node]: [string, unknown]) => {
    const path = `${prefix}${key}`;
    if (typeof node !== 'object' || node === null || !('default' in node))
      return settingsOf(node, `${path}.`);
    const { format, env, arg } = node as { format?: unknown; env?: string; arg?: string };
    return [{ path, format, env, arg }];
  });
}

export const isSwitch = ({ format }: Setting): boolean => format === Boolean || format === 'Boolean';

const isWholeNumber = ({ format }: Setting): boolean =>
  typeof format === 'string' && ['int', 'integer', 'nat', 'port', 'positive-int'].includes(format);

const switchTexts = new Map([
  ['true', 'true'],
  ['1', 'true'],
  ['yes', 'true'],
  ['on', 'true'],
  ['false', 'false'],
  ['0', 'false'],
  ['no', 'false'],
  ['off', 'false'],
]);

/**
 * The text of a flag or variable, as convict reads it. Convict by itself takes `0` and `no` for true, and `13x` for 13.
 * @throws {Error} the rule that it breaks
 */
export function toPlainText(setting: Setting, text: string): string {
  const trimmed = text.trim();
  if (isSwitch(setting)) {
    const plain = switchTexts.get(trimmed.toLowerCase());
    if (plain === undefined) throw new Error('must be true or false');
    return plain;
  }
  if (!isWholeNumber(setting)) return text;
  if (!/^-?\d+$/.test(trimmed)) throw new Error('must be a whole number');
  return trimmed;
}

/** ` (--cloud-port, GANTRY_CLOUD_PORT)`: what to change, for the end of a message. */
export function namesOf({ arg, env }: Setting): string {
  const names = [...(arg === undefined ? [] : [`--${arg}`]), ...(env === undefined ? [] : [env])];
  return names.length === 0 ? '' : ` (${names.join(', ')})`;
}
