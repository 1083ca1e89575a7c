// A project of a user in a temporary directory: its files, the real caf in it, and what is on disk afterwards.
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { StatusDocument } from '../../src/report/status-model.ts';

export const CAF = join(import.meta.dirname, '../../bin/caf.js');

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Project {
  readonly directory: string;
  /** The default results directory. */
  readonly results: string;
  write(path: string, text: string): void;
  read(path: string): string;
  /** Replaces a text that occurs exactly once. */
  edit(path: string, from: string, to: string): void;
  has(path: string): boolean;
  /** Starts caf in the project; `env` is added to the surroundings. */
  start(args: readonly string[], env?: Readonly<Record<string, string>>): { readonly child: ChildProcess; readonly ended: Promise<Ended> };
  caf(args: readonly string[], env?: Readonly<Record<string, string>>): Promise<Ended>;
  /** As caf, but throws with all that was said unless it ended with 0. Returns standard output. */
  ask(args: readonly string[], env?: Readonly<Record<string, string>>): Promise<string>;
  status(): Promise<StatusDocument>;
  /** Lines that jobs appended to `notes` in the project: what ran, and what it saw. */
  notes(): readonly string[];
  forgetNotes(): void;
  remove(): void;
}

/** The start of every config here: the front door, and `note` for telling from inside jobs. */
export const HEADER = `import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { command, defineCalibration, defineConfig, definePayload, local, sequentialBoundaries, sequentialRunByRun, simpleRunByRun, singleIov } from 'calibration-framework';
import * as z from 'zod';
const note = (text: string) => appendFileSync(join(import.meta.dirname, 'notes'), text + '\\n');
`;

export function createProject(files: Readonly<Record<string, string>> = {}): Project {
  const directory = realpathSync(mkdtempSync(join(tmpdir(), 'caf-')));
  const at = (path: string) => join(directory, path);
  const alive = new Set<ChildProcess>();
  const start: Project['start'] = (args, env = {}) => {
    const { CAF_DATA: _, FORCE_COLOR: __, ...inherited } = process.env;
    const child = spawn(process.execPath, [CAF, ...args], {
      cwd: directory,
      env: { ...inherited, NO_COLOR: '1', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    alive.add(child);
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    const ended = new Promise<Ended>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code) => {
        alive.delete(child);
        resolve({ code, stdout, stderr });
      });
    });
    return { child, ended };
  };
  const project: Project = {
    directory,
    results: at('calibration_results'),
    write(path, text) {
      mkdirSync(dirname(at(path)), { recursive: true });
      writeFileSync(at(path), text);
    },
    read: (path) => readFileSync(at(path), 'utf8'),
    edit(path, from, to) {
      const text = project.read(path);
      if (text.split(from).length !== 2) throw new Error(`${path} does not hold ${from} exactly once`);
      project.write(
        path,
        text.replace(from, () => to),
      );
    },
    has: (path) => existsSync(at(path)),
    start,
    caf: (args, env) => start(args, env).ended,
    async ask(args, env) {
      const { code, stdout, stderr } = await start(args, env).ended;
      if (code !== 0) throw new Error(`caf ${args.join(' ')} ended with ${code}\n${stdout}${stderr}`);
      return stdout;
    },
    status: async () => JSON.parse(await project.ask(['status', '--json'])) as StatusDocument,
    notes: () => (existsSync(at('notes')) ? project.read('notes').split('\n').slice(0, -1) : []),
    forgetNotes: () => rmSync(at('notes'), { force: true }),
    remove() {
      for (const child of alive) child.kill('SIGKILL');
      rmSync(directory, { recursive: true, force: true });
    },
  };
  for (const [path, text] of Object.entries(files)) project.write(path, text);
  return project;
}

/** Everything below a directory, relative and sorted; directories end with a slash. */
export const treeOf = (directory: string): readonly string[] =>
  readdirSync(directory, { recursive: true, withFileTypes: true })
    .map((entry) => `${join(entry.parentPath, entry.name).slice(directory.length + 1)}${entry.isDirectory() ? '/' : ''}`)
    .sort();

/** The same with sizes and times of modification: equal only if nothing was written. */
export const stampsOf = (directory: string): Readonly<Record<string, string>> =>
  Object.fromEntries(
    ['', ...treeOf(directory)].map((path) => {
      const { mtimeNs, size } = statSync(join(directory, path), { bigint: true });
      return [path, `${size} ${mtimeNs}`];
    }),
  );
