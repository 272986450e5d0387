/**
 * The runtimes that are there and what they can run, by what they say of themselves.
 *
 * I1  Bounded: one entry a runtime, `maxRuntimes` at most, gone `silentMs` after its last word.
 * I2  A call never waits for it and asks nothing: what is refused was computed when a runtime spoke or fell silent.
 * I3  Nothing is refused for want of knowledge: only when a runtime of the flavour is known and all known ones say no.
 */
import type { RuntimeStatus } from '@gantry/broker';
import {
  languages as allLanguages,
  type FlavourDefinition,
  type IsolationLevel,
  type Language,
  type RuntimeFlavour,
} from '@gantry/contracts';
import { AppError, type Clock, type Part } from '@gantry/kernel';

export interface RuntimeDirectoryOptions {
  /** Of the flavours that are served. */
  readonly definitions: readonly FlavourDefinition[];
  readonly clock: Clock;
  readonly silentMs?: number;
  readonly sweepMs?: number;
  readonly maxRuntimes?: number;
}

interface LanguageState {
  readonly language: Language;
  readonly available: boolean;
  readonly reason: string | undefined;
}

/** A flavour over all its live runtimes. */
export interface LiveFlavour {
  readonly runtimes: number;
  readonly slots: number;
  readonly running: number;
  readonly isolation: readonly IsolationLevel[];
  readonly languages: readonly LanguageState[];
}

interface Entry {
  readonly flavours: readonly RuntimeFlavour[];
  readonly seenMs: number;
}

/** Installing a package takes longer than this; a machine that has it is found again within it. */
const retryAfterMs = 5000;

export class RuntimeDirectory implements Part {
  readonly name = 'runtime directory';
  readonly #options: Required<RuntimeDirectoryOptions>;
  readonly #definitions: ReadonlyMap<string, FlavourDefinition>;
  /** The one that spoke last stands last. */
  readonly #runtimes = new Map<string, Entry>();
  /** `<flavour> <language>` and why not (I2). */
  #refused: ReadonlyMap<string, string> = new Map();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: RuntimeDirectoryOptions) {
    this.#options = { silentMs: 15_000, sweepMs: 1000, maxRuntimes: 1024, ...options };
    this.#definitions = new Map(options.definitions.map((one) => [one.name, one]));
    this.#decide();
  }

  start(): void {
    this.#timer = setInterval(() => this.sweep(), this.#options.sweepMs);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  receive({ runtimeId, flavours }: RuntimeStatus): void {
    this.#runtimes.delete(runtimeId);
    if (flavours.length > 0)
      this.#runtimes.set(runtimeId, { flavours, seenMs: this.#options.clock.monotonicMs() });
    const [oldest] = this.#runtimes.keys();
    if (this.#runtimes.size > this.#options.maxRuntimes && oldest !== undefined)
      this.#runtimes.delete(oldest);
    this.#decide();
  }

  /** Forgets who has been silent for too long (I1). */
  sweep(): void {
    const untilMs = this.#options.clock.monotonicMs() - this.#options.silentMs;
    let forgot = false;
    for (const [runtimeId, { seenMs }] of this.#runtimes) {
      if (seenMs > untilMs) break;
      this.#runtimes.delete(runtimeId);
      forgot = true;
    }
    if (forgot) this.#decide();
  }

  /** @throws {AppError} language-unavailable, with what is missing */
  requireLanguage(flavour: string, language: Language): void {
    const reason = this.#refused.get(`${flavour} ${language}`);
    if (reason === undefined) return;
    throw new AppError(
      'language-unavailable',
      `The flavour "${flavour}" does not run ${language} now: ${reason}`,
      { retryAfterMs },
    );
  }

  stateOf(flavour: string): LiveFlavour {
    const live = this.#liveOf(flavour);
    const sum = (value: (one: RuntimeFlavour) => number) =>
      live.reduce((total, one) => total + value(one), 0);
    return {
      runtimes: live.length,
      slots: sum((one) => one.slots),
      running: sum((one) => one.running),
      isolation: [...new Set(live.map((one) => one.isolation))],
      languages: (this.#definitions.get(flavour)?.languages ?? []).map((language) => stateOf(language, live)),
    };
  }

  #liveOf(flavour: string): RuntimeFlavour[] {
    return [...this.#runtimes.values()].flatMap(({ flavours }) =>
      flavours.filter(({ name }) => name === flavour),
    );
  }

  #decide(): void {
    const refused = new Map<string, string>();
    for (const { name, languages } of this.#definitions.values()) {
      for (const language of allLanguages)
        if (!languages.includes(language))
          refused.set(`${name} ${language}`, `it is declared for ${languages.join(', ')} only`);
      const live = this.#liveOf(name);
      if (live.length === 0) continue; // I3
      for (const language of languages) {
        const { available, reason } = stateOf(language, live);
        if (!available) refused.set(`${name} ${language}`, reason ?? 'no live runtime has it');
      }
    }
    this.#refused = refused;
  }
}

function stateOf(language: Language, live: readonly RuntimeFlavour[]): LanguageState {
  const said = live.flatMap(({ languages }) => languages.filter((one) => one.language === language));
  if (said.some(({ available }) => available)) return { language, available: true, reason: undefined };
  const reasons = new Set(said.flatMap(({ reason }) => (reason === undefined ? [] : [reason])));
  const nobody = live.length === 0 ? 'no runtime of the flavour is live' : 'no live runtime has it';
  return { language, available: false, reason: reasons.size === 0 ? nobody : [...reasons].join('; ') };
}
