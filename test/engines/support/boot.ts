// Which engines there are, where they lie, whether they can be booted here, and their scripts.
import { execFile, spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync } from 'node:fs';
import { userInfo } from 'node:os';
import { delimiter, join } from 'node:path';

/** The script of an engine is NAME.sh, its commands lie in ENGINE_ROOT/`folder`/bin, its jobs must belong to `user`. */
export const ENGINES = {
  slurm: { folder: 'slurm', user: null },
  htcondor: { folder: 'condor', user: 'physicist' },
  gridengine: { folder: 'gridengine', user: null },
  podman: { folder: 'podman', user: null },
  apptainer: { folder: 'apptainer', user: null },
  charliecloud: { folder: 'charliecloud', user: null },
} as const;

export type EngineName = keyof typeof ENGINES;
export const ENGINE_NAMES = Object.keys(ENGINES) as readonly EngineName[];

export const ENGINE_ROOT = process.env.ENGINE_ROOT ?? '/var/lib/engines';
export const commandsOf = (name: EngineName): string => join(ENGINE_ROOT, ENGINES[name].folder, 'bin');

export interface Said {
  readonly stdout: string;
  readonly stderr: string;
  /** Null when a signal ended it. */
  readonly exitCode: number | null;
}

/** Null where an engine can be booted, otherwise why not. */
export function whyNot(): string | null {
  if (process.platform !== 'linux') return 'engines boot on Linux only';
  if (userInfo().uid !== 0) return 'booting an engine takes root';
  if (!isOnPath('apt-get')) return 'engines are booted from Debian packages: there is no apt-get';
  return null;
}

function isOnPath(program: string): boolean {
  return (process.env.PATH ?? '').split(delimiter).some((directory) => {
    try {
      accessSync(join(directory, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

const scriptOf = (name: EngineName): string => join(import.meta.dirname, '..', `${name}.sh`);

export const isRunning = (name: EngineName): boolean =>
  existsSync(commandsOf(name)) && spawnSync('bash', [scriptOf(name), 'status'], { stdio: 'ignore' }).status === 0;

/** Calls the script of an engine: `start`, `stop`, or a fault. A first start downloads packages. */
export async function control(name: EngineName, words: readonly string[]): Promise<void> {
  const { exitCode, stdout, stderr } = await say(['bash', scriptOf(name), ...words], { timeout: 900_000 });
  if (exitCode !== 0) throw new Error(`${name}.sh ${words.join(' ')} ended with ${exitCode}:\n${stdout}${stderr}`);
}

/** Runs a command; how it ended is part of the answer. */
export function say([program = '', ...args]: readonly string[], options: Parameters<typeof execFile>[2]): Promise<Said> {
  return new Promise((resolve, reject) => {
    const child = execFile(program, args, { ...options, encoding: 'utf8', maxBuffer: 64e6 }, (error, stdout, stderr) => {
      if (error !== null && child.exitCode === null && child.signalCode === null) reject(error);
      else resolve({ stdout, stderr, exitCode: child.exitCode });
    });
    child.stdin?.end();
  });
}
