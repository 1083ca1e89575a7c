// The options users write: what defineConfig and defineCalibration take. Defaults are filled in by check-config.
import type { AlgorithmsRunner } from '../domain/algorithms-runner.ts';
import type { AlgorithmResult, Command, Granularity } from '../domain/calibration.ts';
import type { Iov, Run } from '../domain/iov.ts';
import type { Strategy } from '../strategies/strategy.ts';
import type { Collect, FindBoundaries, RunAlgorithm, Setup } from './contexts.ts';

/** Environment variables: nothing else is inherited on batch backends. */
export type Env = { readonly [name: string]: string };

export interface ResourceOptions {
  /** Whole number of cores. Default 1. */
  readonly cores?: number | undefined;
  /** Such as `'2 GB'` or `'512 MiB'`. Default `'2 GB'`; limits admission on the local backend only when it is set. */
  readonly memory?: string | undefined;
  /** Such as `'90 s'`, `'1 h'` or `'1 h 30 min'`. Default `'1 h'`. */
  readonly time?: string | undefined;
}

/** A job, for a function that says what it asks for. */
export interface JobToSize {
  /** From 0. */
  readonly job: number;
  /** Its input files: absolute paths, and URLs. */
  readonly files: readonly string[];
  /** Size of its input files in bytes; URLs count as 0. */
  readonly bytes: number;
  /** Its entry of `split: { arguments }`, else none. */
  readonly arguments: readonly string[];
}

type OfOneCollection<Options extends BatchOptions> = Omit<
  Options,
  'kind' | 'env' | 'setup' | 'maxJobs' | 'maxArray' | 'submitsPerMinute' | 'pollInterval' | 'fileDelay' | 'algorithms'
>;

/** Options per engine that go before those of the backend: those of engines that are not used do nothing. */
export interface SiteOption {
  readonly slurm?: OfOneCollection<SlurmBackend> | undefined;
  readonly htcondor?: OfOneCollection<HtcondorBackend> | undefined;
  readonly gridengine?: OfOneCollection<GridEngineBackend> | undefined;
  readonly pbs?: OfOneCollection<PbsBackend> | undefined;
  readonly lsf?: OfOneCollection<LsfBackend> | undefined;
}

/** How a collection's files become jobs: exactly one key. */
export type SplitOptions =
  | { readonly maxFilesPerJob: number; readonly maxJobs?: never; readonly arguments?: never }
  | { readonly maxJobs: number; readonly maxFilesPerJob?: never; readonly arguments?: never }
  /** One job per entry, and every job gets all files. */
  | { readonly arguments: readonly (readonly string[])[]; readonly maxFilesPerJob?: never; readonly maxJobs?: never };

/** How a file tells which runs it holds. A RegExp (with the named groups `experiment` and `run`) or function sees the path as written. */
export type RunsOption =
  | RegExp
  | ((path: string) => Run | Iov | null | undefined)
  | ReadonlyMap<string, Run | Iov>
  | { readonly [path: string]: Run | Iov };

/**
 * An image. A path (`./tools.sif`, `/images/tools`; relative to the config file) is run by apptainer, a name (`tools:1.2`) by podman. Inside, a
 * program finds its output directory, its input files, the config's directory and the results directory under the same paths, the last three
 * read-only; of the environment it sees the image's, `env` and `CAF_JOB`.
 */
export type ContainerOption =
  | string
  | {
      readonly image: string;
      /** Default: by the form of `image`. */
      readonly runtime?: 'podman' | 'apptainer' | 'charliecloud' | undefined;
      /** Further places it sees, as the runtime writes them, for instance `'/cvmfs:/cvmfs:ro'`. */
      readonly binds?: readonly string[] | undefined;
      /** Further options of the runtime's own command, for instance `['--network=host']`. */
      readonly options?: readonly string[] | undefined;
    };

