import type { Language } from '@gantry/contracts/execution';
import type { LanguageRuntime, LanguageSettings, Trial } from './languages/language.js';

/** Whether functions of a language can run on this machine; otherwise what is missing, with the Debian package. */
export type LanguageState = 'available' | { readonly missing: string };

/**
 * What this machine has for each language. What was missing is looked for again, so that installing a package is
 * enough; what is there is taken for granted.
 */
export class LanguageFinder {
  readonly #runtimes: readonly LanguageRuntime[];
  readonly #settings: LanguageSettings;
  readonly #tryOut: (trial: Trial) => Promise<string | undefined>;
  readonly #states = new Map<Language, LanguageState>();

  /** @param tryOut runs what may not work where functions run, and answers why it does not */
  constructor(
    runtimes: readonly LanguageRuntime[],
    settings: LanguageSettings,
    tryOut: (trial: Trial) => Promise<string | undefined> = async () => undefined,
  ) {
    this.#runtimes = runtimes;
    this.#settings = settings;
    this.#tryOut = tryOut;
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
    const looks = this.#runtimes.flatMap((runtime) => {
      let tried: Promise<string | undefined> | undefined;
      return runtime.languages
        .filter((language) => this.#states.get(language) !== 'available')
        .map(async (language) => {
          const lacking = await runtime.missing(language, this.#settings);
          if (lacking === undefined) tried ??= this.#try(runtime);
          const missing = lacking ?? (await tried);
          this.#states.set(language, missing === undefined ? 'available' : { missing });
          return missing === undefined;
        });
    });
    return (await Promise.all(looks)).includes(true);
  }

  async #try(runtime: LanguageRuntime): Promise<string | undefined> {
    const trial = runtime.trial?.(this.#settings);
    if (trial === undefined) return undefined;
    const reason = await this.#tryOut(trial);
    return reason === undefined ? undefined : trial.explain(reason);
  }
}
