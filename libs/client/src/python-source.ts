/**
 * Finds the functions at the top level of Python source, without Python: what matters is only which lines begin a
 * statement and stand at the margin, so texts, comments, brackets and continued lines are stepped over.
 */

export interface TopLevelFunction {
  readonly name: string;
  readonly isAsync: boolean;
}

/** Where something may begin that hides line ends: comments, texts, brackets, continued lines. */
const significant = /[#"'\\()[\]{}\n]/g;
/** Ends of texts; what a backslash protects is none. */
const ends = {
  '"': /\\[\s\S]|["\n]/g,
  "'": /\\[\s\S]|['\n]/g,
  '"""': /\\[\s\S]|"""/g,
  "'''": /\\[\s\S]|'''/g,
} as const;
/** A form feed puts what follows at the margin; a backslash continues a line anywhere. */
const definition =
  /^(?:[ \t\f]*\f)?(async(?:[ \t\f]|\\\n)+)?def(?:[ \t\f]|\\\n)+([\p{ID_Start}_][\p{ID_Continue}]*)/u;

/**
 * The functions that may be meant when none is named: names that begin with an underscore are helpers, unless there
 * are no others.
 */
export function candidatesOf(functions: readonly TopLevelFunction[]): readonly TopLevelFunction[] {
  const open = functions.filter(({ name }) => !name.startsWith('_'));
  return open.length === 0 ? functions : open;
}

/** The functions at the top level, in order; one that is defined twice counts once, as the later one replaces it. */
export function findTopLevelFunctions(source: string): readonly TopLevelFunction[] {
  const text = source.replaceAll(/\r\n?/g, '\n').replace(/^\uFEFF/, '');
  const found = new Map<string, TopLevelFunction>();
  const look = (offset: number) => {
    const match = definition.exec(text.slice(offset, offset + 256));
    if (match?.[2] !== undefined) found.set(match[2], { name: match[2], isAsync: match[1] !== undefined });
  };
  let depth = 0;
  look(0);
  for (let index = nextOf(significant, text, 0); index < text.length; ) {
    const piece = text.charAt(index);
    let end = index + 1;
    if (piece === '#') end = indexOrEnd(text.indexOf('\n', index), text);
    else if (piece === '"' || piece === "'") end = endOfText(text, index, piece);
    else if (piece === '\\') end = index + 2;
    else if ('([{'.includes(piece)) depth += 1;
    else if (')]}'.includes(piece)) depth = Math.max(0, depth - 1);
    else if (depth === 0) look(end);
    index = nextOf(significant, text, end);
  }
  return [...found.values()];
}

const indexOrEnd = (index: number, text: string): number => (index === -1 ? text.length : index);

function nextOf(what: RegExp, text: string, from: number): number {
  what.lastIndex = from;
  return what.exec(text)?.index ?? text.length;
}

/**
 * Where the text that begins at `start` is over. Step by step: one expression for all of it would need the stack for
 * every character of a long one.
 */
function endOfText(text: string, start: number, quote: '"' | "'"): number {
  const triple = quote === '"' ? '"""' : "'''";
  const opening = text.startsWith(triple, start) ? triple : quote;
  const end = ends[opening];
  end.lastIndex = start + opening.length;
  for (let match = end.exec(text); match !== null; match = end.exec(text)) {
    if (match[0] === opening) return end.lastIndex;
    // A line end ends an unfinished text, and the line too.
    if (match[0] === '\n') return match.index;
  }
  return text.length;
}
