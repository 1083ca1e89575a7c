// Checks the options that all batch backends have.
import type { BatchSpec } from '../../domain/calibration.ts';
import {
  type Reader,
  read,
  readChoice,
  readDuration,
  readEnv,
  readList,
  readRequired,
  readScope,
  readText,
  readWhole,
  readWord,
  type Scope,
} from './readers.ts';

/** What concerns all jobs together, or has an option of its own on collections and algorithms: no options of their `site`. */
export const OPTIONS_OF_ALL_JOBS = [
  'env',
  'setup',
  'maxJobs',
  'maxArray',
  'submitsPerMinute',
  'pollInterval',
  'fileDelay',
  'algorithms',
] as const;

export const BATCH_OPTIONS = ['modules', 'scratch', 'logDirectory', ...OPTIONS_OF_ALL_JOBS] as const;

/** As one would write them. */
export const BATCH_DEFAULTS = {
  env: {},
  modules: [],
  setup: [],
  maxJobs: 4000,
  submitsPerMinute: 20,
  pollInterval: '5 s',
  fileDelay: '30 s',
  algorithms: { on: 'caf' },
} as const satisfies Partial<Record<(typeof BATCH_OPTIONS)[number], unknown>>;

const readModules = readList("an array of modules such as ['root/6.30']", readText('the name of a module'));
const readSetup = readList('an array of lines of shell', readWord);
const readScratch: Reader<string> = (value, place, problems) => {
  if (typeof value === 'string' && value.startsWith('/')) return value;
  problems.expected(place, 'the absolute path of a directory on the nodes', value);
  return undefined;
};

const readLogDirectory: Reader<string> = (value, place, problems) => {
  // What is not plain would be taken for something else by one engine or another.
  if (typeof value === 'string' && /^\/[\w/.+@-]*$/.test(value)) return value;
  problems.expected(place, 'the absolute path of a directory, without spaces and special characters', value);
  return undefined;
};

const ALGORITHMS = new Set(['on']);
const readAlgorithms: Reader<BatchSpec['algorithmsOn']> = (value, place, problems) => {
  const scope = readScope(value, ALGORITHMS, place, problems, "an object such as { on: 'backend' }");
  return scope === undefined ? undefined : readRequired(scope, 'on', readChoice(['caf', 'backend']));
};

export const readBatch = (scope: Scope): BatchSpec => ({
  env: read(scope, 'env', readEnv, {}),
  modules: read(scope, 'modules', readModules, []),
  setup: read(scope, 'setup', readSetup, []),
  scratch: read(scope, 'scratch', readScratch, null),
  logDirectory: read(scope, 'logDirectory', readLogDirectory, null),
  maxJobs: read(scope, 'maxJobs', readWhole('a whole number of jobs', 1), BATCH_DEFAULTS.maxJobs),
  maxArray: read(scope, 'maxArray', readWhole('a whole number of jobs', 1), null),
  submitsPerMinute: read(scope, 'submitsPerMinute', readWhole('a whole number of submissions', 1), BATCH_DEFAULTS.submitsPerMinute),
  pollMs: read(scope, 'pollInterval', readDuration, 5000),
  settleMs: read(scope, 'fileDelay', readDuration, 30_000),
  algorithmsOn: read(scope, 'algorithms', readAlgorithms, 'caf'),
});
