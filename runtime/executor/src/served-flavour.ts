import type { CallLimits } from '@gantry/contracts/execution';
import {
  type FlavourDefinition,
  type FlavourLimits,
  type IsolationChoice,
  isolationChoices,
  type Language,
  leastMemoryMiB,
} from '@gantry/contracts/execution';
import type { ModuleHints } from './languages/language.js';
import type { RuntimeOptions } from './runtime-options.js';
import type { ProcessShape } from './sandbox/protocol.js';

/** A flavour as one runtime serves it: what its definition says, within what this machine allows. */
export interface ServedFlavour {
  readonly name: string;
  readonly languages: readonly Language[];
  readonly slots: number;
  readonly isolation: IsolationChoice;
  readonly limits: FlavourLimits;
  /** Added to the niceness of the supervisor. */
  readonly niceness: number;
}

/** What the definition's priority 10 is: as the platform itself. */
const highestPriority = 10;

/** The smaller one; 0 stands for no limit of this machine. */
const within = (limit: number, own: number): number => (own === 0 ? limit : Math.min(limit, own));

export function serveFlavour(definition: FlavourDefinition, options: RuntimeOptions): ServedFlavour {
  const { limits } = definition;
  return {
    name: definition.name,
    languages: definition.languages,
    slots: options.slots === 0 ? definition.slots : options.slots,
    isolation: stricterOf(definition.isolation, options.isolation),
    limits: {
      executionSeconds: limits.executionSeconds,
      memoryMiB: Math.max(leastMemoryMiB, within(limits.memoryMiB, options.memoryMiB)),
      scratchMiB: within(limits.scratchMiB, options.scratchMiB),
      resultBytes: within(limits.resultBytes, options.resultBytes),
      logBytes: within(limits.logBytes, options.logBytes),
    },
    niceness: highestPriority - definition.priority,
  };
}

/** `auto` gives way to any level. */
const stricterOf = (a: IsolationChoice, b: IsolationChoice): IsolationChoice =>
  isolationChoices[Math.max(isolationChoices.indexOf(a), isolationChoices.indexOf(b))] ?? 'auto';

/** What one call may use: what it asks for, within its flavour. */
export interface GrantedLimits {
  readonly shape: ProcessShape;
  readonly resultBytes: number;
  readonly logBytes: number;
  readonly runMs: number;
}

export function grantLimits(
  { limits }: ServedFlavour,
  asked: CallLimits | undefined,
  runMs: number,
): GrantedLimits {
  const least = (value: number | undefined, limit: number): number =>
    value === undefined ? limit : Math.min(limit, Math.max(0, value));
  return {
    shape: {
      memoryMiB: Math.max(leastMemoryMiB, least(asked?.memoryMiB, limits.memoryMiB)),
      scratchMiB: Math.max(1, least(asked?.scratchMiB, limits.scratchMiB)),
    },
    resultBytes: least(asked?.resultBytes, limits.resultBytes),
    logBytes: least(asked?.logBytes, limits.logBytes),
    runMs: Math.min(runMs, limits.executionSeconds * 1000),
  };
}

/**
 * Resident memory at which a process is killed. Half of it is what V8's own limit does not see (Buffers, code, what is
 * in transit), the rest the program itself; a full heap is then named by V8, which knows more about it.
 */
export const residentMiBOf = ({ memoryMiB }: ProcessShape, most: number): number =>
  within(256 + 2 * memoryMiB, most);

/**
 * Which flavours declare a module, over all definitions, also those that are not served here; and what `ownName`, the
 * flavour of the function, says about it.
 */
export function moduleHintsOf(definitions: readonly FlavourDefinition[], ownName: string): ModuleHints {
  const hints = new Map<string, { flavours: string[]; own?: { flavour: string; debian?: string } }>();
  for (const { name, packages } of definitions) {
    for (const { module, debian } of packages) {
      const hint = hints.get(module) ?? { flavours: [] };
      hints.set(module, hint);
      if (!hint.flavours.includes(name)) hint.flavours.push(name);
      if (name === ownName) hint.own = { flavour: name, ...(debian === undefined ? {} : { debian }) };
    }
  }
  return Object.fromEntries(hints);
}
