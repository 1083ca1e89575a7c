// Checks one calibration: its own options, its collections and algorithms, and how these fit together.
import { resolve } from 'node:path';
import type { AlgorithmSpec, CalibrationSpec, CollectionSpec } from '../../domain/calibration.ts';
import type { Iov } from '../../domain/iov.ts';
import { rootOf } from '../call-site.ts';
import { checkAlgorithm } from './check-algorithm.ts';
import type { GivenBackend } from './check-backend.ts';
import { checkCollection } from './check-collection.ts';
import { index, member, option, type Place, type Problems, show } from './problems.ts';
import {
  isTable,
  nameProblem,
  type Reader,
  read,
  readBoolean,
  readChoice,
  readList,
  readRunner,
  readRuns,
  readScope,
  readShare,
  readText,
  readWhole,
  type Scope,
} from './readers.ts';

const OPTIONS = new Set([
  'name',
  'collections',
  'algorithms',
  'dependsOn',
  'maxIterations',
  'onMaxIterations',
  'algorithmsRunner',
  'ignoredRuns',
  'databases',
  'backend',
  'quorum',
  'savePayloads',
]);

export interface CalibrationDefaults {
  /** The config's backend: what a calibration without its own gets. */
  readonly backend: GivenBackend;
  readonly readBackend: Reader<GivenBackend>;
  readonly readDatabases: Reader<readonly string[]>;
  readonly iov: Iov | null;
}

const readIterations = readWhole('a whole number of iterations', 1);
const readOnMaxIterations = readChoice(['complete', 'fail']);

/** Paths of local databases, made absolute. */
export const readDatabases = (directory: string): Reader<readonly string[]> => {
  const reader = readList('an array of paths of local databases', readText('the path of a local database'));
  return (value, place, problems) => reader(value, place, problems)?.map((path) => resolve(directory, path));
};

/** `dependsOn` is filled in later, when all names are known. Undefined when it is no calibration at all. */
export function checkCalibration(
  value: unknown,
  dependsOn: readonly string[],
  defaults: CalibrationDefaults,
  place: Place,
  problems: Problems,
): CalibrationSpec | undefined {
  const scope = readScope(value, OPTIONS, place, problems, 'a calibration made by defineCalibration');
  if (scope === undefined) return undefined;
  const backend = read(scope, 'backend', defaults.readBackend, defaults.backend);
  const collections = readCollections(scope, backend);
  const algorithms = readAlgorithms(scope, backend);
  if (collections?.size === 0 && algorithms?.length === 0) {
    problems.report(place, 'has neither collections nor algorithms: one of the two may be empty, not both');
  }
  const ignoredRuns = read(scope, 'ignoredRuns', readRuns, []);
  const specs = [...(collections?.values() ?? [])];
  checkGranularities(specs, algorithms ?? [], place, problems);
  checkRunsKnown(specs, defaults.iov, ignoredRuns.length > 0, place, problems);
  return {
    name: typeof scope.value.name === 'string' ? scope.value.name : '',
    collections: specs,
    algorithms: algorithms ?? [],
    dependsOn,
    maxIterations: read(scope, 'maxIterations', readIterations, 5),
    onMaxIterations: read(scope, 'onMaxIterations', readOnMaxIterations, 'complete'),
    ignoredRuns,
    databases: read(scope, 'databases', defaults.readDatabases, []),
    backend: backend.spec,
    quorum: read(scope, 'quorum', readShare, 1),
    savePayloads: read(scope, 'savePayloads', readBoolean, true),
    algorithmsRunner: read(scope, 'algorithmsRunner', readRunner, null),
    // Read only when asked for: formatting the stacks of 10,000 calibrations takes longer than checking them.
    get source() {
      return rootOf(value);
    },
  };
}

function readCollections({ value, place, problems }: Scope, backend: GivenBackend): ReadonlyMap<string, CollectionSpec> | undefined {
  const at = option(place, 'collections');
  if (!isTable(value.collections)) {
    problems.expected(at, 'an object of collections, or {}', value.collections);
    return undefined;
  }
  const collections = new Map<string, CollectionSpec>();
  for (const [name, collection] of Object.entries(value.collections)) {
    const here = member(at, name, name);
    const wrong = nameProblem(name);
    if (wrong !== null) problems.report(here, wrong);
    const spec = checkCollection(name, collection, backend, here, problems);
    if (spec !== undefined) collections.set(name, spec);
  }
  return Object.keys(value.collections).length === 0 || collections.size > 0 ? collections : undefined;
}

function readAlgorithms({ value, place, problems }: Scope, backend: GivenBackend): readonly AlgorithmSpec[] | undefined {
  const at = option(place, 'algorithms');
  if (!Array.isArray(value.algorithms)) {
    problems.expected(at, 'an array of algorithms, or []', value.algorithms);
    return undefined;
  }
  const names = new Map<string, number>();
  const algorithms: AlgorithmSpec[] = [];
  for (const [number, algorithm] of value.algorithms.entries()) {
    const name: unknown = isTable(algorithm) ? algorithm.name : undefined;
    const here = member(at, name, number);
    const spec = checkAlgorithm(algorithm, backend, here, problems);
    if (spec === undefined) continue;
    algorithms.push(spec);
    const wrong = nameProblem(name);
    const first = names.get(spec.name);
    if (wrong !== null) problems.report(option(here, 'name'), wrong);
    else if (first !== undefined) {
      problems.report(option(index(at, number), 'name'), `${show(spec.name)} is already the name of algorithms[${first}]`);
    } else names.set(spec.name, number);
  }
  return value.algorithms.length === 0 || algorithms.length > 0 ? algorithms : undefined;
}

/** A strategy that goes by runs cannot use data in which the runs are not told apart. */
function checkGranularities(
  collections: readonly CollectionSpec[],
  algorithms: readonly AlgorithmSpec[],
  place: Place,
  problems: Problems,
): void {
  for (const algorithm of algorithms) {
    const { name, granularities } = algorithm.strategy;
    const wrong = collections.filter((collection) => !granularities.includes(collection.granularity));
    if (wrong.length === 0) continue;
    problems.report(
      option(member(option(place, 'algorithms'), algorithm.name, 0), 'strategy'),
      `${name} needs collections with granularity ${granularities.map((each) => `'${each}'`).join(' or ')}, but ${wrong
        .map((collection) => `${collection.name} has '${collection.granularity}'`)
        .join(' and ')}`,
    );
  }
}

/** Files cannot be selected by run when nothing tells which runs they hold. */
function checkRunsKnown(
  collections: readonly CollectionSpec[],
  iov: Iov | null,
  ignoresRuns: boolean,
  place: Place,
  problems: Problems,
): void {
  if (iov === null && !ignoresRuns) return;
  const why = [...(iov === null ? [] : [`the requested IoV ${iov.join(',')}`]), ...(ignoresRuns ? ['ignoredRuns'] : [])].join(' and ');
  for (const collection of collections) {
    if (collection.runs !== null || collection.files.length === 0) continue;
    problems.report(
      option(member(option(place, 'collections'), collection.name, collection.name), 'runs'),
      `${why} can only select files whose runs are known: give a RegExp such as /e(?<experiment>\\d+)r(?<run>\\d+)/, a function, or an object from paths to runs`,
    );
  }
}
