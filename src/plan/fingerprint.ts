// What the result of a calibration depends on, and what a change of it means: nothing, the algorithms, or all is done again.
//
// part of the calibration                        kept as                              a change redoes
// ---------------------------------------------  -----------------------------------  ---------------
// input files: paths, sizes, modification times, files:<collection>                   algorithms, and jobs with changed files
//   and what a function in runs says of them
// files -> runs, collect, outputs, split,        <option>:<collection>                all
//   granularity, setup, container, env           (env by digest: it may be secret)
// requested IoV, ignored runs                    iov, ignoredRuns                     all
// databases and their versions, ancestors        database:<label>, databases,         all
//                                                ancestors
// code that collectors reach, packages           code (collectors)                    all
// strategy and its options, run, setup,          <option>:<algorithm>                 algorithms
//   findBoundaries, env, order of algorithms
// code that only algorithms reach                code (algorithms)                    algorithms
// maxIterations                                  maxIterations                        see judgeLimits
// onMaxIterations                                onMaxIterations                      see judgeLimits
// quorum                                         quorum                               raised and jobs are missing: algorithms
// modules and setup of a batch backend           backend.<option>:<collection>        all; nothing where the other backend
//                                                or <algorithm>                       has none, such as local
// all else of the backend, site, resources,      not kept                             nothing: they say where and how
//   retries, algorithmsRunner,                                                        long, not what
//   executionTimeLimit, savePayloads
//
// That an ancestor is done again is no matter of this file: then its descendants are done again, too.
import {
  type AlgorithmSpec,
  type BackendSpec,
  type CalibrationSpec,
  type CollectionSpec,
  type Command,
  engineOfAlgorithms,
  type UserFunction,
} from '../domain/calibration.ts';
import { type Iov, sortRuns } from '../domain/iov.ts';
import type { Fingerprint } from '../domain/journal.ts';
import { canonicalText } from './canonical-text.ts';
import type { FileRuns } from './select.ts';

export interface ResolvedFile {
  /** As matched; sorted by the caller. */
  readonly path: string;
  /** Null for URLs, which are never looked at. */
  readonly size: number | null;
  readonly mtimeNs: bigint | null;
  /** What a function in `runs` says, which may read a table; absent where the path and the options tell. */
  readonly runs?: FileRuns;
}

export interface FingerprintInput {
  readonly calibration: CalibrationSpec;
  /** Collection -> the files it collects. */
  readonly files: Readonly<Record<string, readonly ResolvedFile[]>>;
  /** As config/code-digest.ts says. */
  readonly code: { readonly collectors: string; readonly algorithms: string; readonly files: Readonly<Record<string, string>> };
  /** The calibration's databases, then the config's, highest priority first. */
  readonly databases: readonly { readonly label: string; readonly versionId: string }[];
  /** In topological order; of very many only the direct ones. */
  readonly ancestors: readonly string[];
  readonly requestedIov: Iov | null;
  /** SHA-256 as hex, say. */
  readonly digest: (text: string) => string;
}

/** Longer values are kept as digests: a change of them is seen, but not shown. */
const READABLE_LENGTH = 160;
export const DIGEST_PREFIX = 'digest ';
/** Of a file of code that is not there: a nearer package, for instance, that would be found first. */
export const MISSING_FILE = 'missing';

export function buildFingerprint(input: FingerprintInput): Fingerprint {
  const { calibration, digest } = input;
  const readable = (value: unknown): string => {
    const text = canonicalText(value);
    return text.length <= READABLE_LENGTH ? text : DIGEST_PREFIX + digest(text);
  };
  return {
    collectors: {
      iov: readable(input.requestedIov),
      ignoredRuns: readable(sortRuns(calibration.ignoredRuns)),
      ...Object.fromEntries(input.databases.map(({ label, versionId }) => [`database:${label}`, versionId])),
      databases: canonicalText(input.databases.map(({ label }) => label)),
      ancestors: canonicalText(input.ancestors),
      collections: canonicalText(calibration.collections.map(({ name }) => name)),
      ...Object.assign({}, ...calibration.collections.map((collection) => collectionParts(collection, input, readable))),
      code: input.code.collectors,
    },
    algorithms: {
      algorithms: canonicalText(calibration.algorithms.map(({ name }) => name)),
      ...Object.assign({}, ...calibration.algorithms.map((algorithm) => algorithmParts(algorithm, input, readable))),
      code: input.code.algorithms,
      maxIterations: readable(calibration.maxIterations),
      onMaxIterations: readable(calibration.onMaxIterations),
      quorum: readable(calibration.quorum),
    },
    code: input.code.files,
  };
}

