// Checks a backend and the resources of jobs, and whether a job can ever fit.
import type { BackendSpec, LocalSpec, OptionOrigin, Resources, SlurmSpec } from '../../domain/calibration.ts';
import { formatSize } from '../../domain/quantity.ts';
import { BATCH_DEFAULTS, BATCH_OPTIONS, readBatch } from './check-batch.ts';
import { readSbatchOptions } from './check-directives.ts';
import { HTCONDOR_OPTIONS, readHtcondorSite } from './check-htcondor.ts';
import { GRID_ENGINE_OPTIONS, LSF_OPTIONS, PBS_OPTIONS, readGridEngineSite, readLsfSite, readPbsSite } from './check-queues.ts';
import { option, type Place, Problems, show } from './problems.ts';
import { isTable, type Reader, read, readBoolean, readDuration, readScope, readSize, readText, readWhole, type Scope } from './readers.ts';

export interface BackendDefaults {
  /** Cores of this machine. */
  readonly cores: number;
  /** From CAF_SLOTS: wins over the config. */
  readonly slots?: number | undefined;
  /** From --backend or CAF_BACKEND: wins over the config. */
  readonly kind?: BackendSpec['kind'] | undefined;
}

/** A table of options as the user wrote it. */
export interface Written {
  readonly table: Readonly<Record<string, unknown>>;
  readonly place: Place;
  readonly from: Exclude<OptionOrigin['from'], 'default' | 'retry'>;
}

/** A checked backend, and what was written for it: later tables go before earlier ones. */
export interface GivenBackend {
  readonly spec: BackendSpec;
  readonly layers: readonly Written[];
}

/** How each kind of backend is read: its options, and what they become. */
export const KINDS: {
  readonly [Kind in BackendSpec['kind']]: {
    readonly options: readonly string[];
    /** As one would write them; those that are missing have none: they are left to the site. */
    readonly defaults: Readonly<Record<string, unknown>>;
    readonly example: string;
    readonly read: (scope: Scope, defaults: BackendDefaults) => Extract<BackendSpec, { kind: Kind }>;
  };
} = {
  local: { options: ['slots', 'memory', 'maxLogSize'], defaults: {}, example: 'local({ slots: 4 })', read: readLocal },
  slurm: {
    options: [...BATCH_OPTIONS, 'partition', 'account', 'qos', 'constraint', 'reservation', 'exclusive', 'gpus', 'directives'],
    defaults: { ...BATCH_DEFAULTS, exclusive: false, directives: [] },
    example: "slurm({ partition: 'short' })",
    read: readSlurm,
  },
  htcondor: {
    options: [...BATCH_OPTIONS, ...HTCONDOR_OPTIONS],
    defaults: { ...BATCH_DEFAULTS, universe: 'vanilla', concurrencyLimits: [], attributes: {}, lines: [] },
    example: "htcondor({ accountingGroup: 'group_physics' })",
    read: (scope) => ({ kind: 'htcondor', ...readBatch(scope), site: readHtcondorSite(scope) }),
  },
  gridengine: {
    options: [...BATCH_OPTIONS, ...GRID_ENGINE_OPTIONS],
    defaults: { ...BATCH_DEFAULTS, parallelEnvironment: 'smp', memoryResource: 'mem_free', resources: {}, options: [] },
    example: "gridEngine({ queue: 'long.q' })",
    read: (scope) => ({ kind: 'gridengine', ...readBatch(scope), site: readGridEngineSite(scope) }),
  },
  pbs: {
    options: [...BATCH_OPTIONS, ...PBS_OPTIONS],
    defaults: { ...BATCH_DEFAULTS, flavour: 'openpbs', options: [] },
    example: "pbs({ queue: 'long' })",
    read: (scope) => ({ kind: 'pbs', ...readBatch(scope), site: readPbsSite(scope) }),
  },
  lsf: {
    options: [...BATCH_OPTIONS, ...LSF_OPTIONS],
    defaults: { ...BATCH_DEFAULTS, memoryUnit: '1 MiB', options: [] },
    example: "lsf({ queue: 'long' })",
    read: (scope) => ({ kind: 'lsf', ...readBatch(scope), site: readLsfSite(scope) }),
  },
};

export const BACKENDS = Object.keys(KINDS) as readonly BackendSpec['kind'][];

/** The function that makes a backend of this kind in a config: `gridEngine`. */
export function callOf(kind: string): string {
  const known = BACKENDS.find((each) => each === kind);
  return (known === undefined ? kind : KINDS[known].example).split('(')[0] ?? kind;
}

export function defaultBackend(defaults: BackendDefaults): BackendSpec {
  const scope: Scope = { value: {}, place: { parent: null, key: 'backend' }, problems: new Problems() };
  return KINDS[defaults.kind ?? 'local'].read(scope, defaults);
}

const readSlots = readWhole('a whole number of slots', 1);

