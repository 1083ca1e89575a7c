// What a calibration is once its config has been checked: every default filled in, every unit resolved.
import type { AlgorithmsRunner } from './algorithms-runner.ts';
import type { Problem } from './errors.ts';
import type { Iov, Run } from './iov.ts';

/** The results directory where nobody names one: beside the config. */
export const DEFAULT_OUTPUT = 'calibration_results';

export const CALIBRATION_STATES = [
  'init',
  'running_collector',
  'collector_completed',
  'collector_failed',
  'running_algorithms',
  'algorithms_completed',
  'algorithms_failed',
  'completed',
  'failed',
  'blocked',
] as const;
/** The states of Belle II's CAF, and `blocked` for a calibration whose ancestor failed. */
export type CalibrationState = (typeof CALIBRATION_STATES)[number];

export const CHECKPOINTS = ['init', 'collector_completed', 'completed'] as const;
export type Checkpoint = (typeof CHECKPOINTS)[number];

export const ALGORITHM_RESULTS = ['ok', 'iterate', 'not-enough-data', 'failure'] as const;
/** What one execution of an algorithm says. `ok` and `iterate` commit what was queued; the others discard it. */
export type AlgorithmResult = (typeof ALGORITHM_RESULTS)[number];

/** What a strategy says of all its executions. */
export type FinalState = 'completed' | 'failed';

export type Granularity = 'run' | 'all';

/** A program: an argument vector, never a shell string. Placeholders are filled in per job (docs/writing-a-calibration.md). */
export interface Command {
  readonly kind: 'command';
  readonly argv: readonly string[];
}

export interface Resources {
  readonly cores: number;
  readonly memoryBytes: number;
  /** Whether the user set the memory: only then does it limit admission on the local backend. */
  readonly memoryIsSet: boolean;
  readonly timeMs: number;
}

export type Split =
  | { readonly by: 'maxJobs'; readonly maxJobs: number }
  | { readonly by: 'maxFilesPerJob'; readonly maxFilesPerJob: number }
  | { readonly by: 'arguments'; readonly arguments: readonly (readonly string[])[] };

/** How a file tells which runs it holds. A RegExp or function sees the path as written, relative to the config. */
export type RunsOfFile =
  | { readonly by: 'regexp'; readonly regexp: RegExp }
  | { readonly by: 'function'; readonly function: (path: string) => Run | Iov | null | undefined }
  | { readonly by: 'map'; readonly map: Readonly<Record<string, Run | Iov>> };

// biome-ignore lint/suspicious/noExplicitAny: user functions are typed where they are written (config/define.ts), and only called by the worker
export type UserFunction = (...args: any[]) => unknown;

export const CONTAINER_RUNTIMES = ['podman', 'apptainer', 'charliecloud'] as const;

/** What a program runs in. */
export interface Container {
  readonly runtime: (typeof CONTAINER_RUNTIMES)[number];
  /** A name, or an absolute path. */
  readonly image: string;
  /** Further places it sees, as the runtime writes them: `source:destination:ro`. */
  readonly binds: readonly string[];
  /** Further options of the runtime, as they are. */
  readonly options: readonly string[];
}

export interface CollectionSpec {
  readonly name: string;
  /** Globs, paths and URLs as written. */
  readonly files: readonly string[];
  readonly runs: RunsOfFile | null;
  readonly collect: UserFunction | Command;
  readonly outputs: readonly string[];
  /** True when the user wrote `outputs`: then each pattern must match at least one file. */
  readonly outputsRequired: boolean;
  readonly split: Split;
  readonly granularity: Granularity;
  readonly resources: Resources;
  readonly retries: number;
  readonly env: Readonly<Record<string, string>>;
  readonly setup: readonly string[];
  readonly container: Container | null;
  /** The calibration's, with what the collection's `site` says instead. */
  readonly backend: BackendSpec;
  /** The user's function of what a job asks for; null = all ask for `resources`. */
  readonly resourcesOf: ((job: JobToSize) => Answer<Resources>) | null;
  /** The user's function of what a job needs of the site; null = all need what `backend` says. */
  readonly siteOf: ((job: JobToSize) => Answer<JobSite>) | null;
  /** Worked out when asked for: only --dry-run tells it. */
  readonly options: () => readonly OptionOrigin[];
}

