// Checks one collection: the options of product section 1, with their defaults.
import { types } from 'node:util';
import type { CollectionSpec, JobToSize, RunsOfFile, Split } from '../../domain/calibration.ts';
import { askedOf } from './ask-of-job.ts';
import { checkFits, DEFAULT_RESOURCES, type GivenBackend, readResources } from './check-backend.ts';
import { readContainer } from './check-container.ts';
import { optionsOfCollection, readSite } from './check-site.ts';
import { option, type Place, type Problems, show } from './problems.ts';
import {
  isTable,
  type Reader,
  read,
  readChoice,
  readEnv,
  readFunctionOrCommand,
  readIov,
  readList,
  readRequired,
  readRun,
  readScope,
  readText,
  readWhole,
  readWord,
} from './readers.ts';

const OPTIONS = new Set([
  'files',
  'runs',
  'collect',
  'outputs',
  'split',
  'granularity',
  'resources',
  'retries',
  'env',
  'setup',
  'container',
  'site',
]);

const readFiles = readList("an array of globs and paths such as ['data/*.csv']", readText('a glob or path'));
const readGranularity = readChoice(['run', 'all']);
const readRetries = readWhole('a whole number of retries', 0);
const readSetup = readList('an array of lines of shell', readWord);

/** Undefined when it is no collection at all; otherwise what can be used of it, so that all problems are found. */
export function checkCollection(
  name: string,
  value: unknown,
  ofCalibration: GivenBackend,
  place: Place,
  problems: Problems,
): CollectionSpec | undefined {
  const scope = readScope(value, OPTIONS, place, problems, 'a collection with files and collect');
  if (scope === undefined) return undefined;
  const files = readRequired(scope, 'files', readFiles);
  const split = read(scope, 'split', readSplit, DEFAULT_SPLIT);
  const { resources, resourcesOf } = read(scope, 'resources', readResourcesOption(ofCalibration), {
    resources: DEFAULT_RESOURCES,
    resourcesOf: null,
  });
  const { backend, siteOf } = read(scope, 'site', readSite(ofCalibration), { backend: ofCalibration, siteOf: null });
  if (resources !== DEFAULT_RESOURCES) checkFits(resources, backend.spec, option(place, 'resources'), problems);
  const outputs = read(scope, 'outputs', readOutputs, null);
  return {
    name,
    files: files ?? [],
    runs: read(scope, 'runs', readRunsOfFile, null),
    collect: readRequired(scope, 'collect', readFunctionOrCommand) ?? NO_PROGRAM,
    outputs: outputs ?? ['*'],
    outputsRequired: outputs !== null,
    split,
    granularity: read(scope, 'granularity', readGranularity, 'run'),
    resources,
    retries: read(scope, 'retries', readRetries, 2),
    env: read(scope, 'env', readEnv, {}),
    setup: read(scope, 'setup', readSetup, []),
    container: readContainer(scope, 'collect'),
    backend: backend.spec,
    resourcesOf,
    siteOf:
      siteOf === null
        ? null
        : (job) => {
            const { value, problems: wrong } = siteOf(job);
            return {
              value: value === null ? null : { backend: value.spec, options: () => optionsOfCollection(scope, value) },
              problems: wrong,
            };
          },
    options: () => optionsOfCollection(scope, backend),
  };
}

const readResourcesOption =
  (backend: GivenBackend): Reader<Pick<CollectionSpec, 'resources' | 'resourcesOf'>> =>
  (value, place, problems) => {
    if (typeof value !== 'function') {
      const resources = readResources(value, place, problems);
      return resources === undefined ? undefined : { resources, resourcesOf: null };
    }
    const resourcesOf = askedOf(value as (job: JobToSize) => unknown, place, (answer, at, wrong) => {
      const resources = readResources(answer, at, wrong);
      if (resources !== undefined) checkFits(resources, backend.spec, at, wrong);
      return resources;
    });
    return { resources: DEFAULT_RESOURCES, resourcesOf };
  };

/** Stands in for a missing collect or run while the rest is checked; a spec with a problem is never handed out. */
export const NO_PROGRAM = { kind: 'command', argv: [] } as const;

const isEmptyList = (value: unknown): boolean => Array.isArray(value) && value.length === 0;

// ---------------------------------------------------------------------------------------------------------------- split

