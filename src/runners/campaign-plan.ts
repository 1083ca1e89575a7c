// What a campaign will do, and why: input files resolved and selected, jobs counted, fingerprints compared. Writes nothing.
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { CalibrationRecord, JournalReads } from '../database/journal-records.ts';
import { STATE_FILE, stateOf } from '../database/state.ts';
import {
  type BackendSpec,
  type CalibrationSpec,
  type CampaignSpec,
  type Checkpoint,
  type CollectionSpec,
  engineOfAlgorithms,
} from '../domain/calibration.ts';
import { CafError, type Problem } from '../domain/errors.ts';
import type { ErrorText } from '../domain/event.ts';
import { formatIov, type Iov, type Run } from '../domain/iov.ts';
import type { Fingerprint } from '../domain/journal.ts';
import { compareFingerprints } from '../plan/compare-fingerprints.ts';
import { buildFingerprint } from '../plan/fingerprint.ts';
import { buildGraph, showCircle } from '../plan/graph.ts';
import { runsOfFile, selectFiles } from '../plan/select.ts';
import { countJobs } from '../plan/split.ts';
import type { ChainMember } from '../worker/contract.ts';
import { containerProblems } from './check-container.ts';
import { iterationDirectory } from './hands.ts';
import { type AskedOfJobs, askOfJobs } from './job-resources.ts';
import { type ResolvedFile, resolveFiles } from './resolve-files.ts';

export interface PlannedFile extends ResolvedFile {
  /** Runs it holds; null = not known. */
  readonly runs: Run | Iov | null;
}

export interface PlannedCollection extends AskedOfJobs {
  readonly spec: CollectionSpec;
  /** Selected files, sorted. */
  readonly files: readonly PlannedFile[];
  readonly jobs: number;
  /** All files the patterns matched, selected or not: what the fingerprint is made of. */
  readonly resolved: readonly ResolvedFile[];
}

export interface PlannedCalibration {
  readonly spec: CalibrationSpec;
  /** In topological order, from 0. */
  readonly position: number;
  readonly collections: readonly PlannedCollection[];
  /** Jobs per iteration, of all collections. */
  readonly jobs: number;
  /** Made when it is asked for: planning thousands that never ran need not read their code. */
  readonly fingerprint: () => Fingerprint;
  /** Short forms of the fingerprint for provenance. */
  readonly digests: () => { readonly inputs: string; readonly code: string; readonly options: string };
  readonly redo: 'nothing' | 'all' | 'algorithms';
  /** Completed and unchanged: nothing is to be done. */
  readonly reused: boolean;
  /** For people: `never run`, `up to date`, `fit.ts changed`. */
  readonly reason: string;
  readonly start: { readonly checkpoint: Checkpoint; readonly iteration: number };
  /** Of the earlier result, when reused. */
  readonly iterations: number;
  readonly payloads: number;
  /** Why it cannot collect anything: it will fail with this. */
  readonly noInput: ErrorText | null;
}

export interface CampaignPlan {
  /** In topological order. */
  readonly calibrations: readonly PlannedCalibration[];
  calibration(name: string): PlannedCalibration;
  /** In topological order. */
  ancestors(name: string): readonly string[];
  /** An extra database of the config, by its absolute path. */
  database(path: string): ChainMember;
}

/** Kinds of the backends that this plan is going to use. */
export const backendsNeeded = ({ calibrations }: CampaignPlan): ReadonlySet<BackendSpec['kind']> =>
  new Set(
    calibrations
      .filter(({ reused, collections, spec: { backend } }) => !reused && (collections.length > 0 || engineOfAlgorithms(backend) !== null))
      .map(({ spec: { backend } }) => backend.kind),
  );

export interface PlanRequest {
  readonly spec: CampaignSpec;
  /** What the journal knows of a calibration. */
  readonly past: (name: string) => CalibrationRecord | null;
  readonly fresh: boolean;
  /** Only these calibrations and their ancestors; null = all. */
  readonly only: readonly string[] | null;
  /** Code digests per calibration, and the files of code. */
  readonly code: CodeOfCampaign;
  readonly describeDatabase: (path: string) => ChainMember;
  /** Jobs per collection of this iteration, as it was last begun; {} when it never was. */
  readonly jobsOf: (calibration: string, iteration: number) => Readonly<Record<string, number>>;
  /** When its iteration 0 was begun; null when it never was. */
  readonly begunAt: (calibration: string) => string | null;
  /** Whether jobs of this iteration failed for good. */
  readonly hasMissingJobs: (calibration: string, iteration: number) => boolean;
}

