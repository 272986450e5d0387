import type { Language } from '@gantry/contracts';
import { decodeBase64, decodeJson, encodeBase64, encodeJson } from './base64.js';
import { GantryError } from './gantry-error.js';
import { PickleError, type PythonInput } from './pickle/python-values.js';
import { readPickle } from './pickle/read-pickle.js';
import { writePickle } from './pickle/write-pickle.js';

/** How values travel to functions of a language and back. */
export interface LanguageCodec {
  /** A parameter, as base64. @throws {GantryError} invalid-parameters */
  encode(value: unknown): string;
  /** The value in `res`. @throws {GantryError} unreadable-result */
  decode(res: string): unknown;
}

const json: LanguageCodec = {
  encode(value) {
    try {
      return encodeJson(value);
    } catch (cause) {
      // A bigint, a value that contains itself, one that lies too deep: an Error of JSON.stringify in each case.
      const detail = `the value cannot be written as JSON: ${(cause as Error).message}`;
      throw new GantryError({ code: 'invalid-parameters', detail, cause });
    }
  },
  decode(res) {
    try {
      return decodeJson(res);
    } catch (cause) {
      throw new GantryError({
        code: 'unreadable-result',
        detail:
          "The result is not JSON. When the function is Python, call it with its language: { id, language: 'PY' }",
        cause,
      });
    }
  },
};

const pickle: LanguageCodec = {
  encode(value) {
    try {
      return encodeBase64(writePickle(value as PythonInput));
    } catch (cause) {
      if (!(cause instanceof PickleError)) throw cause;
      throw new GantryError({ code: 'invalid-parameters', detail: cause.message, cause });
    }
  },
  decode(res) {
    try {
      return readPickle(decodeBase64(res));
    } catch (cause) {
      const reason = cause instanceof PickleError ? cause.message : 'it is not base64';
      throw new GantryError({
        code: 'unreadable-result',
        detail: `The result cannot be read: ${reason}`,
        cause,
      });
    }
  },
};

/** @throws {GantryError} unsupported-language for C, whose parameters have types that values here do not show */
export function codecOf(language: Language): LanguageCodec {
  if (language === 'JS') return json;
  if (language === 'PY') return pickle;
  throw new GantryError({
    code: 'unsupported-language',
    detail: `Functions of language ${language} are called through EdgeClient.execute, with encoded parameters`,
  });
}