/** A job, for the function that says what it asks for. */
export interface JobToSize {
  /** From 0. */
  readonly job: number;
  /** Its input files: absolute paths, and URLs. */
  readonly files: readonly string[];
  /** Size of its input files; URLs count as 0. */
  readonly bytes: number;
  readonly arguments: readonly string[];
}

/** What a function of the user said, checked: nothing where that was wrong. */
export interface Answer<T> {
  readonly value: T | null;
  readonly problems: readonly Problem[];
}

export interface JobSite {
  readonly backend: BackendSpec;
  readonly options: () => readonly OptionOrigin[];
}

/** An option of jobs, and what says its value. */
export interface OptionOrigin {
  readonly name: string;
  /** As one would write it; null = left to the site. Of variables only that they are there: they may be secret. */
  readonly value: unknown;
  readonly from: 'default' | 'config' | 'calibration' | 'collection' | 'algorithm' | 'job' | 'retry';
  /** Where it stands in the config: `backend.partition`; null = nowhere. */
  readonly path: string | null;
}

/** A strategy as data: its generator lives in src/strategies, or in the user's config. */
export interface StrategySpec {
  readonly name: string;
  readonly options: Readonly<Record<string, unknown>>;
  /** Run-granular strategies need to know the runs. */
  readonly granularities: readonly Granularity[];
}

export interface AlgorithmSpec {
  readonly name: string;
  readonly run: UserFunction | Command;
  readonly setup: UserFunction | Command | null;
  readonly findBoundaries: UserFunction | Command | null;
  readonly strategy: StrategySpec;
  readonly executionTimeLimitMs: number;
  readonly env: Readonly<Record<string, string>>;
  /** Null: no limits; as a job of a batch engine: the defaults. */
  readonly resources: Resources | null;
  /** Only for programs. */
  readonly container: Container | null;
  /** As of a collection. */
  readonly backend: BackendSpec;
  /** As of a collection; empty for one that runs beside caf. */
  readonly options: () => readonly OptionOrigin[];
}

export interface LocalSpec {
  readonly kind: 'local';
  readonly slots: number;
  /** Bytes for all jobs together; null = not limited. */
  readonly memoryBytes: number | null;
  /** A longer stdout or stderr of a job is cut; absent = 1 GiB. */
  readonly maxLogBytes?: number;
}

/** What every batch engine has, whatever the site. */
export interface BatchSpec {
  /** Environment of all jobs; a collection's goes before it. Nothing else is inherited. */
  readonly env: Readonly<Record<string, string>>;
  /** Environment modules to load before a program. */
  readonly modules: readonly string[];
  /** Lines of shell to source before a program, after the modules. */
  readonly setup: readonly string[];
  /** A directory on the nodes for temporary files, made for each job and removed after it (TMPDIR); null = as the site has it. */
  readonly scratch: string | null;
  /** A directory for what the engine writes down about arrays; null = beside the array. */
  readonly logDirectory: string | null;
  /** The most jobs of this campaign in the queue at any time, running ones among them. */
  readonly maxJobs: number;
  /** The most jobs submitted by one command; null = as many as the engine allows. */
  readonly maxArray: number | null;
  readonly submitsPerMinute: number;
  /** The least time between two queries of the queue; it grows while nothing changes. */
  readonly pollMs: number;
  /** How long the file system may be late with what a job wrote. */
  readonly settleMs: number;
  /** Where algorithms run: beside caf, or each as a job. */
  readonly algorithmsOn: 'caf' | 'backend';
}

/** What Slurm is told about the site. Null = left to the site. */
export interface SlurmSite {
  readonly partition: string | null;
  readonly account: string | null;
  readonly qos: string | null;
  readonly constraint: string | null;
  readonly reservation: string | null;
  readonly exclusive: boolean;
  /** A number, or a type and a number: `a100:2`. */
  readonly gpus: string | null;
  /** Further options of sbatch, each a word such as `--licenses=root:1`. */
  readonly directives: readonly string[];
}

export interface SlurmSpec extends BatchSpec {
  readonly kind: 'slurm';
  readonly site: SlurmSite;
}