export interface CodeOfCampaign {
  /** `recorded` = the fingerprint of the last time: with equal files nothing need be parsed. */
  of(
    calibration: string,
    recorded: Fingerprint | null,
  ): { readonly collectors: string; readonly algorithms: string; readonly files: Readonly<Record<string, string>> };
}

/** Ancestors that a fingerprint names all, in their order, which is also that of the database chain. */
const MAX_ANCESTORS_KEPT = 100;

/** One mistake in `runs` usually concerns every file. */
const FILES_NAMED = 3;

const NOTHING_YET = { checkpoint: 'init', iteration: 0 } as const;

/** Throws CafError with all problems at once: missing inputs, a circle of dependencies, databases that are none. */
export function planCampaign(request: PlanRequest): CampaignPlan {
  const { spec, only } = request;
  const graph = buildGraph(spec.calibrations);
  if (!graph.ok) {
    throw new CafError('CAF_CONFIG_CYCLE', `These calibrations wait for each other: ${showCircle(graph.error)}`, {
      hint: 'remove one of the dependencies, or merge them into one calibration with iterations',
    });
  }
  const wanted = only === null ? null : new Set(only.flatMap((name) => [name, ...graph.value.ancestors(name)]));
  const byName = new Map(spec.calibrations.map((calibration) => [calibration.name, calibration]));
  const databases = new Map<string, ChainMember>();
  const problems: Problem[] = [];
  const digest = (text: string) => createHash('sha256').update(text).digest('hex');
  const planned = new Map<string, PlannedCalibration>();
  const completedAt = new Map<string, string | null>();

  const describe = (path: string): ChainMember | null => {
    const known = databases.get(path);
    if (known !== undefined) return known;
    try {
      const member = request.describeDatabase(path);
      databases.set(path, member);
      return member;
    } catch (error) {
      if (!(error instanceof CafError)) throw error;
      problems.push({ path: 'databases', message: `${error.message}${error.hint === undefined ? '' : ` (${error.hint})`}` });
      return null;
    }
  };

  for (const name of graph.value.order) {
    const calibration = byName.get(name);
    if (calibration === undefined || (wanted !== null && !wanted.has(name))) continue;
    const found = problems.length;
    const collections = calibration.collections.map((collection) => planCollection(spec, calibration, collection, problems));
    for (const { name, container } of calibration.algorithms) {
      const path = `calibrations.${calibration.name}.algorithms.${name}.container`;
      problems.push(...containerProblems(container, calibration.backend, dirname(spec.configPath), path));
    }
    const members = [...calibration.databases, ...spec.databases].map(describe);
    if (problems.length > found) continue;
    const past = request.past(name);
    completedAt.set(name, past?.completedAt ?? null);
    const fingerprint = once(() =>
      buildFingerprint({
        calibration,
        requestedIov: spec.iov,
        files: Object.fromEntries(collections.map(({ spec: { name: collection }, resolved }) => [collection, resolved])),
        code: request.code.of(name, past?.fingerprint ?? null),
        databases: members.flatMap((member) =>
          member === null ? [] : [{ label: member.label, versionId: member.versionId ?? member.contentId }],
        ),
        // In a long chain all would be quadratically many. The direct ones are enough: what changes one of the others has it done again, and with
        // it all that wait for it.
        ancestors: graph.value.ancestorsUpTo(MAX_ANCESTORS_KEPT, name) ?? calibration.dependsOn,
        digest,
      }),
    );
    const decision = decide(request, calibration, past, fingerprint, collections, planned, completedAt);
    planned.set(name, {
      spec: calibration,
      position: planned.size,
      collections,
      jobs: collections.reduce((sum, { jobs }) => sum + jobs, 0),
      fingerprint,
      digests: once(() => digestsOf(fingerprint(), digest)),
      ...decision,
      iterations: decision.reused ? (past?.iteration ?? 0) + 1 : 0,
      payloads: decision.reused ? (past?.payloads ?? 0) : 0,
      noInput: noInputOf(spec, calibration, collections),
    });
  }
  if (problems.length > 0) {
    throw new CafError(
      'CAF_INPUT_MISSING',
      `${problems.length} problem${problems.length === 1 ? '' : 's'} with the inputs of ${spec.configPath}`,
      { problems },
    );
  }
  return {
    calibrations: [...planned.values()],
    calibration: (name) => known(planned.get(name), name),
    ancestors: (name) => graph.value.ancestors(name),
    database: (path) => known(databases.get(path), path),
  };
}

