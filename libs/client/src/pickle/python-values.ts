/** A number that is a `float` in Python also when it is whole. Made by {@link pythonFloat}. */
export class PythonFloat {
  readonly value: number;
  constructor(value: number) {
    this.value = value;
  }
}

/** Items that are a `tuple` in Python, not a `list`. Made by {@link pythonTuple}. */
export class PythonTuple {
  readonly items: readonly PythonInput[];
  constructor(items: readonly PythonInput[]) {
    this.items = items;
  }
}

/** Hands a whole number to Python as `float`: a plain 2 arrives as the `int` 2. */
export const pythonFloat = (value: number): PythonFloat => new PythonFloat(value);

/** Hands values to Python as a `tuple`: a plain array arrives as a `list`. */
export const pythonTuple = (...items: readonly PythonInput[]): PythonTuple => new PythonTuple(items);

/**
 * What can be handed to a Python function: `null` and `undefined` arrive as `None`, whole numbers up to 2^53 and
 * bigints as `int`, other numbers as `float`, texts as `str`, `Uint8Array` as `bytes`, arrays as `list`, maps and plain
 * objects as `dict`, sets as `set`.
 */
export type PythonInput =
  | null
  | undefined
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | PythonFloat
  | PythonTuple
  | readonly PythonInput[]
  | ReadonlyMap<PythonInput, PythonInput>
  | ReadonlySet<PythonInput>
  | { readonly [key: string]: PythonInput };

/**
 * What comes from Python: `None` as `null`, an `int` beyond 2^53 as bigint, `bytes` and `bytearray` as `Uint8Array`,
 * lists and tuples as arrays, sets and frozensets as `Set`, a `dict` as an object when all its keys are texts and as a
 * `Map` otherwise.
 */
export type PythonValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | PythonValue[]
  | Map<PythonValue, PythonValue>
  | Set<PythonValue>
  | { [key: string]: PythonValue };

/** A value that is not plain data in Python or here, or bytes that are no pickle. */
export class PickleError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'PickleError';
  }
}