/** What HTCondor is told about the site. Null = left to the site. */
export interface HtcondorSite {
  readonly universe: 'vanilla' | 'local';
  readonly accountingGroup: string | null;
  readonly accountingUser: string | null;
  /** An expression that a machine must fulfil. */
  readonly requirements: string | null;
  /** An expression: machines with a greater value are preferred. */
  readonly rank: string | null;
  readonly diskBytes: number | null;
  readonly gpus: number | null;
  /** Among the jobs of this user: greater goes first. */
  readonly priority: number | null;
  readonly concurrencyLimits: readonly string[];
  /** Further attributes of each job, as sites define them. */
  readonly attributes: Readonly<Record<string, string | number | boolean>>;
  /** Further lines of the submit description. */
  readonly lines: readonly string[];
}

export interface HtcondorSpec extends BatchSpec {
  readonly kind: 'htcondor';
  readonly site: HtcondorSite;
}

/** What Grid Engine is told about the site. Null = left to the site. */
export interface GridEngineSite {
  readonly queue: string | null;
  readonly project: string | null;
  /** For jobs with more than one core. */
  readonly parallelEnvironment: string;
  /** What memory is asked for by, per slot, where a collection says how much; null = it is not asked for. */
  readonly memoryResource: string | null;
  readonly resources: Readonly<Record<string, string>>;
  /** Further options of qsub, word by word. */
  readonly options: readonly string[];
}

export interface GridEngineSpec extends BatchSpec {
  readonly kind: 'gridengine';
  readonly site: GridEngineSite;
}

/** What PBS is told about the site. Null = left to the site. */
export interface PbsSite {
  readonly flavour: 'openpbs' | 'torque';
  readonly queue: string | null;
  readonly account: string | null;
  readonly project: string | null;
  readonly gpus: number | null;
  /** What else a node must have: `host=n1:scratch=10gb`. */
  readonly select: string | null;
  /** Further options of qsub, word by word. */
  readonly options: readonly string[];
}

export interface PbsSpec extends BatchSpec {
  readonly kind: 'pbs';
  readonly site: PbsSite;
}

/** What LSF is told about the site. Null = left to the site. */
export interface LsfSite {
  readonly queue: string | null;
  readonly project: string | null;
  readonly application: string | null;
  /** As in `bsub -gpu`: `num=1`. */
  readonly gpus: string | null;
  /** Further requirements (`-R`): `select[type==X86_64]`. */
  readonly requirements: string | null;
  /** What the site counts memory in (LSF_UNIT_FOR_LIMITS). */
  readonly memoryUnitBytes: number;
  /** Further options of bsub, word by word. */
  readonly options: readonly string[];
}

export interface LsfSpec extends BatchSpec {
  readonly kind: 'lsf';
  readonly site: LsfSite;
}

export type BackendSpec = LocalSpec | SlurmSpec | HtcondorSpec | GridEngineSpec | PbsSpec | LsfSpec;

/** Null = algorithms run beside caf. */
export const engineOfAlgorithms = (backend: BackendSpec): Exclude<BackendSpec, LocalSpec> | null =>
  backend.kind !== 'local' && backend.algorithmsOn === 'backend' ? backend : null;

export interface SourceLocation {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

export interface CalibrationSpec {
  readonly name: string;
  readonly collections: readonly CollectionSpec[];
  readonly algorithms: readonly AlgorithmSpec[];
  readonly dependsOn: readonly string[];
  readonly maxIterations: number;
  readonly onMaxIterations: 'complete' | 'fail';
  readonly ignoredRuns: readonly Run[];
  /** Absolute paths of extra local databases, highest priority first. */
  readonly databases: readonly string[];
  readonly backend: BackendSpec;
  readonly quorum: number;
  readonly savePayloads: boolean;
  /** Null = CAF's own: a forked child per strategy. */
  readonly algorithmsRunner: AlgorithmsRunner | null;
  /** The top-level statement that led to defineCalibration, directly or through functions, when that can be known: what its code is read from. */
  readonly source: SourceLocation | null;
}

/** A checked config: the only form the rest of CAF accepts. */
export interface CampaignSpec {
  /** Absolute path of the config file. */
  readonly configPath: string;
  /** Absolute path of the results directory. */
  readonly output: string;
  readonly iov: Iov | null;
  readonly databases: readonly string[];
  readonly maxParallelCalibrations: number;
  readonly calibrations: readonly CalibrationSpec[];
  /** Names given to definePayload. Empty: programs may commit any name, untyped. */
  readonly payloadNames: readonly string[];
}

export const isCommand = (value: unknown): value is Command =>
  typeof value === 'object' && value !== null && (value as { kind?: unknown }).kind === 'command';
