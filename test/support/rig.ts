// Starts the real caf in temporary directories and watches what it and its jobs do from outside.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { main } from '../../src/cli/main.ts';
import { openJournalForReading } from '../../src/database/journal-reader.ts';
import type { JournalReads } from '../../src/database/journal-records.ts';
import type { StatusDocument } from '../../src/report/status-model.ts';
import { createTestIo } from './io.ts';

export const ROOT = join(import.meta.dirname, '../..');
const PROGRAM = join(ROOT, 'bin/caf.js');

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Caf {
  readonly pid: number;
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  signal(signal: NodeJS.Signals): void;
  /** Resolves when standard error holds this text; rejects when caf ends without it. */
  says(text: string): Promise<void>;
  /** The reader of its standard error goes away. */
  closeStderr(): void;
}

export interface Rig {
  readonly directory: string;
  /** The default results directory of the config. */
  readonly results: string;
  write(name: string, text: string): void;
  start(args: readonly string[], env?: Readonly<Record<string, string>>): Caf;
  /** Starts it and waits for its end. */
  run(args: readonly string[], env?: Readonly<Record<string, string>>): Promise<Ended>;
  /** A named pipe: whoever reads a byte from it waits until `open` is called. */
  gate(name: string): { readonly path: string; open(): void };
  /** The lines that jobs and executions have appended to the file `effects`. */
  effects(): readonly string[];
  /** Ends all processes that wrote their pid to the file `pids`, and removes the directory. */
  remove(): void;
}

/** A directory with a caf.config.ts in it. */
export function createRig(config: string): Rig {
  const directory = realpathSync(mkdtempSync(join(tmpdir(), 'caf-')));
  const gates: number[] = [];
  const cafs: ChildProcess[] = [];
  const write = (name: string, text: string) => {
    mkdirSync(dirname(join(directory, name)), { recursive: true });
    writeFileSync(join(directory, name), text);
  };
  write('caf.config.ts', config);
  const start = (args: readonly string[], env: Readonly<Record<string, string>> = {}): Caf => {
    const caf = startCaf(args, { cwd: directory, env });
    cafs.push(caf.child);
    return caf;
  };
  return {
    directory,
    results: join(directory, 'calibration_results'),
    write,
    start,
    run: (args, env) => start(args, env).ended,
    gate(name) {
      const path = join(directory, name);
      const made = spawnSync('mkfifo', [path]);
      if (made.status !== 0) throw new Error(String(made.stderr));
      return {
        path,
        open() {
          const fd = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
          gates.push(fd);
          writeSync(fd, 'open'.repeat(100));
        },
      };
    },
    effects: () => linesOf(join(directory, 'effects')),
    remove() {
      for (const caf of cafs) if (caf.exitCode === null && caf.signalCode === null) caf.kill('SIGKILL');
      for (const pid of linesOf(join(directory, 'pids')).map(Number)) killIfOurs(pid, directory);
      for (const fd of gates) closeSync(fd);
      rmSync(directory, { recursive: true, force: true, maxRetries: 3 });
    },
  };
}

/** A pid that has gone to somebody else since is left alone: the rig's processes work below its directory. */
function killIfOurs(pid: number, directory: string): void {
  const cwd = spawnSync('readlink', [`/proc/${pid}/cwd`], { encoding: 'utf8' }).stdout;
  if (cwd.startsWith(directory)) process.kill(pid, 'SIGKILL');
}