export interface CollectionOptions {
  /** Globs and paths, relative to the config file; URLs pass untouched. Each must match. */
  readonly files: readonly string[];
  /** Needed only when a requested IoV or ignored runs select among the files, or a strategy by runs has no records to go by. */
  readonly runs?: RunsOption | undefined;
  /** Turns files into records and output files: a function, or `command([...])`. */
  readonly collect: Collect | Command;
  /** Globs, relative to the job's output directory; each given one must match. Default `['*']`, which requires nothing. */
  readonly outputs?: readonly string[] | undefined;
  /** Default `{ maxJobs: 1000 }`. */
  readonly split?: SplitOptions | undefined;
  /** Whether the data keep their runs apart. Default `'run'`. */
  readonly granularity?: Granularity | undefined;
  /** Per job, or a function of the job, asked once per job before anything starts; on out-of-memory or time-out a retry multiplies the one that ran out by 1.5. */
  readonly resources?: ResourceOptions | ((job: JobToSize) => ResourceOptions) | undefined;
  /** Per job; preemption and node failure do not count. Default 2. */
  readonly retries?: number | undefined;
  readonly env?: Env | undefined;
  /** Lines of shell to source before a program. */
  readonly setup?: readonly string[] | undefined;
  /** What a program runs in. */
  readonly container?: ContainerOption | undefined;
  /** What its jobs need of the site besides, such as `{ slurm: { partition: 'long' } }`, or a function of the job. Default: as the backend says. */
  readonly site?: SiteOption | ((job: JobToSize) => SiteOption) | undefined;
}

export interface AlgorithmOptions<Result extends AlgorithmResult = AlgorithmResult> {
  /** Unique within its calibration. */
  readonly name: string;
  /** Turns data into payloads and says `'ok'`, `'iterate'`, `'not-enough-data'` or `'failure'`: a function, or `command([...])`. */
  readonly run: RunAlgorithm<Result> | Command;
  /** Which runs are executed together, and which interval their payloads get. Default `singleIov()`. */
  readonly strategy?: Strategy | undefined;
  /** Called once before the executions of each iteration. */
  readonly setup?: Setup | Command | undefined;
  /** Where new intervals begin, for `sequentialBoundaries` without `boundaries`. */
  readonly findBoundaries?: FindBoundaries | Command | undefined;
  /** Per execution. Default `'1 h'`. */
  readonly executionTimeLimit?: string | undefined;
  /** For programs. */
  readonly env?: Env | undefined;
  /**
   * Of its child process and programs, or of its job. Default: no limits; as a job of a batch engine those of a collection, with a time of at
   * least `executionTimeLimit`. Given, what is left out has the defaults of a collection's resources.
   */
  readonly resources?: ResourceOptions | undefined;
  /** What its programs run in. */
  readonly container?: ContainerOption | undefined;
  /** As of a collection, where algorithms run on the engine. */
  readonly site?: SiteOption | undefined;
}

/** Made by `local()`. */
export interface LocalBackend {
  readonly kind: 'local';
  readonly slots?: number | undefined;
  readonly memory?: string | undefined;
  readonly maxLogSize?: string | undefined;
}

/** What all batch backends have. Nothing of caf's environment reaches jobs but what is named here or in a collection. */
export interface BatchOptions {
  /** Environment of all jobs; a collection's `env` goes before it. Default `{}`: PATH is that of a bare system. */
  readonly env?: Env | undefined;
  /** Environment modules to load before each program, such as `['root/6.30']`. Default none. */
  readonly modules?: readonly string[] | undefined;
  /** Lines of shell to source before each program, after the modules and before the collection's. Default none. */
  readonly setup?: readonly string[] | undefined;
  /** A directory on the nodes, in which each job gets a TMPDIR of its own that is removed after it. Default: as the site has it. */
  readonly scratch?: string | undefined;
  /** A directory for the engine's own logs of jobs, which are removed with them. Default: within the results directory. */
  readonly logDirectory?: string | undefined;
  /** The most jobs of a campaign in the queue, running ones among them. Default 4000. */
  readonly maxJobs?: number | undefined;
  /** The most jobs in one array job. Default: as many as the engine allows. */
  readonly maxArray?: number | undefined;
  /** Default 20. One submission is an array of many jobs. */
  readonly submitsPerMinute?: number | undefined;
  /** The least time between two queries of the queue, such as `'30 s'`; it grows to a minute while nothing changes. Default `'5 s'`. */
  readonly pollInterval?: string | undefined;
  /** How late the file system may show what a job has written, such as `'2 min'`. Default `'30 s'`. */
  readonly fileDelay?: string | undefined;
  /** Where algorithms run: `'caf'` = beside caf, `'backend'` = each as a job of the engine. Default `{ on: 'caf' }`. */
  readonly algorithms?: { readonly on: 'caf' | 'backend' } | undefined;
}

