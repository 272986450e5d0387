import type { Language } from '@gantry/contracts';
import type { LanguageRuntime, LanguageSettings } from './languages/language.js';

/** Whether functions of a language can run on this machine; otherwise what is missing, with the Debian package. */
export type LanguageState = 'available' | { readonly missing: string };

/**
 * What this machine has for each language. What was missing is looked for again, so that installing a package is
 * enough; what is there is taken for granted.
 */
export class LanguageFinder {
  readonly #runtimes: readonly LanguageRuntime[];
  readonly #settings: LanguageSettings;
  readonly #states = new Map<Language, LanguageState>();

  constructor(runtimes: readonly LanguageRuntime[], settings: LanguageSettings) {
    this.#runtimes = runtimes;
    this.#settings = settings;
  }

  stateOf(language: Language): LanguageState {
    return this.#states.get(language) ?? { missing: 'this release has no program for it' };
  }

  /** Programs that can run at least one of their languages. */
  available(): LanguageRuntime[] {
    return this.#runtimes.filter(({ languages }) =>
      languages.some((language) => this.stateOf(language) === 'available'),
    );
  }

  /** Looks for everything that is not there. Answers whether something came. */
  async look(): Promise<boolean> {
    const looks = this.#runtimes.flatMap((runtime) =>
      runtime.languages
        .filter((language) => this.#states.get(language) !== 'available')
        .map(async (language) => {
          const missing = await runtime.missing(language, this.#settings);
          this.#states.set(language, missing === undefined ? 'available' : { missing });
          return missing === undefined;
        }),
    );
    return (await Promise.all(looks)).includes(true);
  }
}
