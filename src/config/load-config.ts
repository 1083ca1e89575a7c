// Loads a config file in this process: natively (Node strips the types), within a time limit, with errors a user can act on.
import { realpathSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename } from 'node:path';
import { pathToFileURL } from 'node:url';
import { types } from 'node:util';
import { runInThisContext } from 'node:vm';
import { CafError } from '../domain/errors.ts';
import { formatDuration } from '../domain/quantity.ts';
import { DEFINED_AT } from './call-site.ts';
import { show } from './check/problems.ts';
import { isTable } from './check/readers.ts';
import { CONFIG } from './define.ts';
import { loadError } from './load-error.ts';
import { beginLoading, refuseToRecurse } from './load-guard.ts';
import { modulesOf, onImport, registerResolver } from './resolver.ts';
import { createWatchdog } from './watchdog.ts';

export { registerResolver } from './resolver.ts';

export interface LoadedConfig {
  /** The default export, to be checked. */
  readonly raw: unknown;
  /** Absolute. */
  readonly path: string;
  /** Absolute paths of the config and the local files it imports, in that order. */
  readonly modules: readonly string[];
}

export interface LoadOptions {
  /** Default: CAF_CONFIG_TIMEOUT_MS, else 30,000. */
  readonly timeoutMs?: number;
}

const DEFAULT_TIMEOUT_MS = 30_000;
const require = createRequire(import.meta.url);

/** Throws CafError: CAF_CONFIG_LOAD, CAF_CONFIG_EXPORT. A config that blocks the process in a system call ends it, with code 2. */
export async function loadConfig(path: string, options: LoadOptions = {}): Promise<LoadedConfig> {
  refuseToRecurse(path);
  registerResolver();
  const timeoutMs = options.timeoutMs ?? timeLimit(process.env.CAF_CONFIG_TIMEOUT_MS);
  const endLoading = beginLoading(path);
  try {
    const raw = defaultExport(await evaluate(path, timeoutMs), path);
    return { raw, path, modules: modulesOf(pathToFileURL(realpathSync(path)).href) };
  } finally {
    endLoading();
  }
}

const timeLimit = (text: string | undefined): number => {
  const given = Number(text);
  return Number.isSafeInteger(given) && given > 0 && given < 2 ** 31 ? given : DEFAULT_TIMEOUT_MS;
};

const tooSlow = (path: string, timeoutMs: number): CafError =>
  new CafError('CAF_CONFIG_LOAD', `${path} is still loading after ${formatDuration(timeoutMs)}`, {
    hint: 'A config only describes calibrations: leave work to collect and run. CAF_CONFIG_TIMEOUT_MS sets another limit.',
  });

/**
 * require() loads a module graph synchronously, so that the time limit of node:vm, a native timer that costs nothing, can end even a busy loop.
 * Only what this cannot end needs a thread (25 ms of another core): top-level await, and programs the config waits for.
 */
async function evaluate(path: string, timeoutMs: number): Promise<unknown> {
  const watchdog = createWatchdog(tooSlow(path, timeoutMs), timeoutMs);
  const stopListening = onImport((specifier) => {
    if (/^(?:node:)?child_process$/.test(specifier)) watchdog.arm();
  });
  try {
    const outcome = requireWithin(path, timeoutMs);
    if (!('error' in outcome)) return outcome.module;
    const code: unknown = isTable(outcome.error) ? outcome.error.code : undefined;
    if (code === 'ERR_SCRIPT_EXECUTION_TIMEOUT') throw tooSlow(path, timeoutMs);
    if (code !== 'ERR_REQUIRE_ASYNC_MODULE') throw loadError(outcome.error, path);
    watchdog.arm();
    return await importWithin(path, timeoutMs);
  } finally {
    stopListening();
    watchdog.disarm();
  }
}

type Outcome = { readonly module: unknown } | { readonly error: unknown };

const LOAD = Symbol.for('calibration-framework.load');

function requireWithin(path: string, timeout: number): Outcome {
  const shared = globalThis as { [LOAD]?: () => Outcome };
  shared[LOAD] = () => {
    try {
      return { module: require(path) };
    } catch (error) {
      // Of a syntax error in JavaScript only node:vm tells the line: it adds it to the stack of what it sees thrown.
      if (error instanceof SyntaxError && !('code' in error)) throw error;
      return { error };
    }
  };
  try {
    return runInThisContext("globalThis[Symbol.for('calibration-framework.load')]()", { timeout }) as Outcome;
  } catch (error) {
    return { error };
  } finally {
    delete shared[LOAD];
  }
}

async function importWithin(path: string, timeoutMs: number): Promise<unknown> {
  const { promise: stuck, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(tooSlow(path, timeoutMs)), timeoutMs).unref();
  // Nothing left to do and the module not loaded: its await waits for what cannot happen.
  const onEmpty = () => {
    reject(
      new CafError('CAF_CONFIG_LOAD', `${path} waits for something that never happens`, {
        hint: 'Look at its top-level await: that promise is never settled.',
      }),
    );
  };
  process.once('beforeExit', onEmpty);
  try {
    return await Promise.race([import(pathToFileURL(path).href), stuck]);
  } catch (error) {
    throw error instanceof CafError ? error : loadError(error, path);
  } finally {
    clearTimeout(timer);
    process.off('beforeExit', onEmpty);
  }
}

const WRAP = 'Write: export default defineConfig({ calibrations: [...] });';

/** A config written without defineConfig is as good, if it looks like one. */
function defaultExport(module: unknown, path: string): unknown {
  const name = basename(path);
  const isNamespace = types.isModuleNamespaceObject(module);
  // A file without import and export counts as CommonJS, whose exports are an empty object.
  const exported = !isNamespace && isTable(module) && Object.keys(module).length === 0 ? undefined : module;
  const raw = isNamespace ? (module as { readonly default?: unknown }).default : exported;
  if (isTable(raw) && (Object.hasOwn(raw, CONFIG) || Object.hasOwn(raw, 'calibrations'))) return raw;
  const names = isTable(module) ? Object.keys(module).filter((each) => each !== '__esModule' && each !== 'default') : [];
  if (raw === undefined) {
    const others =
      names.length === 0 ? 'it exports nothing' : `it exports ${names.slice(0, 5).join(', ')}${names.length > 5 ? ', ...' : ''}`;
    throw new CafError('CAF_CONFIG_EXPORT', `${name} has no default export: ${others}`, { hint: WRAP });
  }
  const found = isTable(raw) && Object.hasOwn(raw, DEFINED_AT) ? `the calibration ${show(raw.name)}` : show(raw);
  throw new CafError('CAF_CONFIG_EXPORT', `The default export of ${name} is ${found}, not a config`, { hint: WRAP });
}
