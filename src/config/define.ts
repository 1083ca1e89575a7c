// What a config is written with: defineConfig, defineCalibration, definePayload, defineStrategy, command and the backends. None of them ever throws.
import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { AlgorithmResult, Command, Granularity } from '../domain/calibration.ts';
import type { PayloadDefinition } from '../domain/payload.ts';
import type { Strategy } from '../strategies/strategy.ts';
import { captureCallSite, DEFINED_AT } from './call-site.ts';
import type { FilePayload, ValuePayload } from './contexts.ts';
import type {
  Calibration,
  CalibrationOptions,
  Config,
  ConfigOptions,
  GridEngineBackend,
  HtcondorBackend,
  LocalBackend,
  LsfBackend,
  PbsBackend,
  SlurmBackend,
} from './options.ts';
import { registerPayload } from './payload-registry.ts';

/** Marks what defineConfig returns; Symbol.for, so that two copies of the package agree. */
export const CONFIG: unique symbol = Symbol.for('calibration-framework.config') as never;

/** A copy with a hidden mark; a value that is no object stays as it is, for check-config to complain about. */
function marked<T>(value: T, mark: symbol, content: unknown): T {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  const copy = { ...value };
  Object.defineProperty(copy, mark, { value: content });
  return copy;
}

/** Names in dependsOn that no calibration of this config has; unknown (and not checked) where names are not literals. */
type UnknownNames<Calibrations extends readonly CalibrationOptions[]> = {
  [Index in keyof Calibrations]: Calibrations[Index] extends CalibrationOptions<string, infer DependsOn>
    ? string extends DependsOn
      ? never
      : Exclude<DependsOn, Calibrations[number]['name']>
    : never;
}[number];

type CheckedDependencies<Calibrations extends readonly CalibrationOptions[]> = string extends Calibrations[number]['name']
  ? unknown
  : [UnknownNames<Calibrations>] extends [never]
    ? unknown
    : { readonly calibrations: `dependsOn names '${UnknownNames<Calibrations>}', which is not a calibration of this config` };

/**
 * The default export of a config file. Problems are found when `caf` checks the config, all at once.
 * @example export default defineConfig({ backend: local({ slots: 4 }), calibrations: [pedestals] });
 */
export function defineConfig<const Calibrations extends readonly CalibrationOptions[]>(
  options: ConfigOptions<Calibrations> & CheckedDependencies<Calibrations>,
): Config {
  return marked<Config>(options, CONFIG, true);
}

/** A calibration: a loop of collectors and algorithms. The place of this call is shown in messages about it. */
export function defineCalibration<
  const Name extends string,
  const DependsOn extends string = never,
  const Result extends AlgorithmResult = AlgorithmResult,
>(options: CalibrationOptions<Name, DependsOn, Result>): Calibration<Name, DependsOn> {
  return marked(options, DEFINED_AT, captureCallSite(defineCalibration));
}

export interface PayloadOptions<Schema extends StandardSchemaV1 = StandardSchemaV1> {
  /** Recorded with each payload. From 1, the default. */
  readonly version?: number | undefined;
  /** What an older value is in the present shape; the schema checks it. `from` = the version it was written with. */
  readonly migrate?: ((old: unknown, from: number) => StandardSchemaV1.InferInput<Schema>) | undefined;
}

/** A file payload (ROOT, HDF5, anything): committed by path with `commitFile`. */
export function definePayload(name: string): FilePayload;
/**
 * A typed payload: `schema` is any Standard Schema validator, such as zod's. It checks each value at `commit`; what it gives is the value's type.
 * When its shape changes, count `version` up and say how older values become new ones: databases that hold them stay readable.
 * @example definePayload('Gains', z.object({ gain: z.array(z.number()) }), { version: 2, migrate: (old, from) => ({ gain: [old as number] }) })
 */
