// Readers of single values: each gives the value in its checked form, or reports a problem and gives undefined.

import type { AlgorithmsRunner } from '../../domain/algorithms-runner.ts';
import type { Command, UserFunction } from '../../domain/calibration.ts';
import { isCommand } from '../../domain/calibration.ts';
import { CafError } from '../../domain/errors.ts';
import type { Iov, Run } from '../../domain/iov.ts';
import { checkIov, checkRun } from '../../domain/iov.ts';
import { parseDuration, parseSize } from '../../domain/quantity.ts';
import { OBJECTS_DIRECTORY } from '../../domain/results-directory.ts';
import { index, option, type Place, type Problems, show } from './problems.ts';

export type Reader<T> = (value: unknown, place: Place, problems: Problems) => T | undefined;

/** An object of options that is being read. */
export interface Scope {
  readonly value: Readonly<Record<string, unknown>>;
  readonly place: Place;
  readonly problems: Problems;
}

/** An object with none but the known options. What it inherits does not count, so that no key can reach Object.prototype. */
export function readScope(value: unknown, known: ReadonlySet<string>, place: Place, problems: Problems, what: string): Scope | undefined {
  if (!isTable(value)) {
    problems.expected(place, what, value);
    return undefined;
  }
  for (const key of Object.keys(value)) {
    if (known.has(key)) continue;
    const advice = problems.didYouMean(key, known) || `; the options are ${[...known].join(', ')}`;
    problems.report(option(place, key), `there is no option ${show(key)}${advice}`);
  }
  return { value, place, problems };
}

export const isTable = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Undefined counts as not given. */
export function read<T, Fallback>(scope: Scope, name: string, reader: Reader<T>, fallback: Fallback): T | Fallback {
  const value = scope.value[name];
  if (value === undefined) return fallback;
  return reader(value, option(scope.place, name), scope.problems) ?? fallback;
}

/** As `read`, for options without a default. */
export const readRequired = <T>(scope: Scope, name: string, reader: Reader<T>): T | undefined =>
  reader(scope.value[name], option(scope.place, name), scope.problems);

/** A reader for what passes a test; `what` completes "expected ...". */
const when =
  <T>(what: string, test: (value: unknown) => value is T): Reader<T> =>
  (value, place, problems) => {
    if (test(value)) return value;
    problems.expected(place, what, value);
    return undefined;
  };

export const readBoolean = when('true or false', (value): value is boolean => typeof value === 'boolean');

export const readRunner = when(
  'an AlgorithmsRunner: an object with a function run',
  (value): value is AlgorithmsRunner => isTable(value) && typeof value.run === 'function',
);

export const readWhole = (what: string, least: number): Reader<number> =>
  when(`${what}, at least ${least}`, (value): value is number => Number.isSafeInteger(value) && (value as number) >= least);

export const readShare = when(
  'a share of the jobs above 0 and up to 1',
  (value): value is number => typeof value === 'number' && value > 0 && value <= 1,
);

export const readText =
  (what: string): Reader<string> =>
  (value, place, problems) => {
    if (typeof value !== 'string' || value.trim() === '') problems.expected(place, what, value);
    else if (value.includes('\0')) problems.report(place, 'a NUL byte cannot be passed on: remove it');
    else return value;
    return undefined;
  };

/** Text that may be empty, such as an argument or the value of a variable. */
export const readWord: Reader<string> = (value, place, problems) => {
  if (typeof value !== 'string') problems.expected(place, 'text', value);
  else if (value.includes('\0')) problems.report(place, 'a NUL byte cannot be passed on: remove it');
  else return value;
  return undefined;
};

export const readChoice = <const T extends string>(choices: readonly T[]): Reader<T> => {
  const what = choices.map((choice) => `'${choice}'`).join(' or ');
  return (value, place, problems) => {
    const found = choices.find((choice) => choice === value);
    if (found !== undefined) return found;
    const advice = typeof value === 'string' ? problems.didYouMean(value, choices) : '';
    problems.report(place, `expected ${what}, found ${show(value)}${advice}`);
    return undefined;
  };
};

const readQuantity =
  (what: string, parse: (text: string) => number | null): Reader<number> =>
  (value, place, problems) => {
    const parsed = typeof value === 'string' ? parse(value) : null;
    if (parsed !== null && parsed > 0) return parsed;
    problems.expected(place, what, value);
    return undefined;
  };

/** Bytes. */
export const readSize = readQuantity("a size such as '2 GB'", parseSize);
/** Milliseconds. */
export const readDuration = readQuantity("a time such as '1 h' or '90 s'", parseDuration);