/** Made by `slurm()`. */
export interface SlurmBackend extends BatchOptions {
  readonly kind: 'slurm';
  readonly partition?: string | undefined;
  readonly account?: string | undefined;
  readonly qos?: string | undefined;
  /** Features a node must have. */
  readonly constraint?: string | undefined;
  readonly reservation?: string | undefined;
  /** Each job gets a whole node. Default false. */
  readonly exclusive?: boolean | undefined;
  /** GPUs of each job: a number, or a type and a number such as `'a100:2'`. Default none. */
  readonly gpus?: number | string | undefined;
  /** Further options of sbatch, each one word such as `'--licenses=root:1'`. Default none. */
  readonly directives?: readonly string[] | undefined;
}

/** Made by `htcondor()`. */
export interface HtcondorBackend extends BatchOptions {
  readonly kind: 'htcondor';
  /** `'local'`: jobs run on the submit machine itself. Default `'vanilla'`. */
  readonly universe?: 'vanilla' | 'local' | undefined;
  /** Such as `'group_physics.calibration'`. */
  readonly accountingGroup?: string | undefined;
  /** Whose share is used. Default: yours. */
  readonly accountingUser?: string | undefined;
  /** An expression that a machine must fulfil, such as `'OpSysMajorVer == 9'`. */
  readonly requirements?: string | undefined;
  /** An expression: machines where it is greater are preferred. */
  readonly rank?: string | undefined;
  /** Disk of each job, such as `'10 GB'`. Default: the pool's. */
  readonly disk?: string | undefined;
  /** GPUs of each job. Default none. */
  readonly gpus?: number | undefined;
  /** Among your own jobs: greater goes first. Default 0. */
  readonly priority?: number | undefined;
  /** Such as `['sql:2']`. Default none. */
  readonly concurrencyLimits?: readonly string[] | undefined;
  /** Attributes that the site defines, such as `{ JobFlavour: 'workday' }`. Default none. */
  readonly attributes?: Readonly<Record<string, string | number | boolean>> | undefined;
  /** Further lines of the submit description. Those that would break an array of jobs are refused. Default none. */
  readonly lines?: readonly string[] | undefined;
}

/** Made by `gridEngine()`. */
export interface GridEngineBackend extends BatchOptions {
  readonly kind: 'gridengine';
  readonly queue?: string | undefined;
  readonly project?: string | undefined;
  /** For jobs with more than one core. Default `'smp'`. */
  readonly parallelEnvironment?: string | undefined;
  /** What memory is asked for by where a collection says how much, such as `'h_vmem'`; null = it is not asked for. Default `'mem_free'`: h_vmem is a limit that Node does not bear. */
  readonly memoryResource?: string | null | undefined;
  /** Further requests (`-l`), such as `{ os: 'el9' }`. Default none. */
  readonly resources?: Readonly<Record<string, string>> | undefined;
  /** Further options of qsub, word by word: `['-ac', 'site=here']`. Default none. */
  readonly options?: readonly string[] | undefined;
}

/** Made by `pbs()`. */
export interface PbsBackend extends BatchOptions {
  readonly kind: 'pbs';
  /** `'torque'` has other words for arrays and cores. Default `'openpbs'`, also for PBS Pro. */
  readonly flavour?: 'openpbs' | 'torque' | undefined;
  readonly queue?: string | undefined;
  readonly account?: string | undefined;
  readonly project?: string | undefined;
  /** GPUs of each job. Default none. */
  readonly gpus?: number | undefined;
  /** What else a node must have, such as `'scratch=10gb'`. Default nothing. */
  readonly select?: string | undefined;
  /** Further options of qsub, word by word. Default none. */
  readonly options?: readonly string[] | undefined;
}