export function definePayload<Schema extends StandardSchemaV1>(
  name: string,
  schema: Schema,
  options?: PayloadOptions<Schema>,
): ValuePayload<StandardSchemaV1.InferOutput<Schema>>;
export function definePayload(name: string, schema?: StandardSchemaV1, options: Partial<PayloadOptions> = {}): PayloadDefinition {
  const definition: PayloadDefinition = marked(
    { kind: 'payload', name, schema: schema ?? null, ...options } as PayloadDefinition,
    DEFINED_AT,
    captureCallSite(definePayload),
  );
  registerPayload(definition);
  return definition;
}

/**
 * A program: an argument vector, never a shell string. Placeholders: `{config}` (the config's directory), `{files}` (one argument per file),
 * `{output}`, `{iteration}`, `{parameters.NAME}`.
 * @example command(['python3', '{config}/fit.py', '{files}'])
 */
export const command = (argv: readonly string[]): Command => ({ kind: 'command', argv });

/**
 * Jobs on this machine. `slots` = cores for all jobs together, default all of them; `memory` such as `'16 GB'`, default not limited; a job's
 * stdout and stderr are cut beyond `maxLogSize`, default `'1 GiB'`. */
export const local = (options: Omit<LocalBackend, 'kind'> = {}): LocalBackend => ({ ...options, kind: 'local' });

/**
 * Jobs on a Slurm cluster, as arrays. Time, memory and cores are the collection's `resources`; what is left out is left to the site.
 * The results directory must be on a file system that the nodes see under the same path.
 * @example slurm({ partition: 'short', account: 'belle', modules: ['root/6.30'] })
 */
export const slurm = (options: Omit<SlurmBackend, 'kind'> = {}): SlurmBackend => ({ ...options, kind: 'slurm' });

/**
 * Jobs on an HTCondor pool, many in one submission. Time, memory and cores are the collection's `resources`; what is left out is left to the pool.
 * Which schedd and pool: as in your shell (`_CONDOR_SCHEDD_HOST`, `_CONDOR_COLLECTOR_HOST`). The results directory must be on a file system that the nodes see.
 * @example htcondor({ accountingGroup: 'group_physics', attributes: { JobFlavour: 'workday' } })
 */
export const htcondor = (options: Omit<HtcondorBackend, 'kind'> = {}): HtcondorBackend => ({ ...options, kind: 'htcondor' });

/**
 * Jobs on a Grid Engine (Son of Grid Engine, Univa, Altair), as array jobs. Time, memory and cores are the collection's `resources`.
 * @example gridEngine({ queue: 'long.q', parallelEnvironment: 'multicore' })
 */
export const gridEngine = (options: Omit<GridEngineBackend, 'kind'> = {}): GridEngineBackend => ({ ...options, kind: 'gridengine' });

/**
 * Jobs on OpenPBS, PBS Pro or Torque, as job arrays. Time, memory and cores are the collection's `resources`.
 * @example pbs({ queue: 'long', project: 'calibration' })
 */
export const pbs = (options: Omit<PbsBackend, 'kind'> = {}): PbsBackend => ({ ...options, kind: 'pbs' });

/**
 * Jobs on LSF, as job arrays. Time (in whole minutes), memory and cores are the collection's `resources`.
 * @example lsf({ queue: 'l', project: 'belle2' })
 */
export const lsf = (options: Omit<LsfBackend, 'kind'> = {}): LsfBackend => ({ ...options, kind: 'lsf' });

export interface StrategyOptions {
  readonly name: string;
  /** Which collections it can work with. Default `['run']`. */
  readonly granularities?: readonly Granularity[] | undefined;
  /** Options of your strategy, kept with its results: plain JSON. */
  readonly options?: { readonly [name: string]: unknown } | undefined;
  /** True when `run` yields find-boundaries: then the algorithm must have `findBoundaries`. Default false. */
  readonly asksForBoundaries?: boolean | undefined;
  /** A pure generator: yields the next execution and receives its result. */
  readonly run: Strategy['run'];
}

/** A strategy of your own, beside singleIov, simpleRunByRun, sequentialRunByRun and sequentialBoundaries. */
export const defineStrategy = (options: StrategyOptions): Strategy => ({
  ...options,
  granularities: options?.granularities ?? ['run'],
  options: options?.options ?? {},
  asksForBoundaries: options?.asksForBoundaries ?? false,
  problems: [],
});
