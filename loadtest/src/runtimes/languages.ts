/** Functions of each language as its clients send them: the sum of two whole numbers, and one that never ends. */
import { codecOf, pythonFunction } from '@gantry/client';
import type { Language } from '@gantry/contracts';

export const measuredLanguages = ['JS', 'PY', 'C'] as const satisfies readonly Language[];

export interface LanguageSubject {
  /** The code of a function that adds two numbers; each `variant` is another function. */
  sum(variant: string): string;
  endless(): string;
  readonly parameters: readonly string[];
  /** `res` of the sum. */
  readonly expected: string;
}

const base64 = (text: string | Uint8Array) => Buffer.from(text as string).toString('base64');

/** A length-delimited field of protobuf (https://protobuf.dev/programming-guides/encoding/), shorter than 16 KiB. */
function field(number: number, content: Uint8Array): Buffer {
  const { length } = content;
  const size = length < 0x80 ? [length] : [(length & 0x7f) | 0x80, length >> 7];
  return Buffer.concat([Buffer.from([(number << 3) | 2, ...size]), content]);
}

/** COGNIT's `MyParam{my_int64{values}}`. */
const int64 = (value: number) => field(4, field(1, Buffer.from([value])));

const python = (variant: string) => `def add(a, b):\n    """${variant}"""\n    return a + b\n`;
const endlessPython = 'def spin(a, b):\n    while True:\n        pass\n';
const pickle = codecOf('PY');

export const languageSubjects: Readonly<Record<(typeof measuredLanguages)[number], LanguageSubject>> = {
  JS: {
    sum: (variant) => base64(`export default (a, b) => a + b; // ${variant}`),
    endless: () => base64('export default () => { for (;;); };'),
    parameters: [base64('20'), base64('22')],
    expected: base64('42'),
  },
  PY: {
    sum: (variant) => pythonFunction(python(variant)).code,
    endless: () => pythonFunction(endlessPython).code,
    parameters: [pickle.encode(20), pickle.encode(22)],
    // Pickles of one value may differ in their bytes: compared by value.
    expected: '42',
  },
  C: {
    sum: (variant) => base64(field(1, Buffer.from(python(variant)))),
    endless: () => base64(field(1, Buffer.from(endlessPython))),
    parameters: [base64(int64(20)), base64(int64(22))],
    // FaasResponse{my_faas_response: MyParam}
    expected: base64(field(1, int64(42))),
  },
};

export const isExpected = (language: (typeof measuredLanguages)[number], res: string): boolean =>
  language === 'PY'
    ? String(pickle.decode(res)) === languageSubjects.PY.expected
    : res === languageSubjects[language].expected;