/** Made by `lsf()`. */
export interface LsfBackend extends BatchOptions {
  readonly kind: 'lsf';
  readonly queue?: string | undefined;
  readonly project?: string | undefined;
  /** An application profile. */
  readonly application?: string | undefined;
  /** As in `bsub -gpu`: `'num=1'`. Default none. */
  readonly gpus?: string | undefined;
  /** Further requirements (`-R`), such as `'select[type==X86_64]'`. Default none. */
  readonly requirements?: string | undefined;
  /** What the site counts memory in (LSF_UNIT_FOR_LIMITS). Default `'1 MiB'`. */
  readonly memoryUnit?: string | undefined;
  /** Further options of bsub, word by word. Default none. */
  readonly options?: readonly string[] | undefined;
}

export type BackendOption = LocalBackend | SlurmBackend | HtcondorBackend | GridEngineBackend | PbsBackend | LsfBackend;

/** `DependsOn` = the names written in dependsOn as strings, which defineConfig compares with the calibrations it gets. */
export interface CalibrationOptions<
  Name extends string = string,
  DependsOn extends string = string,
  Result extends AlgorithmResult = AlgorithmResult,
> {
  /** A letter or digit, then `[A-Za-z0-9_.+-]`, at most 100 characters, not `objects`; unique. */
  readonly name: Name;
  /** By name. May be `{}` when there are algorithms. */
  readonly collections: { readonly [name: string]: CollectionOptions };
  /** Run in this order in each iteration. May be `[]` when there are collections. */
  readonly algorithms: readonly AlgorithmOptions<Result>[];
  /** Calibrations whose payloads this one reads: objects or names. Default `[]`. */
  readonly dependsOn?: readonly (DependsOn | CalibrationOptions)[] | undefined;
  /** At most this many iterations. Default 5. */
  readonly maxIterations?: number | undefined;
  /** What reaching maxIterations without convergence means. Default `'complete'`, with a warning. */
  readonly onMaxIterations?: 'complete' | 'fail' | undefined;
  /** Runs not used; a file that holds only ignored runs is not collected. */
  readonly ignoredRuns?: readonly Run[] | undefined;
  /** Extra local databases, relative to the config file, highest priority first; they come before the config's. */
  readonly databases?: readonly string[] | undefined;
  /** Default: the config's. */
  readonly backend?: BackendOption | undefined;
  /** Share of a collection's jobs that must succeed, above 0 and up to 1. Default 1. */
  readonly quorum?: number | undefined;
  /** False: intermediate payloads, left out of the final export. Default true. */
  readonly savePayloads?: boolean | undefined;
  /** Runs the algorithms instead of CAF's own runner, which forks a child process per strategy. */
  readonly algorithmsRunner?: AlgorithmsRunner | undefined;
}

/** What defineCalibration returns: its options, and where it was called. */
export type Calibration<Name extends string = string, DependsOn extends string = string> = CalibrationOptions<Name, DependsOn>;

export interface ConfigOptions<Calibrations extends readonly CalibrationOptions[] = readonly CalibrationOptions[]> {
  /** At least one, in any order. */
  readonly calibrations: Calibrations;
  /** Default `local()`. */
  readonly backend?: BackendOption | undefined;
  /** Local databases for all calibrations, relative to the config file, highest priority first. */
  readonly databases?: readonly string[] | undefined;
  /** The results directory, relative to the config file. Default `calibration_results` beside it. */
  readonly output?: string | undefined;
  /** Only runs in this interval are used. Default: everything. */
  readonly iov?: Iov | undefined;
  /** Default 8. */
  readonly maxParallelCalibrations?: number | undefined;
}

export type Config = ConfigOptions;