function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | null = null;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}

function known<T>(value: T | undefined, name: string): T {
  if (value === undefined) throw new Error(`${name} is not in the plan`);
  return value;
}

function planCollection(
  spec: CampaignSpec,
  calibration: CalibrationSpec,
  collection: CollectionSpec,
  problems: Problem[],
): PlannedCollection {
  const path = `calibrations.${calibration.name}.collections.${collection.name}`;
  const resolved = resolveFiles(collection.files, dirname(spec.configPath), `${path}.files`);
  problems.push(...resolved.problems);
  problems.push(...containerProblems(collection.container, collection.backend, dirname(spec.configPath), `${path}.container`));
  const files: PlannedFile[] = [];
  let untold = 0;
  for (const file of resolved.files) {
    const runs = runsOfFile(collection.runs, file.path);
    if (runs.ok) files.push({ ...file, runs: runs.value });
    else if (++untold <= FILES_NAMED) problems.push({ path: `${path}.runs`, message: `${runs.error.path}: ${runs.error.message}` });
  }
  if (untold > FILES_NAMED)
    problems.push({ path: `${path}.runs`, message: `the same for ${untold - FILES_NAMED} more of ${resolved.files.length} files` });
  const { kept } = selectFiles(files, spec.iov, calibration.ignoredRuns);
  // A collection without any input, a simulation for instance, is one job unless its arguments say otherwise.
  const jobs =
    collection.files.length === 0 && collection.split.by !== 'arguments'
      ? 1
      : kept.length === 0 && collection.files.length > 0
        ? 0
        : countJobs(collection.split, kept.length);
  const { problems: ofJobs, ...asked } = askOfJobs(collection, kept, jobs);
  problems.push(...ofJobs);
  return { spec: collection, files: kept, jobs, ...asked, resolved: collection.runs?.by === 'function' ? files : resolved.files };
}

function noInputOf(spec: CampaignSpec, calibration: CalibrationSpec, collections: readonly PlannedCollection[]): ErrorText | null {
  const empty = collections.find(({ jobs }) => jobs === 0);
  if (empty === undefined) return null;
  const why = [
    ...(spec.iov === null ? [] : [`the requested IoV is ${formatIov(spec.iov)}`]),
    ...(calibration.ignoredRuns.length === 0
      ? []
      : [`${calibration.ignoredRuns.length} run${calibration.ignoredRuns.length === 1 ? ' is' : 's are'} ignored`]),
  ];
  return {
    code: 'CAF_NO_INPUT',
    message: `no input file is left for ${calibration.name}/${empty.spec.name}${why.length === 0 ? '' : `: ${why.join(', ')}`}`,
    hint: 'caf filemap shows which file holds which runs',
  };
}

type Decision = Pick<PlannedCalibration, 'redo' | 'reused' | 'reason' | 'start'>;

const again = (reason: string, redo: 'all' | 'algorithms' = 'all'): Decision => ({ redo, reused: false, reason, start: NOTHING_YET });
const goOn = (reason: string, start: PlannedCalibration['start']): Decision => ({ redo: 'nothing', reused: false, reason, start });

