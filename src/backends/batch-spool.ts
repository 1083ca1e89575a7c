// Array jobs on disk: what is written before one is submitted, what its tasks and the engine's commands leave there, and how it is found after a crash.
import { existsSync, mkdirSync, readdirSync, readFileSync, realpathSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { processesWritingTo } from '../host/find-process.ts';
import { ownIdentity } from '../host/process-identity.ts';
import { createLineReader } from '../host/read-appended.ts';
import { removeLinkedLog } from './log-place.ts';

/** array.json: written before the engine hears of it. */
export interface ArrayFile {
  readonly v: 1;
  readonly engine: string;
  /** What the engine knows it by. */
  readonly name: string;
  readonly host: string;
  readonly bootId: string;
  /** Tokens of its attempts, by the number of the task. */
  readonly attempts: readonly string[];
}

export interface SpooledArray {
  readonly directory: string;
  readonly file: ArrayFile;
}

const ARRAY_FILE = 'array.json';
const ANSWER_FILE = 'answer';

export const pathsOf = (directory: string) => ({
  script: join(directory, 'script'),
  description: join(directory, 'description'),
  log: join(directory, 'log'),
  /** What the submit command prints: by itself, so that an id is there even when caf was killed meanwhile. */
  answer: join(directory, ANSWER_FILE),
  void: join(directory, 'void'),
  ended: join(directory, 'ended'),
});

export interface ArrayTexts {
  readonly script: string;
  readonly tasks: string;
  readonly description: string | null;
}

/** Everything the tasks need is there when array.json is. */
export function writeArray(directory: string, file: Omit<ArrayFile, 'host' | 'bootId' | 'v'>, texts: ArrayTexts): SpooledArray {
  const { host, bootId } = ownIdentity();
  const whole: ArrayFile = { v: 1, ...file, host, bootId };
  const paths = pathsOf(directory);
  mkdirSync(directory, { recursive: true });
  writeFileSync(paths.script, texts.script, { mode: 0o755 });
  // Arguments and environments may hold what others should not read.
  writeFileSync(join(directory, 'tasks'), texts.tasks, { mode: 0o600 });
  if (texts.description !== null) writeFileSync(paths.description, texts.description);
  writeFileSync(join(directory, ARRAY_FILE), JSON.stringify(whole));
  return { directory, file: whole };
}

/** What has to be on the disk for an array to be found again, directories last. */
export const filesOf = (directory: string): readonly string[] => [
  ...readdirSync(directory).map((name) => join(directory, name)),
  directory,
  dirname(directory),
];

/** All arrays of this engine that are on disk. */
export function readArrays(spool: string, engine: string): readonly SpooledArray[] {
  let names: readonly string[];
  try {
    names = readdirSync(spool);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
  return names.flatMap((name) => {
    const directory = join(spool, name);
    const path = join(directory, ARRAY_FILE);
    // Without it caf was killed while it wrote the files: nothing was submitted.
    if (!existsSync(path)) return [];
    const file = parsed(readFileSync(path, 'utf8'));
    return file?.engine === engine ? [{ directory, file }] : [];
  });
}

function parsed(text: string): ArrayFile | null {
  try {
    return JSON.parse(text) as ArrayFile;
  } catch {
    // Half-written, by a caf that was killed meanwhile.
    return null;
  }
}

/** How far the submission of an array came, as its files tell. */
export type Trace =
  /** The engine's command was never started. */
  | { readonly was: 'not-submitted' }
  /** `answer`: what it printed. */
  | { readonly was: 'answered'; readonly answer: string }
  /** It was started and printed nothing. `isAtWork`: it may still come to it. */
  | { readonly was: 'open'; readonly isAtWork: boolean; readonly ageMs: number };

export function traceOf({ directory, file }: SpooledArray): Trace {
  const { answer } = pathsOf(directory);
  const stat = statSync(answer, { throwIfNoEntry: false });
  if (stat === undefined) return { was: 'not-submitted' };
  const text = readFileSync(answer, 'utf8');
  if (text.trim() !== '') return { was: 'answered', answer: text };
  const { host, bootId } = ownIdentity();
  const isHere = file.host === host && file.bootId === bootId;
  // Of another machine nothing is known but the time; clocks may differ, so a time in the future counts as now.
  return {
    was: 'open',
    isAtWork: !isHere || processesWritingTo(realpathSync(answer)).length > 0,
    ageMs: Math.max(0, Date.now() - stat.mtimeMs),
  };
}

/** From now on, tasks of this array that still begin do nothing. */
export const declareVoid = (directory: string): void => writeFileSync(pathsOf(directory).void, '');

export const isVoid = (directory: string): boolean => existsSync(pathsOf(directory).void);

export function removeArray(directory: string): void {
  removeLinkedLog(pathsOf(directory).log);
  try {
    rmSync(directory, { recursive: true, force: true, maxRetries: 2 });
  } catch (error) {
    // A task that writes its last line meanwhile: the directory is removed with the next one that ends, or stays, which harms nobody.
    if ((error as NodeJS.ErrnoException).code !== 'ENOTEMPTY') throw error;
  }
}

/** All arrays, when none of them is needed any more. */
export function removeSpool(spool: string): void {
  for (const name of existsSync(spool) ? readdirSync(spool) : []) removeArray(join(spool, name));
  rmSync(spool, { recursive: true, force: true });
}

/** Gives the numbers of the tasks that have written down their end since the last call. */
export function createHintReader(directory: string): () => readonly number[] {
  const next = createLineReader(pathsOf(directory).ended);
  return () =>
    next()
      .filter((line) => /^\d+$/.test(line))
      .map(Number);
}
