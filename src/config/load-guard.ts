// Keeps a config from starting itself while it is being loaded, and from ending caf unseen.
import { writeSync } from 'node:fs';
import { CafError } from '../domain/errors.ts';

/** Paths of the configs that are being loaded by this process and those that started it, one per line. */
const LOADING = 'CAF_LOADING';

const loading = (): readonly string[] => (process.env[LOADING] ?? '').split('\n').filter((path) => path !== '');

/** A config that runs caf, or itself, when it is loaded would do so in every child for ever. */
export function refuseToRecurse(path: string): void {
  if (!loading().includes(path)) return;
  throw new CafError('CAF_CONFIG_LOAD', `${path} starts itself while it is being loaded`, {
    hint: 'A config only describes calibrations: start no processes when it is imported.',
  });
}

/** Called when the package is imported: the module that was started is a config that is being loaded. */
export function refuseToBeStarted(): void {
  const started = process.argv[1];
  if (started !== undefined) refuseToRecurse(started);
}

/** Returns what to call when loading has ended, well or not. */
export function beginLoading(path: string): () => void {
  const before = process.env[LOADING];
  process.env[LOADING] = [...loading(), path].join('\n');
  const onExit = (code: number): void => {
    // 129, 130, 143: a signal ended caf, not the config.
    if (code > 128) return;
    writeSync(2, `✖ ${path} ended the process with exit code ${code} while it was being loaded  CAF_CONFIG_LOAD\n`);
    process.exitCode = 2;
  };
  process.once('exit', onExit);
  return () => {
    process.off('exit', onExit);
    if (before === undefined) delete process.env[LOADING];
    else process.env[LOADING] = before;
  };
}