export function startCaf(
  args: readonly string[],
  { cwd = ROOT, env = {} }: { readonly cwd?: string; readonly env?: Readonly<Record<string, string>> } = {},
): Caf {
  const { CAF_CRASH_AFTER: _, ...inherited } = process.env;
  const child = spawn(process.execPath, [PROGRAM, ...args], {
    cwd,
    env: { ...inherited, NO_COLOR: '1', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  // A job that outlives caf holds no end of these pipes: they close with caf.
  const ended = once(child, 'close').then(([code, signal]): Ended => ({ code, signal, stdout, stderr }));
  return {
    pid: child.pid ?? 0,
    child,
    ended,
    signal: (signal) => void child.kill(signal),
    says: (text) =>
      new Promise((resolve, reject) => {
        const look = () => {
          if (stderr.includes(text)) resolve();
        };
        look();
        child.stderr.on('data', look);
        child.once('close', () => reject(new Error(`caf ended without saying "${text}":\n${stderr}`)));
      }),
    closeStderr: () => void child.stderr.destroy(),
  };
}

export const linesOf = (path: string): readonly string[] =>
  existsSync(path)
    ? readFileSync(path, 'utf8')
        .split('\n')
        .filter((line) => line !== '')
    : [];

/** For facts outside of this process for which there is no event: a file of a job, the end of a process that is nobody's child here. */
export async function until<T>(what: string, fact: () => T | null | undefined | false, timeoutMs = 30_000): Promise<T> {
  const giveUpAt = performance.now() + timeoutMs;
  for (;;) {
    const found = fact();
    if (found !== null && found !== undefined && found !== false) return found;
    if (performance.now() > giveUpAt) throw new Error(`${what}: not within ${timeoutMs / 1000} s`);
    await delay(10);
  }
}

/** It is not there, or only waits to be collected by whoever inherited it. */
export function isGone(pid: number): boolean {
  try {
    return /\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return true;
  }
}

/** Asks a command that only reads, in this process: no start-up to pay for. Throws unless it ends well. */
export async function ask(...argv: readonly string[]): Promise<string> {
  const io = createTestIo({ cwd: ROOT });
  await main(argv, io);
  if ((io.exitCode ?? 0) !== 0) throw new Error(`caf ${argv.join(' ')} ended with ${io.exitCode}:\n${io.stderr.text}`);
  return io.stdout.text;
}

export const statusOf = async (results: string): Promise<StatusDocument> =>
  JSON.parse(await ask('status', results, '--json')) as StatusDocument;

export function readJournal<T>(results: string, read: (journal: JournalReads) => T): T {
  const reader = openJournalForReading(results);
  try {
    if (reader.journal === null) throw new Error('the journal cannot be read');
    return read(reader.journal);
  } finally {
    reader.close();
  }
}

/** Path below the results directory -> viewId, for every database of a campaign that stands under its own name. */
export async function viewIdsOf(results: string): Promise<Readonly<Record<string, string>>> {
  const found: Record<string, string> = {};
  for (const path of databasesOf(results)) {
    const shown = JSON.parse(await ask('db', 'show', join(results, path), '--json')) as { readonly viewId: string };
    found[path] = shown.viewId;
  }
  return found;
}

const directoriesIn = (path: string): readonly string[] =>
  readdirSync(path, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
    .sort();

function databasesOf(results: string): readonly string[] {
  return directoriesIn(results)
    .filter((name) => name !== 'objects')
    .flatMap((calibration) =>
      directoriesIn(join(results, calibration)).flatMap((name) => {
        if (name === 'localdb') return [`${calibration}/localdb`];
        return /^\d+$/.test(name) && existsSync(join(results, calibration, name, 'localdb')) ? [`${calibration}/${name}/localdb`] : [];
      }),
    );
}

/** What must be the same however often caf was killed: states, executions and results; without times, reasons and version ids. */
export async function outcomeOf(results: string): Promise<unknown> {
  const { state, calibrations } = await statusOf(results);
  return {
    state,
    calibrations: calibrations.map(({ name, state, checkpoint, iteration, converged, jobs, iterations, localdb, payloads, error }) => ({
      ...{ name, state, checkpoint, iteration, converged, localdb, payloads, error },
      jobs: { total: jobs.total, succeeded: jobs.succeeded, failed: jobs.failed, running: jobs.running, queued: jobs.queued },
      iterations: iterations.map(({ iteration, outcome, algorithms }) => ({
        iteration,
        outcome,
        algorithms: algorithms.map(({ executions, ...rest }) => ({
          ...rest,
          executions: executions.map(({ runs, iov, result }) => ({ runs, iov, result })),
        })),
      })),
    })),
  };
}
