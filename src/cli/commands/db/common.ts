// What the commands of `caf db` share: options, arguments, and how an answer is given.
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { Option } from 'commander';
import { CafError } from '../../../domain/errors.ts';
import { checkRun, type Run } from '../../../domain/iov.ts';
import { shortPath } from '../../../report/error-text.ts';
import { styleFor } from '../../../report/style.ts';
import type { Io } from '../../io.ts';
import { repeated, wholeNumber } from '../../option-values.ts';
import { findResults } from '../../results.ts';
import type { DrawContext } from '../db-text.ts';

export interface Json {
  readonly json?: boolean;
}

export const json = () => new Option('--json', 'one document for machines');
export const into = () => new Option('--into <dir>', 'the directory to make (not needed for --dry-run)');

/** CAF_USAGE without one. `what`: `The database`. */
export function intoOf(directory: string | undefined, what: string): string {
  if (directory !== undefined) return directory;
  throw new CafError('CAF_USAGE', `${what} needs a directory`, { hint: 'Add: --into DIR; or only look with --dry-run' });
}
/** Manual changes say why: who reads the history in a year will want to know. */
export const note = () => new Option('-n, --note <text>', 'why; kept in the history');
export const pathHelp = 'directory of a local database';
export const chainHelp = 'a chain.lock.json, or a database';
export const below = () => new Option('--below <path>', 'a further database of lower priority; can be repeated').argParser(repeated);

/** The document for machines, or lines for people. */
export function answer(io: Io, options: Json, document: unknown, draw: (context: DrawContext) => readonly string[]): void {
  if (options.json === true) io.stdout.write(`${JSON.stringify(document)}\n`);
  else {
    const lines = draw({ style: styleFor(io.stdout, io.env), short: (path) => shortPath(path, io.cwd) });
    io.stdout.write(lines.map((line) => `${line}\n`).join(''));
  }
}

/**
 * The database a person means: a path, `results@name`, or the name of a tag or branch (or the first digits of a version) of the
 * results directory here. A path that exists comes first.
 */
export async function databaseAt(io: Io, text: string): Promise<string> {
  const path = at(io, text);
  if (existsSync(path) || /[/#]/.test(text)) return path;
  const name = text.startsWith('@') ? text.slice(1) : text;
  if (name.includes('@')) return path;
  try {
    return `${await findResults(undefined, io)}@${name}`;
  } catch (error) {
    if (error instanceof CafError && error.code === 'CAF_RESULTS_NOT_FOUND') return path;
    throw error;
  }
}

/** The chain that a person means: a lock file or a database, with the further ones of `--below` under it. `withChain`: also the one it was made on. */
export async function chainNamed(io: Io, path: string, below: readonly string[] = [], withChain = false) {
  const { chainAt } = await import('../../../database/explain.ts');
  const under = await Promise.all(below.map((one) => databaseAt(io, one)));
  return chainAt(await databaseAt(io, path), under, withChain);
}

/** `--run 1 2` or `--run 1,2` */
export function runArgument(text: string, before: readonly number[] = []): readonly number[] {
  return [...before, ...text.split(',').map(wholeNumber)];
}

/** Two numbers collected by runArgument. CAF_USAGE for another count, CAF_IOV_* for what is no run. */
export function runOf(numbers: readonly number[], option: string): Run {
  if (numbers.length === 2) return checkRun(numbers);
  throw new CafError('CAF_USAGE', `${option} takes an experiment and a run, found ${numbers.length} numbers`, {
    hint: `Write for instance: ${option} 7 12`,
  });
}

export const dryRun = () => new Option('--dry-run', 'only say what would be done');

export const at = (io: Io, path: string): string => resolve(io.cwd, path);
