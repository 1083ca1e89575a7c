// A chain made into one database, and a chain's payloads as plain files for programs.
import { existsSync, readFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { CafError } from '../domain/errors.ts';
import { type Iov, keysToIov } from '../domain/iov.ts';
import { extensionOf, valueVersion } from '../payloads/name.ts';
import { hasObject, objectPath } from '../payloads/store.ts';
import type { ChainLock, ChainMember } from '../worker/contract.ts';
import { type MaterialSegment, type OpenChain, openChain, viewIdOfSegments } from './chain.ts';
import { type PayloadRow, takeRevision } from './content.ts';
import { payloadFileName } from './layout.ts';
import { type PayloadSource, placeDirectory, placePayload, writeSealed } from './place.ts';
import { publishFrom } from './publish.ts';
import { createWinners } from './segment-winners.ts';
import type { Chain, DatabaseInput, EntryInput, ParentInput, PublishedVersion, TransactionInput } from './types.ts';

export interface FlattenOptions {
  readonly directory: string;
  /** The object store that holds the payloads; those it lacks are taken from the databases' own files. */
  readonly objects?: string;
  /** Only this range of runs. */
  readonly range?: Iov;
  /** Why it was made; kept with every entry. Default: from which database it comes. */
  readonly message?: string;
}

/**
 * The materialised view of a chain as one database: same answers, same view id. One transaction per source and original
 * transaction, with its provenance; every member is a parent. The same chain gives the same version. CAF_DB_DRAFT for a draft.
 */
export async function flattenChain(lock: ChainLock, options: FlattenOptions): Promise<PublishedVersion> {
  const chain = openChain(lock, options.objects === undefined ? {} : { objects: options.objects });
  try {
    const parents = lock.databases.map((member) => parentOf(member, 'merge', options.directory));
    return await publishSegments(chain, chain.materialise(options.range), { ...options, parents, producedBy: lock });
  } finally {
    chain.close();
  }
}

/** CAF_DB_DRAFT for the draft of a running iteration. */
export function parentOf(member: ChainMember, role: ParentInput['role'], directory: string): ParentInput {
  if (member.versionId !== null) return { role, versionId: member.versionId, locator: relative(resolve(directory), member.path) };
  throw new CafError('CAF_DB_DRAFT', `${member.path} is the draft of a running iteration and has no version yet`, {
    hint: 'Use it once the iteration has been published.',
  });
}

export interface PublishSegments extends FlattenOptions {
  readonly parents: readonly ParentInput[];
  /** The chain it was made of, where it was one. */
  readonly producedBy: ChainLock | null;
}

/** A database of segments that were taken from the chain's members and perhaps edited; who made what is kept. */
export async function publishSegments(
  chain: OpenChain,
  segments: readonly MaterialSegment[],
  options: PublishSegments,
): Promise<PublishedVersion> {
  const flat = await publishFrom(inputOf(chain, segments, options), {
    directory: options.directory,
    objects: options.objects ?? null,
    sourceOf: sourcesOf(chain, segments, options.objects),
  });
  if (flat.viewId !== viewIdOfSegments(segments)) throw new Error(`the view of ${flat.directory} is not what was meant`);
  return flat;
}

function inputOf(chain: OpenChain, segments: readonly MaterialSegment[], { parents, message, producedBy }: PublishSegments): DatabaseInput {
  const transactions: TransactionInput[] = [];
  const numbers = new Map<string, number>();
  const databases = chain.lock.databases.map((_, index) => chain.database(index));
  const originals = databases.map((database) => database.transactions());
  const bySeq = databases.map((database) => transactionsBySeq(database.entries()));
  const numberOf = ({ member, seq }: MaterialSegment): number => {
    const original = bySeq[member]?.get(seq) ?? 0;
    const key = `${member} ${original}`;
    let number = numbers.get(key);
    if (number === undefined) {
      number = transactions.length;
      numbers.set(key, number);
      const source = originals[member]?.[original];
      const origin = chain.lock.databases[member];
      if (source === undefined || origin === undefined) throw new Error(`database ${member} has no transaction ${original}`);
      const reason = message ?? `from ${origin.label}, version ${origin.versionId}`;
      transactions.push({ ...source, message: source.message === '' ? reason : `${reason}: ${source.message}` });
    }
    return number;
  };
  const winners = createWinners(chain);
  /** One piece per transaction: neighbours that carry the same payload may have been made by different ones. */
  const piecesOf = (segment: MaterialSegment): readonly { readonly lo: number; readonly hi: number; readonly transaction: number }[] => {
    const pieces: { lo: number; hi: number; transaction: number }[] = [];
    for (const piece of (originals[segment.member]?.length ?? 0) < 2 ? [segment] : winners.split(segment)) {
      const transaction = numberOf(piece);
      const last = pieces.at(-1);
      if (last?.transaction === transaction) last.hi = piece.hi;
      else pieces.push({ lo: piece.lo, hi: piece.hi, transaction });
    }
    return pieces;
  };
  const entries = segments.flatMap((segment): readonly EntryInput[] => {
    const file = chain.database(segment.member).fileOf(segment.payload);
    const payload = { ...segment.payload, extension: extensionOf(file), iov: null };
    return piecesOf(segment).map(({ lo, hi, transaction }) => ({ payload, iov: keysToIov(lo, hi), transaction }));
  });
  return { entries, transactions, parents, chain: producedBy };
}

const transactionsBySeq = (entries: readonly { readonly seq: number; readonly transaction: number }[]): ReadonlyMap<number, number> =>
  new Map(entries.map(({ seq, transaction }) => [seq, transaction]));

/** An object if the store has it, else the file of the database it comes from; files of a text database may change and are copied. */
function sourcesOf(chain: OpenChain, segments: readonly MaterialSegment[], objects: string | undefined) {
  const byPayload = new Map(segments.map((segment) => [`${segment.name} ${segment.payload.sha256}`, segment]));
  return ({ name, sha256, size }: Pick<PayloadRow, 'name' | 'sha256' | 'size'>): PayloadSource => {
    if (objects !== undefined && hasObject(objects, sha256, size)) return { path: objectPath(objects, sha256), mayLink: true };
    const segment = byPayload.get(`${name} ${sha256}`);
    if (segment === undefined) throw new Error(`no segment carries ${name} ${sha256}`);
    const database = chain.database(segment.member);
    return { path: database.fileOf(segment.payload), mayLink: database.state !== 'text' };
  };
}

/** index.json of a conditions directory: per name what is valid where, sorted by start (docs/database.md). */
interface ConditionsIndex {
  readonly v: 1;
  readonly payloads: Readonly<Record<string, readonly IndexedPayload[]>>;
}

interface IndexedPayload {
  readonly iov: Iov;
  /** Name of the file beside index.json. */
  readonly file: string;
  readonly sha256: string;
  /** Of the definition it was written with; absent = 1, or not a value. */
  readonly version?: number;
  /** Of an intra-run payload: the events at which its later parts begin. */
  readonly boundaries?: readonly number[];
}

/**
 * Writes index.json and the payload files of a chain, for programs without a database client: per name the intervals on which
 * each file is the answer, sorted by start. Files are linked or copied. A directory with the same index is left as it is.
 */
export async function writeConditionsDirectory(chain: Chain, directory: string, range?: Iov): Promise<void> {
  const segments = chain.segments(range);
  const files = new Map<
    string,
    { readonly name: string; readonly source: PayloadSource; readonly sha256: string; readonly size: number }
  >();
  const taken = new Set<string>();
  // Without a prototype: `__proto__` is a name like any other.
  const payloads: Record<string, IndexedPayload[]> = Object.create(null);
  for (const { name, iov, sha256, md5, size, file, member, mediaType, boundaries } of segments) {
    const key = `${name} ${sha256}`;
    let placed = files.get(key);
    if (placed === undefined) {
      const revision = takeRevision(taken, { name, md5, sha256 });
      // A database without a version may be a draft or plain text; only text files can change, and they are what has no VERSION.
      const mayLink = existsSync(join(member.path, 'VERSION'));
      placed = { name: payloadFileName({ name, revision }, extensionOf(file)), source: { path: file, mayLink }, sha256, size };
      files.set(key, placed);
    }
    payloads[name] ??= [];
    const version = valueVersion(mediaType) ?? 1;
    const form = { ...(version === 1 ? {} : { version }), ...(boundaries === null ? {} : { boundaries }) };
    payloads[name].push({ iov, file: placed.name, sha256, ...form });
  }
  const index: ConditionsIndex = { v: 1, payloads };
  const text = `${JSON.stringify(index, null, 1)}\n`;
  if (existsSync(join(directory, 'index.json')) && readFileSync(join(directory, 'index.json'), 'utf8') === text) return;
  await placeDirectory({
    directory: resolve(directory),
    durable: false,
    existing: 'replace',
    fill: async (temporary) => {
      for (const { name, source, sha256, size } of files.values()) await placePayload(source, { sha256, size }, join(temporary, name));
      return [writeSealed(join(temporary, 'index.json'), text)];
    },
  });
}
