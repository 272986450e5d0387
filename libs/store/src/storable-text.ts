/**
 * Text as both databases can keep it. PostgreSQL refuses U+0000 and libsql silently cuts text at it, so it becomes
 * U+FFFD, as both already do with unpaired surrogates. Code and parameters are bytes and stay as they are.
 */
export const toStorableText = (text: string): string =>
  text.includes('\u0000') ? text.replaceAll('\u0000', '\uFFFD') : text;
