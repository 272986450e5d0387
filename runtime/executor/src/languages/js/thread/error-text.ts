import { functionFileName } from './module-loader.js';
import { findSyntaxPlace } from './syntax-place.js';

// The global object is shared with the function: what is needed of it is taken while this file is loaded.
const { get: getProperty } = Reflect;
const toText = String;

const maxMessageChars = 2048;
const maxFrames = 8;

function safely(read: () => unknown): string {
  try {
    const value = read();
    return typeof value === 'string' ? value : '';
  } catch {
    return '';
  }
}

/** Only frames of the function's own file: everything else is ours and would show paths of the host. */
function ownFrames(stack: string): string[] {
  return stack
    .split('\n')
    .filter((line) => /^\s+at /.test(line) && line.includes(functionFileName) && !line.includes('file://'))
    .slice(0, maxFrames)
    .map((line) => `\n${line}`);
}

/** What was thrown, as `Name: message`, the note and the last frames. Never throws, whatever was thrown. */
export function describeThrown(thrown: unknown, note = ''): string {
  if (typeof thrown !== 'object' || thrown === null) {
    try {
      return `thrown ${typeof thrown}: ${toText(thrown).slice(0, maxMessageChars)}${note}`;
    } catch {
      return `thrown ${typeof thrown}${note}`;
    }
  }
  const name = safely(() => getProperty(thrown, 'name')) || 'Error';
  const message = safely(() => getProperty(thrown, 'message'));
  const frames = ownFrames(safely(() => getProperty(thrown, 'stack')));
  const head = message === '' ? name : `${name}: ${message}`;
  return head.slice(0, maxMessageChars) + note + frames.join('');
}

/** What was thrown while a module was loaded, with the line when it does not compile. */
export function describeLoadFailure(thrown: unknown, code: Uint8Array): string {
  const text = describeThrown(thrown);
  if (!text.startsWith('SyntaxError: ')) return text;
  const message = safely(() => getProperty(thrown as object, 'message'));
  const place = safely(() => findSyntaxPlace(code, message));
  return place === '' ? text : `${text} (${place})`;
}
