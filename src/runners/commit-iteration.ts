// From reported results to sealed databases: an iteration's localdb, the draft between algorithms, and the calibration's result.

import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describeDatabase, describeUsable } from '../database/chain.ts';
import { flattenChain } from '../database/flatten.ts';
import { contentIdOfEntries, publishDatabase, writeDraft } from '../database/publish.ts';
import { stateOf } from '../database/state.ts';
import type { DatabaseInput, EntryInput, PublishedVersion, TransactionInput } from '../database/types.ts';
import type { AlgorithmSpec, CalibrationSpec } from '../domain/calibration.ts';
import { formatIov, isSingleRun } from '../domain/iov.ts';
import type { CommitOutcome } from '../machines/calibration-machine.ts';
import { objectsOf } from '../payloads/store.ts';
import type { ChainMember } from '../worker/contract.ts';
import type { PlannedCalibration } from './campaign-plan.ts';
import { chainOf } from './chain-of.ts';
import { type Hands, iterationDirectory } from './hands.ts';
import { keepUnderItsVersion } from './tidy-directory.ts';

/** The entries are nothing but what the strategies reported as ok or iterate, in that order: rows are the truth, images are made from them. */
function entriesOf(hands: Hands, spec: CalibrationSpec, iteration: number, algorithms: readonly AlgorithmSpec[]) {
  const entries: EntryInput[] = [];
  const transactions: TransactionInput[] = [];
  let iterate = false;
  for (const algorithm of algorithms) {
    const known = hands.journal.algorithm(spec.name, iteration, algorithm.name);
    if (known === null) continue;
    const transaction = transactions.length;
    transactions.push(transactionOf(hands, spec, iteration, algorithm.name));
    for (const report of known.reports) {
      if (report.result === 'iterate') iterate = true;
      if (report.result !== 'ok' && report.result !== 'iterate') continue;
      const execution = known.executions[report.execution];
      for (const payload of execution?.payloads ?? []) entries.push({ payload, iov: payload.iov ?? report.iov, transaction });
    }
  }
  return { entries, transactions, iterate };
}

function transactionOf(hands: Hands, spec: CalibrationSpec, iteration: number, algorithm: string): TransactionInput {
  const digests = hands.plan.calibration(spec.name).digests();
  const counts = hands.journal.jobCounts(spec.name, iteration);
  return {
    at: new Date().toISOString(),
    actor: hands.actor,
    calibration: spec.name,
    algorithm,
    iteration,
    attempt: hands.journal.invocation,
    collectorJob: counts.total === 0 ? null : `${counts.succeeded} of ${counts.total} jobs`,
    inputsDigest: digests.inputs,
    codeDigest: digests.code,
    configDigest: digests.options,
    message: counts.failed === 0 ? '' : `${counts.failed} of ${counts.total} collector jobs are missing (quorum ${spec.quorum})`,
  };
}

/** Event numbers begin anew with each run: a part chosen by event for several runs is hardly what was meant. */
function warnOfWideParts(hands: Hands, calibration: string, iteration: number, entries: readonly EntryInput[]): void {
  const wide = entries.filter(({ payload, iov }) => payload.parts !== undefined && !isSingleRun(iov));
  const [first] = wide;
  if (first === undefined) return;
  hands.emit({
    type: 'warning',
    code: 'CAF_PAYLOAD_EVENT',
    calibration,
    iteration,
    message: `The intra-run payload ${first.payload.name} is valid for ${formatIov(first.iov)}, which is more than one run${wide.length === 1 ? '' : ` (and ${wide.length - 1} more)`}: event numbers begin anew with each run`,
    hint: 'Commit it with an interval of one run: commitIntraRun(definition, parts, { iov: [e, r, e, r] }).',
  });
}

function inputOf(hands: Hands, spec: CalibrationSpec, iteration: number): DatabaseInput & { readonly iterate: boolean } {
  const { lock, parents } = chainOf(hands, spec, iteration);
  return { ...entriesOf(hands, spec, iteration, spec.algorithms), parents, chain: lock };
}