type Parts = Readonly<Record<string, string>>;

function collectionParts(collection: CollectionSpec, input: FingerprintInput, readable: (value: unknown) => string): Parts {
  const { name } = collection;
  return {
    [`files:${name}`]: filesText(input.files[name] ?? [], input.digest),
    [`runs:${name}`]: readable(collection.runs),
    [`collect:${name}`]: taskText(readable, collection.collect),
    [`outputs:${name}`]: readable([collection.outputsRequired, ...collection.outputs]),
    [`split:${name}`]: readable(collection.split),
    [`granularity:${name}`]: readable(collection.granularity),
    [`setup:${name}`]: readable(collection.setup),
    [`container:${name}`]: readable(collection.container),
    ...softwareParts(name, collection.backend, readable),
    ...environmentParts(name, collection.env, input.digest),
  };
}

export const SOFTWARE = 'backend.';

/** A batch backend says which software its jobs find: another release of it makes other results. Its `env` holds what a session needs, too, and is not kept. */
const softwareParts = (name: string, backend: BackendSpec, readable: (value: unknown) => string): Parts =>
  backend.kind === 'local'
    ? {}
    : {
        [`${SOFTWARE}modules:${name}`]: readable(backend.modules),
        [`${SOFTWARE}setup:${name}`]: readable(backend.setup),
      };

function algorithmParts(algorithm: AlgorithmSpec, input: FingerprintInput, readable: (value: unknown) => string): Parts {
  const { name, strategy } = algorithm;
  return {
    [`run:${name}`]: taskText(readable, algorithm.run),
    [`setup:${name}`]: taskText(readable, algorithm.setup),
    [`findBoundaries:${name}`]: taskText(readable, algorithm.findBoundaries),
    [`strategy:${name}`]: readable(strategy.name),
    ...(algorithm.container === null ? {} : { [`container:${name}`]: readable(algorithm.container) }),
    ...(engineOfAlgorithms(algorithm.backend) === null ? {} : softwareParts(name, algorithm.backend, readable)),
    ...Object.fromEntries(Object.entries(strategy.options).map(([option, value]) => [`option:${name}:${option}`, readable(value)])),
    ...environmentParts(name, algorithm.env, input.digest),
  };
}

/** What a function does is told by the code; here counts which one it is, where the config chooses: `run: isQuick ? quick : full`. */
const taskText = (readable: (value: unknown) => string, task: UserFunction | Command | null): string =>
  typeof task === 'function' ? `<function ${task.name}>` : readable(task?.argv ?? null);

const environmentParts = (name: string, env: Readonly<Record<string, string>>, digest: (text: string) => string): Parts =>
  Object.fromEntries(Object.entries(env).map(([variable, value]) => [`env:${name}:${variable}`, DIGEST_PREFIX + digest(value)]));

const LINES_AT_A_TIME = 1000;

/** `<count> <digest of the paths> <digest of paths, sizes and times>`, and perhaps a digest of the runs: rolling, so that 100,000 files need no text of all of them. */
function filesText(files: readonly ResolvedFile[], digest: (text: string) => string): string {
  let paths = '';
  let states = '';
  let runs = '';
  for (let index = 0; index < files.length; index += LINES_AT_A_TIME) {
    const some = files.slice(index, index + LINES_AT_A_TIME);
    paths = digest(`${paths}\n${some.map(({ path }) => JSON.stringify(path)).join('\n')}`);
    if (some[0]?.runs !== undefined) runs = digest(`${runs}\n${some.map((file) => JSON.stringify(file.runs)).join('\n')}`);
    states = digest(`${states}\n${some.map(({ path, size, mtimeNs }) => `${JSON.stringify(path)} ${size} ${mtimeNs}`).join('\n')}`);
  }
  return [files.length, paths, states, ...(runs === '' ? [] : [runs])].join(' ');
}
