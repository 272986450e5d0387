import type { Language } from '@gantry/contracts/execution';
import { jsRuntime } from './js/js-runtime.js';
import type { LanguageRuntime } from './language.js';
import { pythonRuntime } from './python/python-runtime.js';

/** The programs that run functions in this release. */
export const languageRuntimes: readonly LanguageRuntime[] = [jsRuntime, pythonRuntime];

/** The program for a language, or undefined when this release has none. */
export const runtimeOf = (
  language: Language,
  runtimes: readonly LanguageRuntime[] = languageRuntimes,
): LanguageRuntime | undefined => runtimes.find(({ languages }) => languages.includes(language));