export const readBackendKind: Reader<BackendSpec['kind']> = (value, place, problems) => {
  const kind = BACKENDS.find((each) => each === value);
  if (kind === undefined) {
    const advice = problems.didYouMean(String(value), BACKENDS) || `; there is ${BACKENDS.join(', ')}`;
    problems.report(place, `no backend is called ${show(value)}${advice}`);
  }
  return kind;
};

export const readBackend =
  (defaults: BackendDefaults, from: 'config' | 'calibration'): Reader<GivenBackend> =>
  (value, place, problems) => {
    if (!isTable(value) || typeof value.kind !== 'string') {
      const kind = typeof value === 'function' ? BACKENDS.find((each) => each === value.name) : undefined;
      const advice = kind === undefined ? '' : `; call it: ${kind}()`;
      problems.report(place, `expected a backend such as ${KINDS[kind ?? 'local'].example}, found ${show(value)}${advice}`);
      return undefined;
    }
    const kind = readBackendKind(value.kind, option(place, 'kind'), problems);
    if (kind === undefined) return undefined;
    // Which one it is was said by the name of the function: no option.
    const { kind: _, ...options } = value;
    const scope = readScope(options, new Set(KINDS[kind].options), place, problems, 'a backend');
    if (scope === undefined) return undefined;
    const spec = KINDS[kind].read(scope, defaults);
    // Asked for another kind, its options are the defaults: those of this one mean nothing there.
    if (defaults.kind !== undefined && defaults.kind !== kind) return { spec: defaultBackend(defaults), layers: [] };
    return { spec, layers: [{ table: options, place, from }] };
  };

function readLocal(scope: Scope, defaults: BackendDefaults): LocalSpec {
  const slots = read(scope, 'slots', readSlots, defaults.cores);
  const maxLogBytes = read(scope, 'maxLogSize', readSize, null);
  return {
    kind: 'local',
    slots: defaults.slots ?? slots,
    memoryBytes: read(scope, 'memory', readSize, null),
    ...(maxLogBytes === null ? {} : { maxLogBytes }),
  };
}

const readGpus: Reader<string> = (value, place, problems) => {
  if (Number.isSafeInteger(value) && (value as number) > 0) return String(value);
  if (typeof value === 'string' && /^(?:[\w.-]+:)?[1-9]\d*$/.test(value)) return value;
  problems.expected(place, "a number of GPUs, or a type and a number such as 'a100:2'", value);
  return undefined;
};

function readSlurm(scope: Scope): SlurmSpec {
  return {
    kind: 'slurm',
    ...readBatch(scope),
    site: {
      partition: read(scope, 'partition', readText('the name of a partition'), null),
      account: read(scope, 'account', readText('the name of an account'), null),
      qos: read(scope, 'qos', readText('the name of a quality of service'), null),
      constraint: read(scope, 'constraint', readText("features of nodes such as 'avx2'"), null),
      reservation: read(scope, 'reservation', readText('the name of a reservation'), null),
      exclusive: read(scope, 'exclusive', readBoolean, false),
      gpus: read(scope, 'gpus', readGpus, null),
      directives: read(scope, 'directives', readSbatchOptions, []),
    },
  };
}

export const DEFAULT_RESOURCES: Resources = { cores: 1, memoryBytes: 2e9, memoryIsSet: false, timeMs: 3_600_000 };

const RESOURCES = new Set(['cores', 'memory', 'time']);
const readCores = readWhole('a whole number of cores', 1);

export const readResources: Reader<Resources> = (value, place, problems) => {
  const scope = readScope(value, RESOURCES, place, problems, "resources such as { memory: '4 GB' }");
  if (scope === undefined) return undefined;
  const memory = read(scope, 'memory', readSize, null);
  return {
    cores: read(scope, 'cores', readCores, DEFAULT_RESOURCES.cores),
    memoryBytes: memory ?? DEFAULT_RESOURCES.memoryBytes,
    memoryIsSet: memory !== null,
    timeMs: read(scope, 'time', readDuration, DEFAULT_RESOURCES.timeMs),
  };
};

/** Refused now, not after an hour of collecting. */
export function checkFits(resources: Resources, backend: BackendSpec, place: Place, problems: Problems): void {
  // What a site has is known to its engine alone.
  if (backend.kind !== 'local') return;
  if (resources.cores > backend.slots) {
    problems.report(
      option(place, 'cores'),
      `a job with ${resources.cores} cores can never start: the ${backend.kind} backend has ${backend.slots} slot${backend.slots === 1 ? '' : 's'}`,
    );
  }
  if (resources.memoryIsSet && backend.memoryBytes !== null && resources.memoryBytes > backend.memoryBytes) {
    problems.report(
      option(place, 'memory'),
      `a job with ${formatSize(resources.memoryBytes)} can never start: the ${backend.kind} backend has ${formatSize(backend.memoryBytes)}`,
    );
  }
}
