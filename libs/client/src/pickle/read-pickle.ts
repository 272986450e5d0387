/**
 * Reads what Python's pickle (protocols 0 to 5, so also cloudpickle) writes for plain values.
 *
 * The npm package `pickleparser` was tried and left: it reads negative and long integers wrongly, lets a key of a dict
 * reach the prototype of the object it builds, calls `Reflect.construct` on what a pickle names, and does not write.
 *
 * I1. Nothing that a pickle names is ever called: the few callables that plain values need have a fixed meaning here,
 *     every other is refused by its name.
 * I2. Work and memory grow with the bytes alone: lengths are held against what is left, and nothing recurses.
 * I3. One object in Python is one object here, also when it contains itself.
 */
import { ByteReader } from './byte-reader.js';
import { opcodes as op } from './opcodes.js';
import { PickleError, type PythonValue } from './python-values.js';

/** A callable that a pickle named (I1). */
class Callable {
  readonly name: string;
  constructor(name: string) {
    this.name = name;
  }
}

/** What older protocols call for values that have no opcode there. Python 2 had other names for builtins. */
const meanings: Readonly<Record<string, (args: readonly unknown[]) => unknown>> = {
  'builtins.set': ([items = []]) => new Set(itemsOf(items)),
  'builtins.frozenset': ([items = []]) => new Set(itemsOf(items)),
  'builtins.bytes': ([bytes = new Uint8Array()]) => bytesOf(bytes),
  'builtins.bytearray': ([bytes = new Uint8Array(), encoding]) =>
    encoding === undefined ? bytesOf(bytes) : latin1Of(bytes),
  '_codecs.encode': ([text]) => latin1Of(text),
};
/** They only say which class follows, and that is refused by its own name. */
const constructors = new Set(['copyreg._reconstructor', 'copyreg.__newobj__', 'copyreg.__newobj_ex__']);

/**
 * The plain value in a pickle.
 * @throws {PickleError} that names the class, when the value is or holds an object of another kind; or when the bytes
 * are no pickle
 */
export function readPickle(bytes: Uint8Array): PythonValue {
  return toPlain(new PickleMachine(bytes).run());
}

/** The stack machine that a pickle is a program for. */
class PickleMachine {
  readonly #reader: ByteReader;
  #stack: unknown[] = [];
  readonly #outer: unknown[][] = [];
  readonly #memo = new Map<number, unknown>();

  constructor(bytes: Uint8Array) {
    this.#reader = new ByteReader(bytes);
  }

  run(): unknown {
    for (;;) {
      const opcode = this.#reader.uint8();
      if (opcode === op.stop) return this.#pop();
      if (!this.#structure(opcode) && !this.#scalar(opcode) && !this.#collection(opcode)) this.#named(opcode);
    }
  }

  #structure(opcode: number): boolean {
    const reader = this.#reader;
    switch (opcode) {
      case op.proto: {
        const version = reader.uint8();
        if (version > 5) throw new PickleError(`it is of pickle protocol ${version}; up to 5 are known`);
        return true;
      }
      case op.frame:
        reader.skip(8);
        return true;
      case op.mark:
        this.#outer.push(this.#stack);
        this.#stack = [];
        return true;
      case op.pop:
        // As in Python: right after a mark it takes the mark away.
        if (this.#stack.length === 0) this.#popToMark();
        else this.#pop();
        return true;
      case op.popMark:
        this.#popToMark();
        return true;
      case op.dup:
        return this.#push(this.#top());
      case op.put:
        return this.#keep(Number(reader.line()));
      case op.binPut:
        return this.#keep(reader.uint8());
      case op.longBinPut:
        return this.#keep(reader.uint32());
      case op.memoize:
        return this.#keep(this.#memo.size);
      case op.get:
        return this.#recall(Number(reader.line()));
      case op.binGet:
        return this.#recall(reader.uint8());
      case op.longBinGet:
        return this.#recall(reader.uint32());
      default:
        return false;
    }
  }

  #scalar(opcode: number): boolean {
    const reader = this.#reader;
    switch (opcode) {
      case op.none:
        return this.#push(null);
      case op.newTrue:
        return this.#push(true);
      case op.newFalse:
        return this.#push(false);
      case op.int:
        return this.#push(parseInt0(reader.line()));
      case op.long:
        return this.#push(toNumber(parseBigInt(reader.line().replace(/L$/, ''))));
      case op.binInt:
        return this.#push(reader.int32());
      case op.binInt1:
        return this.#push(reader.uint8());
      case op.binInt2:
        return this.#push(reader.uint16());
      case op.long1:
        return this.#push(toNumber(reader.integer(reader.uint8())));
      case op.long4:
        return this.#push(toNumber(reader.integer(reader.int32())));
      case op.float:
        return this.#push(parseFloat0(reader.line()));
      case op.binFloat:
        return this.#push(reader.float64());
      case op.unicode:
        return this.#push(parseRawUnicode(reader.line()));
      case op.shortBinUnicode:
        return this.#push(reader.text(reader.uint8()));
      case op.binUnicode:
        return this.#push(reader.text(reader.uint32()));
      case op.binUnicode8:
        return this.#push(reader.text(reader.uint64()));
      case op.shortBinBytes:
        return this.#push(reader.bytes(reader.uint8()));
      case op.binBytes:
        return this.#push(reader.bytes(reader.uint32()));
      case op.binBytes8:
      case op.byteArray8:
        return this.#push(reader.bytes(reader.uint64()));
      default:
        return false;
    }
  }

