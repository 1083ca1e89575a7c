// `caf db publish` and `rollback`: the results of a campaign as one checked database under a tag; the branch `published` says which one is in use.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { CafError } from '../domain/errors.ts';
import { objectsOf } from '../payloads/store.ts';
import { describeUsable } from './chain.ts';
import { checkRefName, directoryOfRef } from './find-ref.ts';
import { flattenChain } from './flatten.ts';
import { openDatabase } from './open.ts';
import { diffDatabases } from './queries.ts';
import { readRefChanges } from './refs.ts';
import { currentRefs, type Ref, type RefChange } from './refs-file.ts';
import { openRegistry, type Registry } from './registry.ts';
import type { RefMove } from './registry-writer.ts';
import { changeState, checkUsable, stateOf } from './state.ts';
import { verifyDatabase } from './verify.ts';

/** The branch that consumers follow: `results@published`. */
export const PUBLISHED = 'published';
/** No calibration can have this name. */
const DIRECTORY = '_published';

export interface PublishRequest {
  readonly tag: string;
  /** Directories of the final databases, highest priority first. */
  readonly databases: readonly string[];
  readonly note: string;
  readonly actor: string;
  readonly dryRun: boolean;
  readonly now?: () => Date;
}

export interface PublishReport {
  readonly v: 1;
  readonly tag: string;
  readonly directory: string;
  /** Null for a dry run. */
  readonly versionId: string | null;
  /** The tag (or version) that was in use before; null for the first. */
  readonly previous: string | null;
  /** Intervals whose answer differs from what was in use before; null for a dry run, for the first, and where that cannot be read. */
  readonly changes: number | null;
}

/**
 * Under the lease throughout: no campaign changes what is being published. A publication that was cut off is taken up again.
 * CAF_USAGE without a note, CAF_DB_REF for a tag that exists, CAF_RESULTS_LOCKED, CAF_DB_DAMAGED when the new database is not sound.
 */
export async function publishCampaign(results: string, request: PublishRequest): Promise<PublishReport> {
  const { tag, note, actor, dryRun, now = () => new Date() } = request;
  checkRefName(tag);
  needNote(note, dryRun);
  const directory = join(results, DIRECTORY, tag);
  const refs = currentRefs(readRefChanges(results));
  if (refs.has(tag)) {
    throw new CafError('CAF_DB_REF', `The ${refs.get(tag)?.kind ?? 'tag'} ${tag} exists; what is published stays what it is`, {
      hint: 'Choose another tag: caf db ls shows those that exist.',
    });
  }
  const before = refs.get(PUBLISHED) ?? null;
  const previous = before === null ? null : nameOf(refs, before.versionId);
  const lock = { v: 1 as const, databases: request.databases.map((path) => describeUsable(path)) };
  if (dryRun) return { v: 1, tag, directory, versionId: null, previous, changes: null };

  const registry = await openRegistry(results, { command: 'caf db publish', now });
  try {
    if (!existsSync(directory)) await flattenChain(lock, { directory, objects: objectsOf(results), message: `${tag}: ${note}` });
    else checkSame(directory, lock.databases);
    const report = await verifyDatabase(directory);
    if (!report.ok) {
      throw new CafError('CAF_DB_DAMAGED', `${directory} is not sound and is not published: ${report.problems.length} problems`, {
        hint: `See them with: caf db verify ${directory}`,
      });
    }
    const by = { at: now().toISOString(), actor };
    if (stateOf(directory) === 'committed') changeState(directory, { ...by, state: 'validated', note: 'every byte verified' });
    if (stateOf(directory) === 'validated') changeState(directory, { ...by, state: 'published', note });
    const { versionId } = registry.register(directory);
    registry.move([
      { name: tag, kind: 'tag', to: versionId, expected: null, ...by, reason: note },
      { name: PUBLISHED, kind: 'branch', to: versionId, expected: before?.versionId ?? null, ...by, reason: `${tag}: ${note}` },
    ]);
    const changes = before === null ? null : countChanges(results, before, directory);
    return { v: 1, tag, directory, versionId, previous, changes };
  } finally {
    registry.close();
  }
}

