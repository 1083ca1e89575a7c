// Checks a backend and the resources of jobs, and whether a job can ever fit.
import type { BackendSpec, Resources } from '../../domain/calibration.ts';
import { formatSize } from '../../domain/quantity.ts';
import { option, type Place, type Problems, show } from './problems.ts';
import { isTable, type Reader, read, readDuration, readScope, readSize, readWhole } from './readers.ts';

export const BACKENDS = ['local'] as const;

export interface BackendDefaults {
  /** Cores of this machine. */
  readonly cores: number;
  /** From CAF_SLOTS: wins over the config. */
  readonly slots?: number | undefined;
}

export const defaultBackend = (defaults: BackendDefaults): BackendSpec => ({
  kind: 'local',
  slots: defaults.slots ?? defaults.cores,
  memoryBytes: null,
});

const LOCAL_OPTIONS = new Set(['kind', 'slots', 'memory', 'maxLogSize']);
const RESOURCES = new Set(['cores', 'memory', 'time']);
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
  (defaults: BackendDefaults): Reader<BackendSpec> =>
  (value, place, problems) => {
    if (!isTable(value) || typeof value.kind !== 'string') {
      const advice = typeof value === 'function' && value.name === 'local' ? '; call it: local()' : '';
      problems.report(place, `expected a backend such as local({ slots: 4 }), found ${show(value)}${advice}`);
      return undefined;
    }
    if (readBackendKind(value.kind, option(place, 'kind'), problems) === undefined) return undefined;
    const scope = readScope(value, LOCAL_OPTIONS, place, problems, 'a backend');
    if (scope === undefined) return undefined;
    const slots = read(scope, 'slots', readSlots, defaults.cores);
    const maxLogBytes = read(scope, 'maxLogSize', readSize, null);
    return {
      kind: 'local',
      slots: defaults.slots ?? slots,
      memoryBytes: read(scope, 'memory', readSize, null),
      ...(maxLogBytes === null ? {} : { maxLogBytes }),
    };
  };

export const DEFAULT_RESOURCES: Resources = { cores: 1, memoryBytes: 2e9, memoryIsSet: false, timeMs: 3_600_000 };

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
