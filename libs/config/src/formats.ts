import type convict from 'convict';

const fail = (rule: string): never => {
  throw new Error(rule);
};

const text = (value: unknown): string => (typeof value === 'string' ? value : fail('must be a text'));

/** `a, b` in flags and environment; files have lists already. */
const toList = (value: unknown): unknown =>
  typeof value === 'string'
    ? value
        .split(',')
        .map((item) => item.trim())
        .filter((item) => item !== '')
    : value;

let added = false;

/** Adds the formats that our schemas use, once per process (convict keeps them globally). */
export function addFormats(target: typeof convict): void {
  if (added) return;
  added = true;
  target.addFormats({
    'name-list': {
      validate: (value: unknown) => {
        if (
          !Array.isArray(value) ||
          value.some((item) => !/^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/.test(String(item)))
        )
          fail('must be a comma-separated list of names: letters, digits, "-" and "_", 64 at most');
      },
      coerce: toList,
    },
    'broker-url': {
      validate: (value: unknown) => {
        if (text(value) !== 'in-process:' && !/^amqps?:\/\/./.test(text(value)))
          fail('must be "in-process:", "amqp://…" or "amqps://…"');
      },
    },
    'store-url': {
      validate: (value: unknown) => {
        if (!/^(file:.|postgres(ql)?:\/\/.)/.test(text(value)) && value !== '')
          fail('must be "file:PATH" or "postgres://…"');
      },
    },
    'http-url': {
      validate: (value: unknown) => {
        if (value === '') return;
        if (!URL.canParse(text(value)) || !/^https?:/.test(text(value)))
          fail('must be an http:// or https:// URL');
        if (text(value).endsWith('/')) fail('must not end with "/"');
      },
    },
    'http-url-list': {
      validate: (value: unknown) => {
        if (
          !Array.isArray(value) ||
          value.some((item) => !URL.canParse(String(item)) || !/^https?:/.test(String(item)))
        )
          fail('must be a comma-separated list of http:// or https:// URLs');
      },
      coerce: toList,
    },
    'optional-text': { validate: (value: unknown) => void text(value) },
    'positive-int': {
      validate: (value: unknown) => {
        if (!Number.isSafeInteger(value) || Number(value) < 1) fail('must be a whole number from 1 up');
      },
      coerce: (value: unknown) => (typeof value === 'string' ? Number(value) : value),
    },
  });
}
