// A chain of immutable databases, highest priority first: the first one whose view holds the run for that name wins.
import { existsSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { CafError } from '../domain/errors.ts';
import { FOREVER, type Iov, iovToKeys, keysToIov, type Run, runKey } from '../domain/iov.ts';
import type { MadeBy } from '../domain/payload.ts';
import { boundariesOfParts } from '../payloads/parts.ts';
import { hasObject, readChecked, readObject } from '../payloads/store.ts';
import type { ChainLock, ChainMember } from '../worker/contract.ts';
import { createLookup } from './chain-lookup.ts';
import type { PayloadRow } from './content.ts';
import { compareNames, viewIdOf } from './identity.ts';
import { type LocalDatabase, openDatabase } from './open.ts';
import { coalesce, paint } from './resolve.ts';
import { checkUsable, type DatabaseState, STATE_FILE, stateOf } from './state.ts';
import type { Answer, Chain, ChainSegment, TransactionInput } from './types.ts';

export interface ChainOptions {
  /** An object store to read payloads from whose file is missing in the database's directory. */
  readonly objects?: string;
  /** States its databases may have; `invalid` never. Default: all others. */
  readonly usableStates?: readonly DatabaseState[];
}

/** A chain as this room sees it: with its databases. */
export interface OpenChain extends Chain {
  /** The database of a member, opened and checked against the lock. */
  database(member: number): LocalDatabase;
  /** One resolved, disjoint interval each, sorted by name, then start. */
  materialise(range?: Iov): readonly MaterialSegment[];
}

export interface MaterialSegment {
  readonly name: string;
  readonly lo: number;
  readonly hi: number;
  readonly payload: PayloadRow;
  /** Index into the lock's databases. */
  readonly member: number;
  /** Winning entry of the first part, within that database. */
  readonly seq: number;
}

/** What a lock says of a database. Its label is made of the last directories: `pedestals/0`. */
export function describeDatabase(path: string, label?: string): ChainMember {
  const database = openDatabase(path);
  try {
    const { versionId, contentId, viewId, directory } = database;
    return { label: label ?? labelOf(directory), versionId, contentId, viewId, path: directory };
  } finally {
    database.close();
  }
}

/** describeDatabase for what shall be part of a chain: CAF_DB_STATE for an invalid one. */
export function describeUsable(path: string, label?: string): ChainMember {
  const member = describeDatabase(path, label);
  if (existsSync(join(member.path, STATE_FILE))) checkUsable(member.path, stateOf(member.path));
  return member;
}

function labelOf(directory: string): string {
  const own = basename(directory) === 'localdb' ? dirname(directory) : directory;
  const above = basename(dirname(own));
  return above === '' ? basename(own) : `${above}/${basename(own)}`;
}

/** Members are opened when first asked; refused are what the lock does not name (CAF_DB_VERSION_MISMATCH) and what is invalid (CAF_DB_STATE). */
export function openChain(lock: ChainLock, options: ChainOptions = {}): OpenChain {
  const opened = new Map<number, LocalDatabase>();
  const database = (index: number): LocalDatabase => {
    let found = opened.get(index);
    if (found === undefined) {
      const member = lock.databases[index];
      if (member === undefined) throw new Error(`the chain has no member ${index}`);
      found = openMember(member, options.usableStates);
      opened.set(index, found);
    }
    return found;
  };
  const indexes = lock.databases.map((_, index) => index);
  const provenance = new Map<number, readonly TransactionInput[]>();
  const madeBy = (member: number, transaction: number): MadeBy | null => {
    let transactions = provenance.get(member);
    if (transactions === undefined) {
      transactions = database(member).transactions();
      provenance.set(member, transactions);
    }
    return madeByOf(transactions[transaction]);
  };

  const find = createLookup(indexes.length, database, (name) => materialiseName(indexes.map(database), name, undefined));

  return {
    lock,
    database,
    lookup(name: string, run: Run): Answer | null {
      const key = runKey(run);
      const found = find(name, key);
      return found === null ? null : answer(found.member, found.payload, name, key, keysToIov(found.lo, found.hi));
    },
    names: () => [...new Set(indexes.flatMap((index) => database(index).names()))].sort(compareNames),
    segments: (range) => materialise(range).map((segment) => chainSegment(segment)),
    materialise,
    read(answer) {
      const { file, sha256, size } = answer;
      try {
        return readChecked(file, sha256);
      } catch (error) {
        const isMissing = error instanceof CafError && error.code === 'CAF_DB_PAYLOAD_MISSING';
        if (!isMissing || options.objects === undefined || !hasObject(options.objects, sha256, size)) throw error;
        return readObject(options.objects, sha256);
      }
    },
    close() {
      for (const member of opened.values()) member.close();
      opened.clear();
    },
  };

  function answer(index: number, payload: PayloadRow, name: string, key: number, effective: Iov): Answer {
    const member = memberOf(index);
    const winner = database(index).winner(name, key);
    if (winner === null || winner.payload.sha256 !== payload.sha256) {
      throw new CafError('CAF_DB_DAMAGED', `The view of ${name} in ${member.path} does not follow from its entries`, {
        hint: `See what is wrong with: caf db verify ${member.path}`,
      });
    }
    return {
      name,
      sha256: payload.sha256,
      revision: payload.revision,
      size: payload.size,
      mediaType: payload.mediaType,
      boundaries: boundariesOf(payload),
      label: member.label,
      versionId: member.versionId,
      iov: keysToIov(winner.lo, winner.hi),
      effective,
      madeBy: madeBy(index, winner.transaction),
      file: database(index).fileOf(payload),
    };
  }

  function chainSegment({ name, lo, hi, payload, member }: MaterialSegment): ChainSegment {
    return {
      name,
      iov: keysToIov(lo, hi),
      sha256: payload.sha256,
      md5: payload.md5,
      revision: payload.revision,
      size: payload.size,
      mediaType: payload.mediaType,
      boundaries: boundariesOf(payload),
      member: memberOf(member),
      file: database(member).fileOf(payload),
    };
  }

  function memberOf(index: number): ChainMember {
    const member = lock.databases[index];
    if (member === undefined) throw new Error(`the chain has no member ${index}`);
    return member;
  }

  function materialise(range?: Iov): readonly MaterialSegment[] {
    const databases = indexes.map(database);
    const names = [...new Set(databases.flatMap((one) => one.names()))].sort(compareNames);
    return names.flatMap((name) => materialiseName(databases, name, range));
  }
}

function openMember(member: ChainMember, usableStates: readonly DatabaseState[] | undefined): LocalDatabase {
  const database = openDatabase(member.path);
  try {
    checkUsable(database.directory, database.state, usableStates);
  } catch (error) {
    database.close();
    throw error;
  }
  for (const id of ['versionId', 'contentId', 'viewId'] as const) {
    if (database[id] === member[id]) continue;
    database.close();
    throw new CafError(
      'CAF_DB_VERSION_MISMATCH',
      `${member.path} is not the database the chain names (${member.label}): expected ${id} ${member[id]}, found ${database[id]}`,
      { hint: 'Put the right version back at this path; for new work, start `caf run` again, which locks the chain anew.' },
    );
  }
  return database;
}

/** The views of all members painted over each other, lowest priority first. */
function materialiseName(databases: readonly LocalDatabase[], name: string, range: Iov | undefined): readonly MaterialSegment[] {
  const [first, last] = range === undefined ? [0, FOREVER] : iovToKeys(range);
  const layers: MaterialSegment[] = [];
  for (let member = databases.length - 1; member >= 0; member--) {
    const view = databases[member]?.view(name) ?? null;
    if (view === null) continue;
    for (const [index, payload] of view.payloads.entries()) {
      const lo = Math.max(view.lo[index] ?? 0, first);
      const hi = Math.min(view.hi[index] ?? 0, last);
      if (lo <= hi) layers.push({ name, lo, hi, payload, member, seq: view.seqs[index] ?? 0 });
    }
  }
  const parts = coalesce(
    paint(
      Float64Array.from(layers, (layer) => layer.lo),
      Float64Array.from(layers, (layer) => layer.hi),
    ),
    (a, b) => layers[a]?.member === layers[b]?.member && layers[a]?.payload === layers[b]?.payload,
  );
  return Array.from(parts.winner, (winner, index) => ({
    ...(layers[winner] as MaterialSegment),
    lo: parts.lo[index] ?? 0,
    hi: parts.hi[index] ?? 0,
  }));
}

const boundariesOf = ({ parts }: PayloadRow): readonly number[] | null => (parts === undefined ? null : boundariesOfParts(parts));

/** The view id that the chain flattened would have. */
export const viewIdOfSegments = (segments: readonly MaterialSegment[]): string =>
  viewIdOf(segments.map(({ name, payload, lo, hi }) => ({ name, sha256: payload.sha256, lo, hi })));

export const madeByOf = (transaction: TransactionInput | undefined): MadeBy | null =>
  transaction === undefined || transaction.calibration === null || transaction.algorithm === null || transaction.iteration === null
    ? null
    : { calibration: transaction.calibration, algorithm: transaction.algorithm, iteration: transaction.iteration };

/** CAF_DB_NOT_FOUND for all missing payloads of a run at once, with every database that was searched. */
export function notFound(names: readonly string[], run: Run, lock: ChainLock): CafError {
  const searched = lock.databases.map(({ label }) => label).join(' > ');
  const what = names.length === 1 ? `No payload ${names[0]} is` : `No payloads ${names.join(', ')} are`;
  return new CafError(
    'CAF_DB_NOT_FOUND',
    `${what} valid for experiment ${run[0]}, run ${run[1]} in ${searched === '' ? 'an empty chain' : searched}`,
    {
      hint: 'Add a database that holds it (`databases` in the config), or look at the intervals with `caf db show`.',
    },
  );
}
