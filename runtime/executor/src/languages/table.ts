import type { Language } from '@gantry/contracts';
import { jsRuntime } from './js/js-runtime.js';
import type { LanguageRuntime } from './language.js';

/** The languages this release runs; the others are answered with `language-unavailable`. */
export const languageRuntimes: Readonly<Partial<Record<Language, LanguageRuntime>>> = {
  JS: jsRuntime,
};