  #collection(opcode: number): boolean {
    switch (opcode) {
      case op.emptyList:
      case op.emptyTuple:
        return this.#push([]);
      case op.list:
      case op.tuple:
        return this.#push(this.#popToMark());
      case op.tuple1:
        return this.#push(this.#popMany(1));
      case op.tuple2:
        return this.#push(this.#popMany(2));
      case op.tuple3:
        return this.#push(this.#popMany(3));
      case op.append:
        return this.#append(this.#popMany(1));
      case op.appends:
        return this.#append(this.#popToMark());
      case op.emptyDict:
        return this.#push(new Map());
      case op.dict: {
        const pairs = this.#popToMark();
        this.#push(new Map());
        return this.#setItems(pairs);
      }
      case op.setItem:
        return this.#setItems(this.#popMany(2));
      case op.setItems:
        return this.#setItems(this.#popToMark());
      case op.emptySet:
        return this.#push(new Set());
      case op.addItems: {
        const items = this.#popToMark();
        const set = this.#top();
        if (!(set instanceof Set)) throw broken();
        for (const item of items) set.add(item);
        return true;
      }
      case op.frozenSet:
        return this.#push(new Set(this.#popToMark()));
      default:
        return false;
    }
  }

  /** I1 */
  #named(opcode: number): void {
    switch (opcode) {
      case op.global: {
        const module = this.#reader.line();
        this.#push(nameCallable(module, this.#reader.line()));
        return;
      }
      case op.stackGlobal: {
        const [module, name] = this.#popMany(2);
        this.#push(nameCallable(String(module), String(name)));
        return;
      }
      case op.reduce: {
        const [callable, args] = this.#popMany(2);
        const meaning = callable instanceof Callable ? meanings[callable.name] : undefined;
        if (meaning === undefined || !Array.isArray(args)) throw broken();
        this.#push(meaning(args));
        return;
      }
      case op.inst: {
        const module = this.#reader.line();
        throw refusal(`${module}.${this.#reader.line()}`);
      }
      case op.obj:
      case op.newObj:
      case op.newObjEx:
      case op.build:
        throw new PickleError('it is a Python object that is no plain value');
      default:
        throw new PickleError(
          `byte ${this.#reader.lastOffset} (0x${opcode.toString(16)}) is no part of a pickle of plain values`,
        );
    }
  }

  #push(value: unknown): true {
    this.#stack.push(value);
    return true;
  }

  #top(): unknown {
    if (this.#stack.length === 0) throw broken();
    return this.#stack[this.#stack.length - 1];
  }

  #pop(): unknown {
    if (this.#stack.length === 0) throw broken();
    return this.#stack.pop();
  }

  #popMany(count: number): unknown[] {
    if (this.#stack.length < count) throw broken();
    return this.#stack.splice(this.#stack.length - count, count);
  }

  #popToMark(): unknown[] {
    const items = this.#stack;
    const outer = this.#outer.pop();
    if (outer === undefined) throw broken();
    this.#stack = outer;
    return items;
  }

  #keep(index: number): true {
    this.#memo.set(index, this.#top());
    return true;
  }

  #recall(index: number): true {
    if (!this.#memo.has(index)) throw broken();
    return this.#push(this.#memo.get(index));
  }

  #append(items: readonly unknown[]): true {
    const list = this.#top();
    if (!Array.isArray(list)) throw broken();
    for (const item of items) list.push(item);
    return true;
  }

  #setItems(pairs: readonly unknown[]): true {
    const dict = this.#top();
    if (!(dict instanceof Map) || pairs.length % 2 !== 0) throw broken();
    for (let index = 0; index < pairs.length; index += 2) dict.set(pairs[index], pairs[index + 1]);
    return true;
  }
}

/** I1 */
function nameCallable(module: string, name: string): Callable {
  const full = `${module.replace(/^__builtin__$/, 'builtins').replace(/^copy_reg$/, 'copyreg')}.${name}`;
  if (Object.hasOwn(meanings, full) || constructors.has(full)) return new Callable(full);
  throw refusal(full);
}