const DEFAULT_SPLIT: Split = { by: 'maxJobs', maxJobs: 1000 };
const SPLIT_KEYS = ['maxFilesPerJob', 'maxJobs', 'arguments'];
const SPLIT_OPTIONS = new Set(SPLIT_KEYS);
const readFilesPerJob = readWhole('a whole number of files', 1);
const readJobs = readWhole('a whole number of jobs', 1);
const readArguments = readList(
  "an array of argument arrays such as [['a'], ['b']]",
  readList("an array of arguments such as ['a']", readWord),
);

const readSplit: Reader<Split> = (value, place, problems) => {
  const scope = readScope(value, SPLIT_OPTIONS, place, problems, 'an object such as { maxFilesPerJob: 2 }');
  if (scope === undefined) return undefined;
  const given = SPLIT_KEYS.filter((key) => scope.value[key] !== undefined);
  if (given.length !== 1) {
    // An unknown option has been reported already, and is what was meant.
    if (given.length > 1 || Object.keys(scope.value).every((key) => SPLIT_KEYS.includes(key))) {
      problems.report(
        place,
        `expected exactly one of ${SPLIT_KEYS.join(', ')}, found ${given.length === 0 ? 'none' : given.join(' and ')}`,
      );
    }
    return undefined;
  }
  const maxFilesPerJob = read(scope, 'maxFilesPerJob', readFilesPerJob, null);
  if (maxFilesPerJob !== null) return { by: 'maxFilesPerJob', maxFilesPerJob };
  const maxJobs = read(scope, 'maxJobs', readJobs, null);
  if (maxJobs !== null) return { by: 'maxJobs', maxJobs };
  const words = read(scope, 'arguments', readArguments, null);
  if (words === null) return undefined;
  if (isEmptyList(scope.value.arguments)) problems.report(option(place, 'arguments'), 'expected at least one entry: each entry is a job');
  return { by: 'arguments', arguments: words };
};

// -------------------------------------------------------------------------------------------------------------- outputs

const readPattern: Reader<string> = (value, place, problems) => {
  const pattern = readText("a glob such as '*.root'")(value, place, problems);
  if (pattern === undefined) return undefined;
  if (/^(?:[/\\]|[A-Za-z]:[/\\])/.test(pattern)) {
    problems.report(place, `${show(pattern)} is absolute; outputs are relative to the job's output directory`);
  } else if (pattern.split(/[/\\{},()|]/).includes('..')) {
    problems.report(place, `${show(pattern)} leaves the job's output directory; outputs hold no '..'`);
  } else return pattern;
  return undefined;
};
const readOutputs = readList("an array of globs such as ['*.root']", readPattern);

// ----------------------------------------------------------------------------------------------------------------- runs

const EXAMPLE = '/e(?<experiment>\\d+)r(?<run>\\d+)/';

const readRunsOfFile: Reader<RunsOfFile> = (value, place, problems) => {
  if (types.isRegExp(value)) return readRegExp(value, place, problems);
  if (typeof value === 'function') return { by: 'function', function: value as (path: string) => never };
  const entries = types.isMap(value) ? [...value] : isTable(value) ? Object.entries(value) : null;
  if (entries === null) {
    problems.expected(place, `a RegExp such as ${EXAMPLE}, a function, or an object from paths to runs`, value);
    return undefined;
  }
  const map: [string, ReturnType<typeof readRun> & {}][] = [];
  for (const [path, runs] of entries) {
    const at = { parent: place, key: `[${show(path)}]` };
    const checked = Array.isArray(runs) && runs.length === 2 ? readRun(runs, at, problems) : readIov(runs, at, problems);
    if (checked !== undefined) map.push([String(path), checked as ReturnType<typeof readRun> & {}]);
  }
  // fromEntries defines own properties: a file called __proto__ is a file. Readers use Object.hasOwn.
  return { by: 'map', map: Object.fromEntries(map) };
};

function readRegExp(value: RegExp, place: Place, problems: Problems): RunsOfFile | undefined {
  const missing = ['experiment', 'run'].filter((group) => !value.source.includes(`(?<${group}>`));
  if (missing.length > 0) {
    problems.report(
      place,
      `expected the named groups experiment and run, as in ${EXAMPLE}; ${String(value)} has no ${missing.join(' and no ')}`,
    );
    return undefined;
  }
  // With g or y a RegExp remembers where it stopped: every second file would not match.
  return { by: 'regexp', regexp: value.global || value.sticky ? new RegExp(value.source, value.flags.replace(/[gy]/g, '')) : value };
}
