import type { Logger } from '@gantry/kernel';

/** A logger that keeps what it is told, as text. */
export interface RecordingLogger extends Logger {
  text(): string;
}

export function createRecordingLogger(): RecordingLogger {
  const lines: string[] = [];
  const write =
    (level: string) =>
    (message: string, fields: Readonly<Record<string, unknown>> = {}) => {
      lines.push(JSON.stringify({ level, message, ...fields }));
    };
  return {
    error: write('error'),
    warn: write('warn'),
    info: write('info'),
    debug: write('debug'),
    text: () => lines.join('\n'),
  };
}