export const readList =
  <T>(what: string, reader: Reader<T>): Reader<readonly T[]> =>
  (value, place, problems) => {
    if (!Array.isArray(value)) {
      problems.expected(place, what, value);
      return undefined;
    }
    const list: T[] = [];
    // entries() visits holes, too: [1, , 3] holds undefined.
    for (const [number, entry] of value.entries()) {
      const checked = reader(entry, index(place, number), problems);
      if (checked !== undefined) list.push(checked);
    }
    // What has grown has room for 17 entries; of the arguments of 100,000 jobs there are 100,000 lists.
    return list.slice();
  };

/** The errors of checkIov and checkRun (spec of intervals) as problems. */
const orProblem =
  <T>(check: (value: unknown) => T): Reader<T> =>
  (value, place, problems) => {
    try {
      return check(value);
    } catch (error) {
      if (!(error instanceof CafError)) throw error;
      problems.report(place, error.hint === undefined ? error.message : `${error.message}. ${error.hint}`);
      return undefined;
    }
  };

export const readIov: Reader<Iov> = orProblem(checkIov);
export const readRun: Reader<Run> = orProblem(checkRun);
export const readRuns = readList('an array of runs such as [[7, 3]]', readRun);

const BAD_VARIABLE = /[=\0]|^$/;
export const readEnv: Reader<Readonly<Record<string, string>>> = (value, place, problems) => {
  if (!isTable(value)) {
    problems.expected(place, "an object of variables such as { THREADS: '4' }", value);
    return undefined;
  }
  const entries: [string, string][] = [];
  for (const [name, content] of Object.entries(value)) {
    if (content === undefined) continue;
    const at = option(place, name);
    if (BAD_VARIABLE.test(name)) {
      problems.report(place, `${show(name)} cannot be the name of an environment variable`);
      continue;
    }
    const text = readWord(content, at, problems);
    if (text !== undefined) entries.push([name, text]);
  }
  // fromEntries defines own properties: a variable called __proto__ is a variable.
  return Object.fromEntries(entries);
};

// What worker/placeholders.ts fills in.
const PLACEHOLDERS = ['config', 'files', 'output', 'iteration', 'parameters.NAME'];
const PLACEHOLDER = /\{([A-Za-z_][\w.+-]*)\}/g;

function readCommand(command: Command, place: Place, problems: Problems): Command | undefined {
  const known = problems.list.length;
  const argv = readList("an array such as ['python3', 'fit.py']", readWord)(command.argv, place, problems);
  if (argv === undefined || problems.list.length > known) return undefined;
  if (argv.length === 0 || argv[0] === '') problems.report(place, 'a command begins with the name of its program, found none');
  for (const [number, argument] of argv.entries()) {
    if (!argument.includes('{')) continue;
    for (const [text, name = ''] of argument.matchAll(PLACEHOLDER)) {
      if (PLACEHOLDERS.includes(name) || (name.startsWith('parameters.') && name !== 'parameters.')) continue;
      const near = problems.didYouMean(name, PLACEHOLDERS) || `; there are ${PLACEHOLDERS.map((each) => `{${each}}`).join(', ')}`;
      problems.report(index(place, number), `${text} is not a placeholder${near}`);
    }
  }
  return { kind: 'command', argv };
}

export const readFunctionOrCommand: Reader<UserFunction | Command> = (value, place, problems) => {
  if (typeof value === 'function') return value as UserFunction;
  if (isCommand(value)) return readCommand(value, place, problems);
  const advice = Array.isArray(value) || typeof value === 'string' ? '; a program is written command([...])' : '';
  problems.report(place, `expected a function or command([...]), found ${show(value)}${advice}`);
  return undefined;
};

const NAME = /^[A-Za-z0-9][A-Za-z0-9_.+-]*$/;
const NAME_LENGTH = 100;

/** What is wrong with the name of a collection or algorithm; null = nothing. */
export function nameProblem(name: unknown): string | null {
  if (typeof name !== 'string' || name === '') return `expected a name, found ${name === '' ? 'empty text' : show(name)}`;
  if (name.length > NAME_LENGTH) return `a name has at most ${NAME_LENGTH} characters, found ${name.length}: ${show(name)}`;
  if (!NAME.test(name)) return `a name begins with a letter or digit and holds only letters, digits and _ . + -, found ${show(name)}`;
  if (name === OBJECTS_DIRECTORY) return `'${OBJECTS_DIRECTORY}' is a directory of caf: choose another name`;
  return null;
}

/** The same of a calibration: files of caf itself stand beside the directories of the calibrations. */
export const calibrationNameProblem = (name: unknown): string | null =>
  nameProblem(name) ?? (/^caf\.(?:db|log)/.test(String(name)) ? `${show(name)} is a file of caf: choose another name` : null);