function decide(
  { spec, fresh, begunAt, hasMissingJobs, jobsOf }: PlanRequest,
  calibration: CalibrationSpec,
  past: CalibrationRecord | null,
  fingerprint: () => Fingerprint,
  collections: readonly PlannedCollection[],
  planned: ReadonlyMap<string, PlannedCalibration>,
  completedAt: ReadonlyMap<string, string | null>,
): Decision {
  if (past === null) return goOn('never run', NOTHING_YET);
  if (fresh) return again('--fresh');
  const isUntouched = (past.state === 'init' || past.state === 'blocked') && past.iteration === 0 && past.startedAt === null;
  const unsettled = calibration.dependsOn.filter((name) => planned.get(name)?.reused === false);
  if (unsettled.length > 0 && !isUntouched) return again(`${unsettled.join(', ')} ${unsettled.length === 1 ? 'is' : 'are'} done again`);
  const newer = newerThan(begunAt(calibration.name), calibration.dependsOn, (name) => completedAt.get(name) ?? null);
  if (newer.length > 0) return again(`${newer.join(', ')} ${newer.length === 1 ? 'was' : 'were'} done again since`);
  const { redo, reason, continues } = compareFingerprints(past.fingerprint, fingerprint(), {
    past: { iterations: past.iteration + 1, converged: past.converged, hasMissingJobs: hasMissingJobs(calibration.name, past.iteration) },
    base: dirname(spec.configPath),
  });
  // With fewer jobs than before the numbers of jobs mean other files.
  const before = jobsOf(calibration.name, 0);
  const hasFewer = collections.some(({ spec: { name }, jobs }) => jobs < (before[name] ?? 0));
  if (redo !== 'nothing') return again(reason, hasFewer ? 'all' : redo);
  const directory = join(spec.output, calibration.name);
  if (past.state === 'completed' && !continues) {
    if (!existsSync(join(directory, 'localdb'))) return again('its result database is gone');
    if (isInvalid(join(directory, 'localdb'))) return again('its result was marked invalid');
    return { redo, reused: true, reason, start: { checkpoint: 'completed', iteration: past.iteration } };
  }
  // What goes on stands on its iterations so far.
  for (let iteration = 0; iteration <= past.iteration; iteration++) {
    if (isInvalid(join(iterationDirectory(spec.output, calibration.name, iteration), 'localdb')))
      return again(`the database of its iteration ${iteration} was marked invalid`);
  }
  // Its last iteration is complete: looked at again, its end is judged by the new limits.
  if (continues) return goOn(reason, { checkpoint: 'collector_completed', iteration: past.iteration });
  if (isUntouched) return goOn('not started yet', NOTHING_YET);
  return goOn(past.state === 'failed' ? 'failed before' : `goes on in iteration ${past.iteration}`, {
    checkpoint: past.checkpoint,
    iteration: past.iteration,
  });
}

/**
 * Ancestors with a result that is newer than the beginning of what was made of it: done again by a `--only` that left this calibration out, or
 * while the config did not have it. The direct ones are enough: others reach it through these.
 */
function newerThan(begun: string | null, dependsOn: readonly string[], completedAt: (name: string) => string | null): readonly string[] {
  return begun === null ? [] : dependsOn.filter((name) => (completedAt(name) ?? '') > begun);
}

/** The same of a result that is recorded, whatever is planned. */
export const newerAncestors = (
  { name, dependsOn }: Pick<CalibrationSpec, 'name' | 'dependsOn'>,
  journal: Pick<JournalReads, 'calibration' | 'iteration'>,
): readonly string[] =>
  newerThan(journal.iteration(name, 0)?.startedAt ?? null, dependsOn, (each) => journal.calibration(each)?.completedAt ?? null);

/** Marked with `caf db state`, by somebody who knows better than the fingerprint. */
const isInvalid = (database: string): boolean => existsSync(join(database, STATE_FILE)) && stateOf(database) === 'invalid';

function digestsOf(fingerprint: Fingerprint, digest: (text: string) => string): ReturnType<PlannedCalibration['digests']> {
  // The two have keys in common: code, and setup and env of a collection and an algorithm of one name.
  const parts = [fingerprint.collectors, fingerprint.algorithms].map((part) => Object.entries(part).sort());
  const of = (test: (key: string) => boolean) => digest(JSON.stringify(parts.map((entries) => entries.filter(([key]) => test(key)))));
  const isFiles = (key: string) => key.startsWith('files');
  const isCode = (key: string) => key.startsWith('code');
  return { inputs: of(isFiles), code: of(isCode), options: of((key) => !isFiles(key) && !isCode(key)) };
}
