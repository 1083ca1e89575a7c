// Questions of the command line about databases, answered as the JSON shapes of design/product.md section 4.
import { existsSync, readFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { CafError } from '../domain/errors.ts';
import { type Iov, keysToIov, type Run } from '../domain/iov.ts';
import type { MadeBy } from '../domain/payload.ts';
import type { ChainLock, ChainMember } from '../worker/contract.ts';
import { describeDatabase, madeByOf, notFound, openChain } from './chain.ts';
import { segmentsOf } from './content.ts';
import { type Change, diffViews } from './diff.ts';
import { LOCK_FILE } from './layout.ts';
import { findDatabase, type LocalDatabase, openDatabase } from './open.ts';
import type { Answer, ParentInput, TransactionInput } from './types.ts';

export interface ShownDatabase {
  readonly v: 1;
  readonly versionId: string | null;
  readonly contentId: string;
  readonly viewId: string;
  readonly state: LocalDatabase['state'];
  readonly entries: readonly {
    readonly seq: number;
    readonly name: string;
    readonly iov: Iov;
    readonly revision: string;
    readonly sha256: string;
    readonly size: number;
    readonly madeBy: MadeBy | null;
  }[];
  readonly view: readonly { readonly name: string; readonly iov: Iov; readonly sha256: string }[];
}

/** caf db show PATH --json */
export function showDatabase(path: string): ShownDatabase {
  return using(path, (database) => {
    const transactions = database.transactions();
    const views = new Map(
      database
        .names()
        .map((name) => [name, database.view(name)] as const)
        .filter(hasView),
    );
    return {
      v: 1,
      versionId: database.versionId,
      contentId: database.contentId,
      viewId: database.viewId,
      state: database.state,
      entries: database.entries().map(({ seq, payload, lo, hi, transaction }) => ({
        seq,
        name: payload.name,
        iov: keysToIov(lo, hi),
        revision: payload.revision,
        sha256: payload.sha256,
        size: payload.size,
        madeBy: madeByOf(transactions[transaction]),
      })),
      view: Array.from(segmentsOf(views), ({ name, lo, hi, sha256 }) => ({ name, iov: keysToIov(lo, hi), sha256 })),
    };
  });
}

const hasView = <T>(pair: readonly [string, T | null]): pair is readonly [string, T] => pair[1] !== null;

export interface FoundPayload {
  readonly answer: Answer;
  readonly bytes: Buffer;
}

/** The payload that is valid for a run. CAF_DB_NOT_FOUND, CAF_DB_PAYLOAD_MISSING, CAF_DB_PAYLOAD_CORRUPT. */
export function getPayload(path: string, name: string, run: Run): FoundPayload {
  const lock: ChainLock = { v: 1, databases: [describeDatabase(path)] };
  const chain = openChain(lock);
  try {
    const answer = chain.lookup(name, run);
    if (answer === null) throw notFound([name], run, lock);
    return { answer, bytes: chain.read(answer) };
  } finally {
    chain.close();
  }
}

export interface LoggedVersion {
  readonly directory: string;
  readonly versionId: string | null;
  readonly contentId: string;
  readonly viewId: string;
  readonly state: LocalDatabase['state'];
  readonly createdAt: string | null;
  readonly parents: readonly ParentInput[];
  readonly transactions: readonly (TransactionInput & { readonly entries: number })[];
}

/** caf db log: who made what, in one database. */
export function logDatabase(path: string): { readonly v: 1 } & LoggedVersion {
  return using(path, (database) => {
    const counts = new Map<number, number>();
    for (const { transaction } of database.entries()) counts.set(transaction, (counts.get(transaction) ?? 0) + 1);
    const { directory, versionId, contentId, viewId, state, createdAt } = database;
    const transactions = database.transactions().map((transaction, index) => ({ ...transaction, entries: counts.get(index) ?? 0 }));
    return { v: 1, directory, versionId, contentId, viewId, state, createdAt, parents: database.parents(), transactions };
  });
}

/** caf db diff A B --json */
export function diffDatabases(a: string, b: string): { readonly v: 1; readonly changes: readonly Change[] } {
  return using(a, (left) => using(b, (right) => ({ v: 1, changes: left.viewId === right.viewId ? [] : diffViews(left, right) })));
}

export interface ShownChain {
  readonly v: 1;
  /** Highest priority first. `found`: what lies at the path now. */
  readonly databases: readonly (ChainMember & { readonly found: 'as locked' | 'another version' | 'missing' | 'unreadable' })[];
}

/** caf db chain: the chain that was used to produce a database (or any chain.lock.json), and whether its members are still there. */
export function showChain(path: string): ShownChain {
  const given = resolve(path);
  const file = basename(given).endsWith('.json')
    ? given
    : existsSync(join(given, LOCK_FILE))
      ? join(given, LOCK_FILE)
      : join(findDatabase(path), LOCK_FILE);
  if (!existsSync(file)) {
    throw new CafError('CAF_DB_MISSING', `${file} does not exist: this database was not made on top of a chain`, {
      hint: 'Databases made by import have no chain; those of `caf run` and `caf db flatten` have one.',
    });
  }
  return { v: 1, databases: readLock(file).databases.map((member) => ({ ...member, found: findMember(member) })) };
}

/** Reads and checks a chain.lock.json. CAF_DB_DAMAGED. */
export function readLock(file: string): ChainLock {
  let problem = 'it has no list of databases';
  try {
    const lock: unknown = JSON.parse(readFileSync(file, 'utf8'));
    if (isLock(lock)) return lock;
  } catch (error) {
    problem = error instanceof Error ? error.message : String(error);
  }
  throw new CafError('CAF_DB_DAMAGED', `${file} is not a lock of a database chain: ${problem}`, { hint: 'Restore it from a copy.' });
}

const isText = (value: unknown): value is string => typeof value === 'string';

function isLock(value: unknown): value is ChainLock {
  if (typeof value !== 'object' || value === null || !('databases' in value) || !Array.isArray(value.databases)) return false;
  return value.databases.every((member: Partial<ChainMember> | null) => {
    if (member === null || typeof member !== 'object') return false;
    const ids = isText(member.contentId) && isText(member.viewId) && (member.versionId === null || isText(member.versionId));
    return ids && isText(member.label) && isText(member.path);
  });
}

function findMember(member: ChainMember): ShownChain['databases'][number]['found'] {
  try {
    const { versionId, contentId, viewId } = describeDatabase(member.path);
    return versionId === member.versionId && contentId === member.contentId && viewId === member.viewId ? 'as locked' : 'another version';
  } catch (error) {
    if (!(error instanceof CafError)) throw error;
    return error.code === 'CAF_DB_MISSING' ? 'missing' : 'unreadable';
  }
}

function using<T>(path: string, ask: (database: LocalDatabase) => T): T {
  const database = openDatabase(path);
  try {
    return ask(database);
  } finally {
    database.close();
  }
}
