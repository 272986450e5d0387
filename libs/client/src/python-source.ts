/**
 * Finds the functions at the top level of Python source, without Python: what matters is only which lines begin a
 * statement and stand at the margin, so texts, comments, brackets and continued lines are stepped over.
 */

export interface TopLevelFunction {
  readonly name: string;
  readonly isAsync: boolean;
}

/** What hides line ends or hash signs: comments, texts of both kinds, brackets, continued lines. */
const token =
  /#[^\n]*|("""|''')(?:\\[\s\S]|(?!\1)[\s\S])*(?:\1|$)|"(?:\\[\s\S]|[^"\\\n])*"?|'(?:\\[\s\S]|[^'\\\n])*'?|\\\n|[([{]|[)\]}]|\n/g;
const definition = /^(async[ \t]+)?def[ \t]+([\p{ID_Start}_][\p{ID_Continue}]*)/u;

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
  for (const { 0: piece, index } of text.matchAll(token)) {
    if ('([{'.includes(piece)) depth += 1;
    else if (')]}'.includes(piece)) depth = Math.max(0, depth - 1);
    else if (piece === '\n' && depth === 0) look(index + 1);
  }
  return [...found.values()];
}