/** What a function returns instead, by the type of what it wanted to. */
const waysOut: readonly (readonly [type: RegExp, wayOut: string])[] = [
  [/^numpy\./, 'array.tolist() or scalar.item()'],
  [/^datetime\.timedelta$/, 'value.total_seconds()'],
  [/^datetime\.(date|datetime|time)$/, 'value.isoformat()'],
  [
    /^(decimal\.Decimal|fractions\.Fraction|uuid\.UUID|pathlib\.)/,
    'str(value), or float(value) for a number',
  ],
  [/^builtins\.complex$/, '[value.real, value.imag]'],
  [/^pandas\./, 'frame.to_dict("records") or series.tolist()'],
  [/^collections\.(OrderedDict|defaultdict|Counter)$/, 'dict(value)'],
  [/^collections\.deque$/, 'list(value)'],
  [/^(__main__|cloudpickle(\.cloudpickle(_fast)?)?)\./, 'a dict of its attributes, for example vars(value)'],
];

const wayOutOf = (name: string): string | undefined => waysOut.find(([type]) => type.test(name))?.[1];

const refusal = (name: string): PickleError => {
  const wayOut = wayOutOf(name);
  const hint = wayOut === undefined ? '' : `; in the function, return ${wayOut}`;
  return new PickleError(
    `the result is, or holds, a Python object of type ${name}, and only plain values can be read here${hint}`,
  );
};

const broken = () => new PickleError('the bytes are no pickle that Python wrote');

/**
 * Turns dicts whose keys are all texts into objects, everywhere in `root`. Only now, because a pickle goes on filling
 * a dict after it was put into others.
 */
function toPlain(root: unknown): PythonValue {
  const replacements = new Map<unknown, unknown>();
  const waiting: unknown[] = [root];
  const seen = new Set<unknown>();
  const containers: unknown[] = [];
  // I2, I3: a list of what is still to be looked at, not recursion.
  for (let value = waiting.pop(); value !== undefined; value = waiting.pop()) {
    if (value instanceof Callable) throw refusal(value.name);
    if (typeof value !== 'object' || value === null || value instanceof Uint8Array || seen.has(value))
      continue;
    seen.add(value);
    if (value instanceof Map) {
      const isObject = [...value.keys()].every((key) => typeof key === 'string');
      // Object.fromEntries defines keys, so that "__proto__" is a key like any other.
      if (isObject) replacements.set(value, Object.fromEntries(value as Map<string, unknown>));
      for (const [key, item] of value) waiting.push(key, item);
    } else for (const item of value as Iterable<unknown>) waiting.push(item);
    containers.push(replacements.get(value) ?? value);
  }
  if (replacements.size > 0) for (const container of containers) replaceInside(container, replacements);
  return (replacements.get(root) ?? root) as PythonValue;
}

function replaceInside(container: unknown, replacements: ReadonlyMap<unknown, unknown>): void {
  const settle = (value: unknown): unknown => replacements.get(value) ?? value;
  if (Array.isArray(container)) {
    for (const [index, item] of container.entries()) container[index] = settle(item);
  } else if (container instanceof Map) {
    for (const [key, item] of container) container.set(key, settle(item));
  } else if (!(container instanceof Set)) {
    const record = container as Record<string, unknown>;
    // Each key is the object's own, so an assignment never reaches a prototype.
    for (const key of Object.keys(record)) record[key] = settle(record[key]);
  }
  // What stands in a set can be hashed, so it holds no dict.
}

/** Whole numbers are numbers as long as they are exact. */
const toNumber = (value: bigint): number | bigint => {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
};

/** Protocols 0 and 1 write booleans as the integers 00 and 01. */
function parseInt0(text: string): boolean | number | bigint {
  if (text === '00' || text === '01') return text === '01';
  return toNumber(parseBigInt(text));
}

function parseBigInt(text: string): bigint {
  if (!/^-?\d+$/.test(text)) throw broken();
  return BigInt(text);
}

function parseFloat0(text: string): number {
  if (/^-?inf$/.test(text)) return text.startsWith('-') ? -Infinity : Infinity;
  if (text === 'nan') return Number.NaN;
  if (!/^-?\d+(\.\d+)?(e[+-]?\d+)?$/.test(text)) throw broken();
  return Number(text);
}

/** Python's raw-unicode-escape: Latin-1 with \uXXXX and \UXXXXXXXX. */
const parseRawUnicode = (line: string): string =>
  line.replaceAll(/\\u([0-9a-fA-F]{4})|\\U([0-9a-fA-F]{8})/g, (_all, short?: string, long?: string) =>
    String.fromCodePoint(Math.min(0x10ffff, Number.parseInt(short ?? long ?? '', 16))),
  );

function itemsOf(value: unknown): Iterable<unknown> {
  if (!Array.isArray(value)) throw broken();
  return value;
}

function bytesOf(value: unknown): Uint8Array {
  if (value instanceof Uint8Array) return value;
  // `bytes` of no items; a number would be a length.
  if (Array.isArray(value) && value.length === 0) return new Uint8Array();
  throw broken();
}

/** How Python 3 writes bytes for protocols that have none: as text with one character a byte. */
function latin1Of(value: unknown): Uint8Array {
  if (typeof value !== 'string') throw broken();
  const bytes = new Uint8Array(value.length);
  for (let index = 0; index < value.length; index += 1) bytes[index] = value.charCodeAt(index);
  return bytes;
}
