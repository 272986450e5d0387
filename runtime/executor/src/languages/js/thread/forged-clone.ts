/**
 * Node's `structuredClone` makes objects of the class that a cloneable object names, and takes that name from a method
 * that a function can override on its own Blob. One class that can be named so is `FileHandle`, which reads and writes
 * any open descriptor and leads to `fs`. It has no other name, so the same trick finds it here, to disarm it.
 */

/** The prototype of the class `FileHandle`. */
export function fakeFileHandle(): object {
  const clone = Object.getOwnPropertySymbols(Blob.prototype).find(
    (symbol) => symbol.description === 'messaging_clone_symbol',
  );
  if (clone === undefined) throw new Error('this version of Node clones objects in an unknown way');
  const blob = new Blob([]);
  Object.defineProperty(blob, clone, {
    value: () => ({ data: { handle: { fd: -1 } }, deserializeInfo: 'internal/fs/promises:FileHandle' }),
  });
  return Object.getPrototypeOf(structuredClone(blob)) as object;
}
