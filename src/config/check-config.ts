// Turns the default export of a config file into a CampaignSpec, or into all its problems at once.
import { availableParallelism } from 'node:os';
import { basename, dirname, relative, resolve } from 'node:path';
import { type CalibrationSpec, type CampaignSpec, DEFAULT_OUTPUT, type SourceLocation } from '../domain/calibration.ts';
import { CafError } from '../domain/errors.ts';
import type { Iov } from '../domain/iov.ts';
import type { PayloadDefinition } from '../domain/payload.ts';
import { err, ok, type Result } from '../domain/result.ts';
import { buildGraph, showCircle } from '../plan/graph.ts';
import { definedAt } from './call-site.ts';
import { defaultBackend, readBackend, readBackendKind } from './check/check-backend.ts';
import { type CalibrationDefaults, checkCalibration, readDatabases } from './check/check-calibration.ts';
import { type ConfigProblem, index, member, option, type Place, Problems, show } from './check/problems.ts';
import { calibrationNameProblem, isTable, read, readIov, readScope, readText, readWhole, type Scope } from './check/readers.ts';
import { definedPayloads } from './payload-registry.ts';

export type { ConfigProblem } from './check/problems.ts';

export interface CheckContext {
  /** Absolute path of the config file. */
  readonly configPath: string;
  /** Absolute path of the results directory; default: the config's `output`, else calibration_results beside the config. */
  readonly output?: string | undefined;
  /** From --backend or CAF_BACKEND. */
  readonly backendOverride?: string | undefined;
  /** From CAF_SLOTS. */
  readonly slotsOverride?: number | undefined;
  /** From --iov. */
  readonly iov?: Iov | undefined;
  /** Default slots of the local backend; default: the cores this process may use. */
  readonly cores?: number | undefined;
  /** Default: all that definePayload was called with in this process. */
  readonly payloads?: readonly PayloadDefinition[] | undefined;
}

const OPTIONS = new Set(['calibrations', 'backend', 'databases', 'output', 'iov', 'maxParallelCalibrations']);
const ROOT: Place = { parent: null, key: '' };
const CALIBRATIONS: Place = { parent: null, key: 'calibrations' };

const readParallel = readWhole('a whole number of calibrations', 1);
const readOutput = readText('the path of the results directory');

/** Circles of calibrations are among the problems. Never throws. */
export function checkConfig(raw: unknown, context: CheckContext): Result<CampaignSpec, readonly ConfigProblem[]> {
  const problems = new Problems();
  const scope = readScope(raw, OPTIONS, ROOT, problems, 'a config made by defineConfig');
  if (scope === undefined) return err(problems.list);
  const directory = dirname(context.configPath);
  const kind =
    context.backendOverride === undefined ? undefined : readBackendKind(context.backendOverride, option(ROOT, 'backend'), problems);
  const backends = { cores: context.cores ?? availableParallelism(), slots: context.slotsOverride };
  // For calibrations that do not say themselves.
  const ofAll = { ...backends, kind };
  const iov = context.iov ?? read(scope, 'iov', readIov, null);
  const defaults: CalibrationDefaults = {
    backend: read(scope, 'backend', readBackend(ofAll, 'config'), { spec: defaultBackend(ofAll), layers: [] }),
    readBackend: readBackend(backends, 'calibration'),
    readDatabases: readDatabases(directory),
    iov,
  };
  const calibrations = readCalibrations(scope, defaults);
  checkPayloads(context.payloads ?? definedPayloads(), problems);
  const spec: CampaignSpec = {
    configPath: context.configPath,
    output: context.output ?? resolve(directory, read(scope, 'output', readOutput, DEFAULT_OUTPUT)),
    iov,
    databases: read(scope, 'databases', readDatabases(directory), []),
    maxParallelCalibrations: read(scope, 'maxParallelCalibrations', readParallel, 8),
    calibrations,
    payloadNames: [...new Set((context.payloads ?? definedPayloads()).map(({ name }) => name))],
  };
  return problems.list.length === 0 ? ok(spec) : err(problems.list);
}

function readCalibrations({ value, problems }: Scope, defaults: CalibrationDefaults): readonly CalibrationSpec[] {
  const given: unknown = value.calibrations;
  if (!Array.isArray(given) || given.length === 0) {
    problems.expected(CALIBRATIONS, 'an array of at least one calibration', given);
    return [];
  }
  const numbers = new Map<string, number>();
  const specs: CalibrationSpec[] = [];
  const nodes: { readonly name: string; readonly dependsOn: string[]; readonly given: unknown; readonly place: Place }[] = [];
  for (const [number, calibration] of given.entries()) {
    const name: unknown = isTable(calibration) ? calibration.name : undefined;
    const place = member(CALIBRATIONS, name, number, calibration);
    const dependsOn: string[] = [];
    const spec = checkCalibration(calibration, dependsOn, defaults, place, problems);
    if (spec === undefined) continue;
    specs.push(spec);
    const wrong = calibrationNameProblem(name);
    const first = numbers.get(spec.name);
    if (wrong !== null) problems.report(option(place, 'name'), wrong);
    else if (first !== undefined) {
      const here: Place = { parent: CALIBRATIONS, key: `[${number}]`, owner: calibration };
      const same = given[first] === calibration ? ', which is this very one' : '';
      problems.report(option(here, 'name'), `${show(spec.name)} is already the name of calibrations[${first}]${same}`);
    } else {
      numbers.set(spec.name, number);
      nodes.push({ name: spec.name, dependsOn, given: calibration.dependsOn, place: option(place, 'dependsOn') });
    }
  }
  for (const node of nodes) {
    if (node.given !== undefined) node.dependsOn.push(...readDependsOn(node.name, node.given, numbers, node.place, problems));
  }
  const graph = buildGraph(nodes);
  if (!graph.ok) {
    const place = nodes.find(({ name }) => name === graph.error[0])?.place ?? CALIBRATIONS;
    problems.reportCircle(place, showCircle(graph.error));
  }
  return specs;
}

