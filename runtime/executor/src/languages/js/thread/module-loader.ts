import * as buffer from 'node:buffer';
import { Buffer } from 'node:buffer';
import * as crypto from 'node:crypto';
import * as url from 'node:url';
import * as util from 'node:util';
import { type Module, SourceTextModule, SyntheticModule } from 'node:vm';
import { RuleError, rules } from './rules.js';

/** How a function's file is called in its stack traces. */
export const functionFileName = 'function.js';

type Exports = Readonly<Record<string, unknown>>;

const pick = (from: object, keys: readonly string[]): Exports =>
  Object.fromEntries(
    keys.filter((key) => key in from).map((key) => [key, Reflect.get(from, key) as unknown]),
  );

const omit = (from: object, keys: readonly string[]): Exports =>
  pick(
    from,
    Object.keys(from).filter((key) => key !== 'default' && !keys.includes(key)),
  );

/** What a function may import. Members that write to the process's own streams or load engines are left out. */
function allowedBuiltins(): ReadonlyMap<string, Exports> {
  const hashing = [
    'createHash',
    'createHmac',
    'hash',
    'getHashes',
    'timingSafeEqual',
    'randomUUID',
    'randomBytes',
    'randomInt',
  ];
  return new Map<string, Exports>([
    ['url', omit(url, [])],
    ['buffer', omit(buffer, ['resolveObjectURL'])],
    [
      'util',
      omit(util, ['debug', 'debuglog', 'deprecate', 'log', 'parseEnv', 'getCallSite', 'getCallSites']),
    ],
    ['crypto', pick(crypto, hashing)],
  ]);
}

/**
 * Loads functions as ES modules whose only imports are the allowed built-ins, static and dynamic alike. The modules
 * do not pass through Node's own loader, so neither `data:` URLs nor files can be reached from them.
 */
export class ModuleLoader {
  readonly #builtins = allowedBuiltins();
  readonly #loaded = new Map<string, Module>();

  /** All that functions can import. */
  exports(): object[] {
    return [...this.#builtins.values()].flatMap((exports) =>
      Object.values(exports).filter(
        (value): value is object =>
          (typeof value === 'object' && value !== null) || typeof value === 'function',
      ),
    );
  }

  /** The module's default export. @throws whatever compiling or evaluating it throws; {@link RuleError} for imports */
  async load(code: Uint8Array): Promise<unknown> {
    const source = Buffer.from(code.buffer, code.byteOffset, code.byteLength).toString('utf8');
    const link = (specifier: string) => this.#resolve(specifier);
    const module = new SourceTextModule(source, {
      identifier: functionFileName,
      importModuleDynamically: async (specifier) => this.#evaluated(this.#resolve(specifier)),
    });
    await module.link(link);
    await module.evaluate();
    return Reflect.get(module.namespace, 'default');
  }

  async #evaluated(module: Module): Promise<Module> {
    if (module.status === 'unlinked') await module.link(() => module);
    if (module.status === 'linked') await module.evaluate();
    return module;
  }

  #resolve(specifier: string): Module {
    const name = specifier.startsWith('node:') ? specifier.slice('node:'.length) : specifier;
    const known = this.#loaded.get(name);
    if (known !== undefined) return known;
    const exports = this.#builtins.get(name);
    if (exports === undefined) throw new RuleError(`import of "${specifier.slice(0, 200)}"`, rules.imports);
    const whole = Object.freeze({ ...exports });
    const module = new SyntheticModule([...Object.keys(exports), 'default'], () => {
      for (const [key, value] of Object.entries(exports)) module.setExport(key, value);
      module.setExport('default', whole);
    });
    this.#loaded.set(name, module);
    return module;
  }
}
