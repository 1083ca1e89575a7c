// A place for one story about the real caf: a directory with a config, files, a log of what ran, and small disks that can fill up.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, watch, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

const CAF = join(import.meta.dirname, '../../bin/caf.js');

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Put before caf, for instance ['prlimit', '--fsize=1000']. */
  readonly through?: readonly string[];
  /** Arguments for the Node that runs caf, not for its children. */
  readonly node?: readonly string[];
}

export interface Running {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
}

export interface Scene {
  readonly directory: string;
  /** The default results directory, unless it was given another place. */
  readonly results: string;
  /** Writes a file below the directory; returns its absolute path. */
  write(path: string, content: string | Uint8Array): string;
  read(path: string): string;
  /** Writes caf.config.ts: the imports, `note` and `die`, then this text. */
  config(body: string): void;
  /** The lines that `note(...)` wrote from inside configs and programs: what ran, how often. */
  notes(): readonly string[];
  caf(args: readonly string[], options?: RunOptions): Promise<Ended>;
  start(args: readonly string[], options?: RunOptions): Running;
  /** Waits for a line of `note`; rejects when caf ends before. */
  noted(line: string, running: Running): Promise<void>;
  /** A file system of its own below the directory: `options` as of mount(8), for instance `size=1m`. */
  mountDisk(path: string, options: string): Disk;
  /** Ends mounts and removes everything. */
  close(): void;
}

export interface Disk {
  readonly path: string;
  /** Nothing below can be opened for writing any more, as when a server exports it read-only; files that are open stay so. Returns the undoing. */
  makeReadOnly(): () => void;
  remount(options: string): void;
}

const HEADER = `
import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
import { command, defineCalibration, defineConfig, definePayload, local, sequentialRunByRun, simpleRunByRun, singleIov } from 'calibration-framework';
const note = (text: string) => appendFileSync(join(import.meta.dirname, 'notes'), text + '\\n');
`;

export function createScene(): Scene {
  const directory = mkdtempSync(join(tmpdir(), 'caf-faults-'));
  const mounts: string[] = [];
  const alive = new Set<ChildProcess>();
  const at = (path: string) => join(directory, path);

  const notes = () =>
    existsSync(at('notes'))
      ? readFileSync(at('notes'), 'utf8')
          .trimEnd()
          .split('\n')
          .filter((line) => line !== '')
      : [];

  const start = (args: readonly string[], { cwd = directory, env = {}, through = [], node = [] }: RunOptions = {}): Running => {
    const [file = '', ...rest] = [...through, process.execPath, ...node, CAF, ...args];
    const { CAF_DATA: _, FORCE_COLOR: __, ...inherited } = process.env;
    const child = spawn(file, rest, { cwd, env: { ...inherited, NO_COLOR: '1', ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
    alive.add(child);
    let stdout = '';
    let stderr = '';
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    const ended = new Promise<Ended>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code, signal) => {
        alive.delete(child);
        resolve({ code, signal, stdout, stderr });
      });
    });
    return { child, ended };
  };

  return {
    directory,
    results: at('calibration_results'),
    write(path, content) {
      mkdirSync(dirname(at(path)), { recursive: true });
      writeFileSync(at(path), content);
      return at(path);
    },
    read: (path) => readFileSync(at(path), 'utf8'),
    config: (body) => writeFileSync(at('caf.config.ts'), HEADER + body),
    notes,
    start,
    caf: (args, options) => start(args, options).ended,
    async noted(line, { ended }) {
      const gone = ended.then(({ code, stdout, stderr }) => {
        if (notes().includes(line)) return;
        throw new Error(`caf ended with ${code} before it noted '${line}'\n${stdout}${stderr}`);
      });
      const seen = Promise.withResolvers<void>();
      const look = () => {
        if (notes().includes(line)) seen.resolve();
      };
      const watcher = watch(directory, look);
      look();
      try {
        await Promise.race([seen.promise, gone]);
      } finally {
        watcher.close();
      }
    },
    mountDisk(path, options) {
      mkdirSync(at(path), { recursive: true });
      mount(['-t', 'tmpfs', '-o', options, 'tmpfs', at(path)]);
      mounts.push(at(path));
      const makeReadOnly = () => {
        mount(['--bind', at(path), at(path)]);
        mount(['-o', 'remount,bind,ro', at(path)]);
        mounts.push(at(path));
        return () => {
          spawnSync('umount', [at(path)]);
          mounts.pop();
        };
      };
      return { path: at(path), makeReadOnly, remount: (again) => mount(['-o', `remount,${again}`, at(path)]) };
    },
    close() {
      for (const child of alive) child.kill('SIGKILL');
      for (const path of mounts.reverse()) spawnSync('umount', ['-l', path]);
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

function mount(args: readonly string[]): void {
  const { status, stderr } = spawnSync('mount', args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`mount ${args.join(' ')}: ${stderr}`);
}

let mountable: boolean | null = null;

/** Whether this machine lets the tests mount a small disk; without it they are skipped with this sentence in their title. */
export function canMount(): boolean {
  if (mountable === null) {
    const probe = mkdtempSync(join(tmpdir(), 'caf-mount-'));
    mountable = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', probe]).status === 0;
    if (mountable) spawnSync('umount', [probe]);
    rmSync(probe, { recursive: true, force: true });
  }
  return mountable;
}

/** How often each line was noted. */
export const countsOf = (lines: readonly string[]): Readonly<Record<string, number>> =>
  Object.fromEntries([...Map.groupBy(lines, (line) => line)].map(([line, all]) => [line, all.length]).sort());

/** view id of each database that was published, by its path below the results directory. */
export function viewIds(results: string): Readonly<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const path of filesBelow(results)) {
    if (!/\/localdb\/VERSION$/.test(path)) continue;
    found[dirname(path)] = /^view_id (\w+)$/m.exec(readFileSync(join(results, path), 'utf8'))?.[1] ?? 'none';
  }
  return found;
}

/** All files below a directory, relative, sorted. */
export const filesBelow = (directory: string): readonly string[] =>
  readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(directory.length + 1))
    .sort();

/** Permission bits, as in `0600`. */
export const modeOf = (path: string): string => (statSync(path).mode & 0o777).toString(8).padStart(4, '0');
