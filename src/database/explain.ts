// `caf db lookup` and `blame`: who answers for a run and why the others do not, and which versions ever answered it.
import { existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import { CafError, errorText } from '../domain/errors.ts';
import { contains, formatIov, type Iov, iovToKeys, keysToIov, type Run, runKey } from '../domain/iov.ts';
import { nearest } from '../domain/nearest.ts';
import type { MadeBy } from '../domain/payload.ts';
import type { ChainLock, ChainMember } from '../worker/contract.ts';
import { describeDatabase, madeByOf, notFound, openChain } from './chain.ts';
import { LOCK_FILE } from './layout.ts';
import { type LocalDatabase, openDatabase } from './open.ts';
import { readLock } from './queries.ts';
import { readRefChanges } from './refs.ts';
import { currentRefs } from './refs-file.ts';
import { findDatabaseDirectories, placeOf } from './scan.ts';
import { checkUsable } from './state.ts';
import type { Answer, TransactionInput } from './types.ts';

/** An entry of a database that holds the run. */
export interface HeldEntry {
  readonly seq: number;
  readonly iov: Iov;
  readonly revision: string;
  readonly sha256: string;
  /** Number of the entry that hides it in this database; null for the one that wins there. */
  readonly hiddenBy: number | null;
}

export interface Layer {
  readonly label: string;
  readonly path: string;
  readonly versionId: string | null;
  /** `covered`: it holds the run, but a higher one answers. */
  readonly verdict: 'answers' | 'covered' | 'not valid' | 'unknown name' | 'unusable';
  readonly reason: string;
  readonly entries: readonly HeldEntry[];
}

export interface Explanation {
  readonly v: 1;
  readonly name: string;
  readonly run: Run;
  /** Null when no database answers. */
  readonly answer: Answer | null;
  /** Highest priority first. */
  readonly layers: readonly Layer[];
}

/** A chain.lock.json, or a database; `below`: databases of lower priority; `withChain`: and the chain it was made on. */
export function chainAt(path: string, below: readonly string[], withChain: boolean): ChainLock {
  const own = basename(path).endsWith('.json') ? readLock(path).databases : [describeDatabase(path)];
  const lockFile = join(own[0]?.path ?? path, LOCK_FILE);
  const made: readonly ChainMember[] = withChain && existsSync(lockFile) ? readLock(lockFile).databases : [];
  return { v: 1, databases: [...own, ...made, ...below.map((one) => describeDatabase(one))] };
}

/** CAF_DB_NOT_FOUND when nothing answers. */
export function lookup(lock: ChainLock, name: string, run: Run): Answer {
  const chain = openChain(lock);
  try {
    const answer = chain.lookup(name, run);
    if (answer === null) throw notFound([name], run, lock);
    return answer;
  } finally {
    chain.close();
  }
}

/** Every layer of a chain, and why it answers or does not. Layers that cannot be used are told, not thrown. */
export function explainLookup(lock: ChainLock, name: string, run: Run): Explanation {
  const usable: ChainMember[] = [];
  let answering: string | null = null;
  const layers = lock.databases.map((member): Layer => {
    const { label, path, versionId } = member;
    const told = { label, path, versionId };
    let database: LocalDatabase;
    try {
      database = openDatabase(path);
    } catch (error) {
      return { ...told, verdict: 'unusable', reason: errorText(error).message, entries: [] };
    }
    try {
      checkUsable(database.directory, database.state);
      if (database.versionId !== versionId) {
        const reason = `the chain names version ${versionId ?? 'draft'}, found ${database.versionId ?? 'a draft'}`;
        return { ...told, verdict: 'unusable', reason, entries: [] };
      }
      usable.push(member);
      const entries = entriesAt(database, name, run);
      if (entries.length === 0) return { ...told, ...whyNot(database, name, run), entries };
      if (answering !== null) return { ...told, verdict: 'covered', reason: `it holds this run, but ${answering} is higher`, entries };
      answering = label;
      return { ...told, verdict: 'answers', reason: `entry ${entries[0]?.seq ?? 0} of ${database.entries(name).length}`, entries };
    } catch (error) {
      if (!(error instanceof CafError)) throw error;
      return { ...told, verdict: 'unusable', reason: error.message, entries: [] };
    } finally {
      database.close();
    }
  });
  const chain = openChain({ v: 1, databases: usable });
  try {
    return { v: 1, name, run, answer: chain.lookup(name, run), layers };
  } finally {
    chain.close();
  }
}

/** Entries that hold the run, the winner first. */
function entriesAt(database: LocalDatabase, name: string, run: Run): readonly HeldEntry[] {
  const holding = database.entries(name).filter(({ lo, hi }) => lo <= runKey(run) && runKey(run) <= hi);
  const winner = holding.at(-1)?.seq ?? 0;
  return holding.toReversed().map(({ seq, lo, hi, payload }) => ({
    seq,
    iov: keysToIov(lo, hi),
    revision: payload.revision,
    sha256: payload.sha256,
    hiddenBy: seq === winner ? null : winner,
  }));
}

function whyNot(database: LocalDatabase, name: string, run: Run): Pick<Layer, 'verdict' | 'reason'> {
  const view = database.view(name);
  if (view === null) {
    const near = nearest(name, database.names());
    const hint = near === null ? '' : `; it has ${near}`;
    return { verdict: 'unknown name', reason: `it has no payload ${name}${hint}` };
  }
  const iovs = Array.from(view.lo, (lo, at) => keysToIov(lo, view.hi[at] ?? 0));
  const before = iovs.findLast((iov) => iovToKeys(iov)[1] < runKey(run));
  const after = iovs.find((iov) => iovToKeys(iov)[0] > runKey(run));
  const around = [
    ...(before === undefined ? [] : [`before: ${formatIov(before)}`]),
    ...(after === undefined ? [] : [`after: ${formatIov(after)}`]),
  ];
  return { verdict: 'not valid', reason: `it has ${name}, but not for this run (${around.join('; ')})` };
}

// -------------------------------------------------------------------------------------------------------------- blame

export interface Blame {
  /** Relative to the results directory where it lies in it. */
  readonly directory: string;
  readonly versionId: string | null;
  readonly state: string;
  /** Tags and branches that stand for this version. */
  readonly names: readonly string[];
  readonly iov: Iov;
  readonly revision: string;
  readonly sha256: string;
  readonly madeBy: MadeBy | null;
  readonly transaction: TransactionInput;
}

/**
 * Every database of a results directory that answers for this run, newest first, each with who made the answer, from which inputs,
 * code and configuration. `all`: also entries that are hidden in their database.
 */
export function blameIn(results: string, name: string, run: Run, all: boolean): readonly Blame[] {
  const names = Map.groupBy(currentRefs(readRefChanges(results)).values(), ({ versionId }) => versionId);
  return findDatabaseDirectories(results)
    .flatMap((directory) => blameOf(directory, name, run, all))
    .map((one) => ({
      ...one,
      directory: placeOf(results, one.directory),
      names: (names.get(one.versionId ?? '') ?? []).map((ref) => ref.name),
    }))
    .sort((a, b) => (a.transaction.at < b.transaction.at ? 1 : a.transaction.at > b.transaction.at ? -1 : 0));
}

/** The entries of one database that hold the run, the winner first. */
export function blameOf(directory: string, name: string, run: Run, all: boolean): readonly Blame[] {
  const database = openDatabase(directory);
  try {
    const transactions = database.transactions();
    const holding = database.entries(name).filter(({ lo, hi }) => contains(keysToIov(lo, hi), run));
    return (all ? holding.toReversed() : holding.slice(-1)).map((entry): Blame => {
      const transaction = transactions[entry.transaction];
      if (transaction === undefined) throw new CafError('CAF_DB_DAMAGED', `${directory} has no transaction ${entry.transaction + 1}`);
      return {
        directory: database.directory,
        versionId: database.versionId,
        state: database.state,
        names: [],
        iov: keysToIov(entry.lo, entry.hi),
        revision: entry.payload.revision,
        sha256: entry.payload.sha256,
        madeBy: madeByOf(transaction),
        transaction,
      };
    });
  } finally {
    database.close();
  }
}
