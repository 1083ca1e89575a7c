// Reads a sealed SQLite image: its identities, views, entries and provenance. SQLite's errors are told as damage.
import { CafError } from '../domain/errors.ts';
import type { PayloadPart } from '../domain/payload.ts';
import type { EntryRow, NameView, PayloadRow } from './content.ts';
import { compareNames } from './identity.ts';
import { expectedFingerprint, schemaFingerprint } from './image.ts';
import type { DatabaseReader } from './open.ts';
import { isSqliteError, openReadOnly, type Sqlite } from './sqlite.ts';
import type { ParentInput, TransactionInput } from './types.ts';

interface PayloadColumns {
  readonly payload_id: number;
  readonly name: string;
  readonly sha256: Buffer;
  readonly md5: Buffer;
  readonly size: number;
  readonly rev: string;
  readonly media_type: string;
  readonly kind: 'blob' | 'intrarun';
}

type EntryColumns = readonly [seq: number, payload: number, lo: number, hi: number, tx: number];

/** `source`: the bytes of the image or its path; `path` is for messages. CAF_DB_DAMAGED. */
export function openImageReader(path: string, source: Buffer | string): DatabaseReader {
  return guarded(path, () => read(path, openReadOnly(source)));
}

/** Runs a query; what SQLite cannot read is a damaged file. */
function guarded<T>(path: string, query: () => T): T {
  try {
    return query();
  } catch (error) {
    if (!isSqliteError(error)) throw error;
    throw new CafError('CAF_DB_DAMAGED', `${path} cannot be read: ${error.message} (${error.code})`, {
      hint: 'See what is wrong with `caf db verify`, and restore it from a copy.',
      cause: error,
    });
  }
}

function read(path: string, sqlite: Sqlite): DatabaseReader {
  // Foreign triggers, views or tables in a file of our kind are either damage or a trap.
  if (schemaFingerprint(sqlite) !== expectedFingerprint()) {
    sqlite.close();
    throw new CafError('CAF_DB_DAMAGED', `${path} does not have the schema of a local database`, { hint: 'Restore it from a copy.' });
  }
  const meta = new Map(sqlite.prepare<[], [string, string]>('SELECT key, value FROM meta').raw().all() as unknown as [string, string][]);
  const contentId = meta.get('content_id');
  const viewId = meta.get('view_id');
  const state = meta.get('state');
  if (meta.get('sealed') !== '1' || contentId === undefined || viewId === undefined || (state !== 'committed' && state !== 'draft')) {
    sqlite.close();
    throw new CafError('CAF_DB_DAMAGED', `${path} is not sealed, or its meta table is incomplete`, { hint: 'Restore it from a copy.' });
  }
  const select = selects(sqlite, writtenRevisions(meta.get('revisions')));
  const views = new Map<string, NameView | null>();
  return {
    state,
    versionId: meta.get('version_id') ?? null,
    contentId,
    viewId,
    createdAt: meta.get('created_at') ?? null,
    chainDigest: meta.get('chain_digest') ?? null,
    names: () => guarded(path, () => [...select.nameIds().keys()].sort(compareNames)),
    view(name) {
      let view = views.get(name);
      if (view === undefined) {
        view = guarded(path, () => select.view(name));
        views.set(name, view);
      }
      return view;
    },
    entries: (name) => guarded(path, () => select.entries(name)),
    transactions: () => guarded(path, () => readTransactions(sqlite)),
    parents: () => guarded(path, () => readParents(sqlite)),
    fileOf: () => null,
    close: () => void sqlite.close(),
  };
}

/** Statements prepared once each, at their first use. */
function selects(sqlite: Sqlite, revisions: ReadonlyMap<number, string>) {
  const once = <T>(make: () => T): (() => T) => {
    let made: T | null = null;
    return () => {
      made ??= make();
      return made;
    };
  };
  const nameIds = once(
    () => new Map(sqlite.prepare('SELECT name, name_id FROM name').raw().all() as [string, number][]) as ReadonlyMap<string, number>,
  );
  const payloads = once(() => {
    const rows = sqlite
      .prepare<[], PayloadColumns>(
        'SELECT payload_id, name, sha256, md5, size, rev, media_type, kind FROM payload JOIN name USING(name_id)',
      )
      .all();
    return new Map(rows.map((row) => [row.payload_id, row.kind === 'blob' ? payloadOf(row) : { ...payloadOf(row), parts: partsOf(row) }]));
  });
  const partsOf = ({ payload_id }: PayloadColumns): readonly PayloadPart[] =>
    sqlite
      .prepare<[number], PayloadPart>(
        'SELECT first_event firstEvent, lower(hex(sha256)) sha256 FROM part WHERE payload_id = CAST(? AS INTEGER) ORDER BY ord',
      )
      .all(payload_id);
  const payload = (id: number): PayloadRow => {
    const row = payloads().get(id);
    if (row === undefined) throw new CafError('CAF_DB_DAMAGED', `The image refers to payload ${id}, which it does not have`);
    return row;
  };
  const segmentsOf = once(() =>
    sqlite.prepare('SELECT lo, hi, payload_id, seq FROM seg WHERE name_id = CAST(? AS INTEGER) ORDER BY lo').raw(),
  );
  const entriesOf = once(() => sqlite.prepare('SELECT seq, payload_id, lo, hi, tx FROM iov WHERE name_id = ? ORDER BY seq').raw());
  const allEntries = once(() => sqlite.prepare('SELECT seq, payload_id, lo, hi, tx FROM iov ORDER BY seq').raw());
  const entryOf = ([seq, id, lo, hi, tx]: EntryColumns): EntryRow => ({
    seq,
    payload: payload(id),
    lo,
    hi,
    transaction: tx - 1,
    writtenRevision: revisions.get(seq) ?? null,
  });
  return {
    nameIds,
    view(name: string): NameView | null {
      const id = nameIds().get(name);
      if (id === undefined) return null;
      const rows = segmentsOf().all(id) as (readonly [number, number, number, number])[];
      return {
        lo: Float64Array.from(rows, (row) => row[0]),
        hi: Float64Array.from(rows, (row) => row[1]),
        payloads: rows.map((row) => payload(row[2])),
        seqs: rows.map((row) => row[3]),
      };
    },
    entries(name: string | undefined): readonly EntryRow[] {
      if (name === undefined) return (allEntries().all() as EntryColumns[]).map(entryOf);
      const id = nameIds().get(name);
      return id === undefined ? [] : (entriesOf().all(id) as EntryColumns[]).map(entryOf);
    },
  };
}

const payloadOf = (row: PayloadColumns): PayloadRow => ({
  name: row.name,
  sha256: row.sha256.toString('hex'),
  md5: row.md5.toString('hex'),
  size: row.size,
  revision: row.rev,
  mediaType: row.media_type,
});

function writtenRevisions(text: string | undefined): ReadonlyMap<number, string> {
  return new Map(text === undefined ? [] : (JSON.parse(text) as [number, string][]));
}

const readTransactions = (sqlite: Sqlite): readonly TransactionInput[] =>
  sqlite
    .prepare<[], TransactionInput>(
      `SELECT at, actor, calibration, algorithm, iteration, attempt, collector_job collectorJob, inputs_digest inputsDigest,
        code_digest codeDigest, config_digest configDigest, message FROM txn ORDER BY tx`,
    )
    .all();

const readParents = (sqlite: Sqlite): readonly ParentInput[] =>
  sqlite.prepare<[], ParentInput>('SELECT role, version_id versionId, locator FROM parent ORDER BY ord').all();
