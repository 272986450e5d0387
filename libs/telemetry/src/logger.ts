import type { Logger } from '@gantry/kernel';
import winston from 'winston';

const levels = ['error', 'warn', 'info', 'debug'] as const;

export interface LoggerOptions {
  /** Written as `service` on each line. */
  readonly service: string;
  readonly level: (typeof levels)[number];
  /** `json`: one object a line; `text`: for people. */
  readonly format: 'json' | 'text';
  /** Standard error unless given: standard output belongs to commands. */
  readonly destination?: NodeJS.WritableStream;
}

const secretKey = /^(token|authorization|password|secret|cookie|credential)$/i;

/** Replaces values whose key names a secret, at any depth that a log line has. */
function redact(value: unknown, depth = 0): unknown {
  if (typeof value !== 'object' || value === null || depth > 4) return value;
  if (value instanceof Error) return { name: value.name, message: value.message, stack: value.stack };
  if (Array.isArray(value)) return value.map((item) => redact(item, depth + 1));
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [
      key,
      secretKey.test(key) ? '[redacted]' : redact(item, depth + 1),
    ]),
  );
}

/**
 * A logger that writes one line per unit of work, with `time`, `level`, `service`, `message` and the given fields.
 * Values of keys such as `token` or `password` are never written.
 */
export function createLogger(options: LoggerOptions): Logger {
  const destination = options.destination ?? process.stderr;
  const logger = winston.createLogger({
    level: options.level,
    format: winston.format((info) => info)(),
    transports: [
      new winston.transports.Stream({
        stream: destination,
        format: winston.format.printf((info) => toLine(info, options)),
      }),
    ],
  });
  const enabled = levels.indexOf(options.level);
  // A line that is not wanted costs one comparison: debug lines stand on hot paths.
  const write = (level: (typeof levels)[number]) => {
    if (levels.indexOf(level) > enabled) return () => undefined;
    return (message: string, fields?: Readonly<Record<string, unknown>>) => {
      logger.log({ level, message, fields });
    };
  };
  return { error: write('error'), warn: write('warn'), info: write('info'), debug: write('debug') };
}

function toLine(info: winston.Logform.TransformableInfo, options: LoggerOptions): string {
  const fields = (redact(info['fields'] ?? {}) ?? {}) as Record<string, unknown>;
  const time = new Date().toISOString();
  if (options.format === 'json')
    return JSON.stringify({
      time,
      level: info.level,
      service: options.service,
      message: info.message,
      ...fields,
    });
  const rest = Object.entries(fields).map(
    ([key, value]) => `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
  );
  return [time.slice(11, 23), info.level.padEnd(5), options.service, String(info.message), ...rest].join(' ');
}