/** Payloads of the algorithms before this one, as the topmost member of its chain; null when they committed nothing. */
export async function draftOf(
  hands: Hands,
  spec: CalibrationSpec,
  iteration: number,
  before: readonly AlgorithmSpec[],
): Promise<ChainMember | null> {
  const { entries, transactions } = entriesOf(hands, spec, iteration, before);
  if (entries.length === 0) return null;
  const directory = join(
    iterationDirectory(hands.spec.output, spec.name, iteration),
    'algorithms',
    `.draft-${contentIdOfEntries(entries).slice(0, 12)}`,
  );
  if (existsSync(directory)) rmSync(directory, { recursive: true });
  const draft = await writeDraft({ entries, transactions, parents: [], chain: null }, { directory, objects: objectsOf(hands.spec.output) });
  return { label: 'draft', versionId: null, contentId: draft.contentId, viewId: draft.viewId, path: draft.directory };
}

/** Publishes the iteration's local database, whatever the outcome. */
export async function commitIteration(
  hands: Hands,
  planned: PlannedCalibration,
  iteration: number,
  failed: boolean,
): Promise<CommitOutcome> {
  const { spec } = planned;
  const base = iterationDirectory(hands.spec.output, spec.name, iteration);
  const directory = join(base, 'localdb');
  const { iterate, ...input } = inputOf(hands, spec, iteration);
  warnOfWideParts(hands, spec.name, iteration, input.entries);
  hands.journal.commit();
  mkdirSync(base, { recursive: true });
  const version =
    existing(directory, input.entries) ?? (await publishDatabase(input, { directory, objects: objectsOf(hands.spec.output) }));
  hands.journal.append({
    kind: 'iteration.committed',
    calibration: spec.name,
    iteration,
    versionId: version.versionId,
    contentId: version.contentId,
    viewId: version.viewId,
    outcome: failed ? 'failed' : iterate ? 'iterate' : 'ok',
  });
  hands.emit({
    type: 'iteration.committed',
    calibration: spec.name,
    iteration,
    versionId: version.versionId,
    viewId: version.viewId,
    payloads: input.entries.length,
    directory: `${spec.name}/${iteration}/localdb`,
    iterate,
  });
  return { iterate };
}

/** A database that was published just before a crash is kept if it holds the same; any other one, and one that is invalid by now, makes room under its version's name. */
function existing(directory: string, entries: readonly EntryInput[]): Pick<PublishedVersion, 'versionId' | 'contentId' | 'viewId'> | null {
  if (!existsSync(directory)) return null;
  const found = describeDatabase(directory);
  const isSame = found.contentId === contentIdOfEntries(entries) && stateOf(directory) !== 'invalid';
  if (isSame && found.versionId !== null) return { ...found, versionId: found.versionId };
  keepUnderItsVersion(directory);
  return null;
}

/** The calibration's result: its iterations flattened, newest first. */
export async function publishResult(
  hands: Hands,
  planned: PlannedCalibration,
  iteration: number,
  converged: boolean,
): Promise<{ payloads: number }> {
  const { spec } = planned;
  const directory = join(hands.spec.output, spec.name, 'localdb');
  hands.journal.commit();
  keepUnderItsVersion(directory);
  const databases = Array.from({ length: iteration + 1 }, (_, n) => iteration - n).map(
    (n): ChainMember => ({
      ...describeUsable(join(iterationDirectory(hands.spec.output, spec.name, n), 'localdb')),
      label: `${spec.name}/${n}`,
    }),
  );
  const version = await flattenChain({ v: 1, databases }, { directory, objects: objectsOf(hands.spec.output) });
  hands.journal.append({
    kind: 'calibration.completed',
    calibration: spec.name,
    iteration,
    versionId: version.versionId,
    contentId: version.contentId,
    viewId: version.viewId,
    converged,
    payloads: version.entries,
  });
  return { payloads: version.entries };
}