/** A database that an earlier, cut off publication made must be of the same results. */
function checkSame(directory: string, databases: readonly { readonly versionId: string | null }[]): void {
  const made = describeParents(directory);
  const meant = databases.map(({ versionId }) => versionId);
  if (made.length === meant.length && made.every((id, at) => id === meant[at])) return;
  throw new CafError('CAF_DB_EXISTS', `${directory} was made of other results, and its tag was never set`, {
    hint: 'Move it away, or choose another tag.',
  });
}

function describeParents(directory: string): readonly string[] {
  const database = openDatabase(directory);
  try {
    return database.parents().map(({ versionId }) => versionId);
  } finally {
    database.close();
  }
}

function countChanges(results: string, before: Ref, directory: string): number | null {
  try {
    return diffDatabases(directoryOfRef(results, before), directory).changes.length;
  } catch (error) {
    // What was in use before may be gone or damaged: the publication stands, only the comparison cannot be made.
    if (error instanceof CafError) return null;
    throw error;
  }
}

/** The tag of a version, or its first digits. */
const nameOf = (refs: ReadonlyMap<string, Ref>, versionId: string): string =>
  [...refs.values()].findLast((ref) => ref.kind === 'tag' && ref.versionId === versionId)?.name ?? versionId.slice(0, 12);

export interface RollbackReport {
  readonly v: 1;
  readonly from: string;
  readonly to: string;
  readonly directory: string;
  readonly dryRun: boolean;
}

/**
 * `published` goes back to `tag`, or to what was published before; once more, to what was published before that. Nothing is deleted. CAF_DB_REF when there is nothing to go back to,
 * CAF_DB_STATE when that was never published or is invalid.
 */
export async function rollBack(
  results: string,
  request: Omit<PublishRequest, 'tag' | 'databases'> & { readonly tag: string | null },
): Promise<RollbackReport> {
  const { tag, note, actor, dryRun, now = () => new Date() } = request;
  needNote(note, dryRun);
  const changes = readRefChanges(results);
  const refs = currentRefs(changes);
  const current = refs.get(PUBLISHED);
  if (current === undefined) {
    throw new CafError('CAF_DB_REF', `Nothing was ever published in ${results}`, { hint: 'caf db publish TAG --note "..."' });
  }
  const target = tag === null ? beforeCurrent(changes) : refs.get(tag);
  if (target === undefined) {
    const problem =
      tag === null ? `There is nothing before ${nameOf(refs, current.versionId)}, the first that was published` : `There is no tag ${tag}`;
    throw new CafError('CAF_DB_REF', problem, { hint: 'See what there is with: caf db reflog published' });
  }
  const directory = directoryOfRef(results, target);
  checkUsable(directory, stateOf(directory), ['published']);
  const report = { v: 1 as const, from: nameOf(refs, current.versionId), to: nameOf(refs, target.versionId), directory, dryRun };
  if (dryRun) return report;
  const registry: Registry = await openRegistry(results, { command: 'caf db rollback', now });
  try {
    const move: RefMove = {
      name: PUBLISHED,
      kind: 'branch',
      to: target.versionId,
      expected: current.versionId,
      at: now().toISOString(),
      actor,
      reason: `back to ${report.to}: ${note}`,
    };
    registry.register(directory);
    registry.move([move]);
    return report;
  } finally {
    registry.close();
  }
}

/**
 * What was published before what is in use, as a ref of its own. What was gone back from does not count: to go back twice must not bring
 * it into use again.
 */
function beforeCurrent(changes: readonly RefChange[]): Ref | undefined {
  const path: RefChange[] = [];
  for (const change of changes.filter(({ ref }) => ref === PUBLISHED)) {
    const known = path.findIndex((earlier) => earlier.new === change.new);
    if (change.new === null) path.length = 0;
    else if (known !== -1) path.length = known + 1;
    else path.push(change);
  }
  const before = path.at(-2);
  return before === undefined || before.new === null
    ? undefined
    : { name: PUBLISHED, kind: 'branch', versionId: before.new, directory: before.directory, at: before.at };
}

function needNote(note: string, dryRun: boolean): void {
  if (note.trim() !== '' || dryRun) return;
  throw new CafError('CAF_USAGE', 'What is published changes for everybody who follows it: say why', { hint: 'Add: --note "..."' });
}