function readDependsOn(
  name: string,
  value: unknown,
  known: ReadonlyMap<string, number>,
  place: Place,
  problems: Problems,
): readonly string[] {
  if (!Array.isArray(value)) {
    problems.expected(place, 'an array of calibrations or their names', value);
    return [];
  }
  const names = new Set<string>();
  for (const [number, entry] of value.entries()) {
    const other: unknown = isTable(entry) ? entry.name : entry;
    const here = index(place, number);
    if (typeof other !== 'string') problems.expected(here, 'a calibration or its name', entry);
    else if (other === name) problems.report(here, `a calibration cannot wait for itself: ${name} -> ${name}`);
    else if (known.has(other)) names.add(other);
    else if (isTable(entry)) problems.report(here, `the calibration ${show(other)} is not in calibrations: add it there`);
    else problems.report(here, `no calibration is called ${show(other)}${problems.didYouMean(other, known.keys())}`);
  }
  return [...names];
}

// The rule of payloads/name.ts, which config may not import.
const PAYLOAD_NAME = /^[A-Za-z0-9_+:-][A-Za-z0-9_.+:-]{0,199}$/;

function checkPayloads(payloads: readonly PayloadDefinition[], problems: Problems): void {
  const places = new Map<string, string>();
  for (const payload of payloads) {
    const place: Place = { parent: null, key: `definePayload(${show(payload.name)})`, owner: payload };
    const schema: unknown = payload.schema;
    if (typeof payload.name !== 'string' || !PAYLOAD_NAME.test(payload.name)) {
      problems.report(place, 'the name of a payload holds letters, digits and _ . + : - (at most 200, not beginning with a dot)');
    }
    // zod's schemas are objects, arktype's are functions
    if (
      schema !== null &&
      typeof (schema as { readonly '~standard'?: { readonly validate?: unknown } })['~standard']?.validate !== 'function'
    ) {
      problems.expected(place, 'a Standard Schema validator such as z.object({ ... })', schema);
    }
    const { version, migrate } = payload as { readonly version?: unknown; readonly migrate?: unknown };
    if (version !== undefined && !(typeof version === 'number' && Number.isInteger(version) && version >= 1 && version <= 999_999_999)) {
      problems.expected(place, 'a whole number from 1 as version', version);
    }
    if (migrate !== undefined && typeof migrate !== 'function') problems.expected(place, 'a function as migrate', migrate);
    else if (migrate !== undefined && (version === undefined || version === 1)) {
      problems.report(place, 'has a migrate but no older version to migrate from: say which version this is, 2 or later');
    }
    const at = definedAt(payload);
    const where = at === null ? '' : `${at.file}:${at.line}:${at.column}`;
    const first = places.get(payload.name);
    // The same line twice is one module that was loaded twice.
    if (first !== undefined && first !== where) problems.report(place, `is defined twice${first === '' ? '' : `: first at ${first}`}`);
    if (first === undefined) places.set(payload.name, where);
  }
}

/** As checkConfig, but with the one error that is shown: CAF_CONFIG_INVALID with all problems, or CAF_CONFIG_CYCLE when a circle is the only one. */
export function checkCampaign(raw: unknown, context: CheckContext): Result<CampaignSpec, CafError> {
  const checked = checkConfig(raw, context);
  return checked.ok ? checked : err(configError(context.configPath, checked.error));
}

export function configError(configPath: string, problems: readonly ConfigProblem[]): CafError {
  const [first] = problems;
  if (problems.length === 1 && first?.circle !== undefined) {
    return new CafError('CAF_CONFIG_CYCLE', `These calibrations wait for each other: ${first.circle}`, {
      hint: 'Remove one of the dependencies, or merge them into one calibration with iterations.',
      ...(first.at === null ? {} : { at: first.at }),
    });
  }
  const directory = dirname(configPath);
  const count = `${problems.length} problem${problems.length === 1 ? '' : 's'}`;
  return new CafError('CAF_CONFIG_INVALID', `${basename(configPath)} has ${count}`, {
    problems: problems.map(({ path, message, at }) => ({
      path,
      message: at === null ? message : `${message}  (${placeText(at, directory)})`,
    })),
  });
}

const placeText = ({ file, line }: SourceLocation, directory: string): string => {
  const short = relative(directory, file);
  return `${short.startsWith('..') ? file : short}:${line}`;
};
