// Builds a sealed SQLite image in memory: nobody ever opens a published file for writing.
import type { Content } from './content.ts';
import { APPLICATION_ID, CONDITIONS_SCHEMA, SCHEMA_VERSION } from './schema.ts';
import { createInMemory, type Sqlite } from './sqlite.ts';
import type { ParentInput, TransactionInput } from './types.ts';

export interface ImageInput {
  readonly content: Content;
  readonly transactions: readonly TransactionInput[];
  readonly parents: readonly ParentInput[];
  /** Rows of meta; `sealed` is added last. */
  readonly meta: Readonly<Record<string, string>>;
}

const INDEX = 'CREATE INDEX iov_by_name ON iov(name_id, seq);';

/** The bytes of the image: rollback-journal format, sealed. */
export function buildImage(input: ImageInput): Buffer {
  const sqlite = createInMemory();
  try {
    // The triggers guard what is sealed, and the index is sorted once: made last, they cost nothing while a million rows go in.
    const [beforeIndex = '', afterIndex = ''] = CONDITIONS_SCHEMA.split(INDEX);
    const triggers = afterIndex.indexOf('CREATE TRIGGER');
    sqlite.exec(beforeIndex + afterIndex.slice(0, triggers));
    sqlite.exec('BEGIN');
    fill(sqlite, input);
    sqlite.exec('COMMIT');
    sqlite.exec(INDEX + afterIndex.slice(triggers));
    return sqlite.serialize();
  } finally {
    sqlite.close();
  }
}

/** The schema every image must have, as sqlite_schema tells it. */
export function schemaFingerprint(sqlite: Sqlite): string {
  return JSON.stringify(sqlite.prepare('SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name').raw().all());
}

let expectedSchema: string | null = null;
export function expectedFingerprint(): string {
  if (expectedSchema === null) {
    const sqlite = createInMemory();
    sqlite.exec(CONDITIONS_SCHEMA);
    expectedSchema = schemaFingerprint(sqlite);
    sqlite.close();
  }
  return expectedSchema;
}

/** What the header of an SQLite file says, read without SQLite (https://www.sqlite.org/fileformat.html). */
export interface ImageHeader {
  readonly applicationId: number;
  readonly schemaVersion: number;
  /** Page size times number of pages. */
  readonly size: number;
}

/** Null when these bytes do not begin an SQLite file. */
export function readHeader(bytes: Buffer): ImageHeader | null {
  if (bytes.length < 100 || bytes.toString('latin1', 0, 16) !== 'SQLite format 3\0') return null;
  const pageSize = bytes.readUInt16BE(16);
  return {
    applicationId: bytes.readUInt32BE(68),
    schemaVersion: bytes.readUInt32BE(60),
    size: (pageSize === 1 ? 65536 : pageSize) * bytes.readUInt32BE(28),
  };
}

export const isOurs = (header: ImageHeader): boolean => header.applicationId === APPLICATION_ID;
export const isReadable = (header: ImageHeader): boolean => header.schemaVersion >= 1 && header.schemaVersion <= SCHEMA_VERSION;

function fill(sqlite: Sqlite, { content, transactions, parents, meta }: ImageInput): void {
  const addParent = sqlite.prepare('INSERT INTO parent(ord, role, version_id, locator) VALUES (?, ?, ?, ?)');
  for (const [ord, { role, versionId, locator }] of parents.entries()) addParent.run(ord, role, versionId, locator);

  const addTransaction = sqlite.prepare(
    `INSERT INTO txn(tx, at, actor, calibration, algorithm, iteration, attempt, collector_job, inputs_digest, code_digest, config_digest, message)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  for (const [index, t] of transactions.entries()) {
    const digests = [t.inputsDigest, t.codeDigest, t.configDigest];
    addTransaction.run(index + 1, t.at, t.actor, t.calibration, t.algorithm, t.iteration, t.attempt, t.collectorJob, ...digests, t.message);
  }

  const nameIds = new Map<string, number>();
  const addName = sqlite.prepare('INSERT INTO name(name_id, name) VALUES (?, ?)');
  for (const name of content.views.keys()) {
    nameIds.set(name, nameIds.size + 1);
    addName.run(nameIds.size, name);
  }
  const nameId = (name: string): number => nameIds.get(name) ?? 0;

  const payloadIds = new Map<object, number>();
  const addPayload = sqlite.prepare(
    'INSERT INTO payload(payload_id, name_id, sha256, md5, size, rev, media_type, kind) VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
  );
  const addPart = sqlite.prepare('INSERT INTO part(payload_id, ord, first_event, sha256) VALUES (?, ?, ?, ?)');
  for (const row of content.payloads) {
    payloadIds.set(row, payloadIds.size + 1);
    const digests = [Buffer.from(row.sha256, 'hex'), Buffer.from(row.md5, 'hex')];
    addPayload.run(
      payloadIds.size,
      nameId(row.name),
      ...digests,
      row.size,
      row.revision,
      row.mediaType,
      row.parts === undefined ? 'blob' : 'intrarun',
    );
    for (const [ord, { firstEvent, sha256 }] of (row.parts ?? []).entries()) {
      addPart.run(payloadIds.size, ord, firstEvent, Buffer.from(sha256, 'hex'));
    }
  }
  const payloadId = (row: object): number => payloadIds.get(row) ?? 0;

  const entries = createInserter(sqlite, 'iov', ['seq', 'payload_id', 'name_id', 'lo', 'hi', 'tx']);
  for (const { seq, payload, lo, hi, transaction } of content.entries) {
    entries.add(seq, payloadId(payload), nameId(payload.name), lo, hi, transaction + 1);
  }
  entries.finish();

  // In the order of the table's key, so that its tree only grows at the end.
  const segments = createInserter(sqlite, 'seg', ['name_id', 'lo', 'hi', 'payload_id', 'seq']);
  for (const [name, view] of content.views) {
    const id = nameId(name);
    for (const [index, payload] of view.payloads.entries()) {
      segments.add(id, view.lo[index] ?? 0, view.hi[index] ?? 0, payloadId(payload), view.seqs[index] ?? 0);
    }
  }
  segments.finish();

  const addMeta = sqlite.prepare('INSERT INTO meta(key, value) VALUES (?, ?)');
  for (const [key, value] of Object.entries(meta)) addMeta.run(key, value);
  const written = content.entries.filter((entry) => entry.writtenRevision !== null);
  if (written.length > 0) addMeta.run('revisions', `[${written.map((entry) => `[${entry.seq},"${entry.writtenRevision}"]`).join(',')}]`);
  addMeta.run('sealed', '1');
}

const ROWS_AT_ONCE = 32;

/** Inserts rows of numbers in groups: half of what a row costs is the call. */
function createInserter(sqlite: Sqlite, table: string, columns: readonly string[]) {
  const row = `(${columns.map(() => '?').join(', ')})`;
  const statementFor = (rows: number) =>
    sqlite.prepare(`INSERT INTO ${table}(${columns.join(', ')}) VALUES ${new Array<string>(rows).fill(row).join(', ')}`);
  const many = statementFor(ROWS_AT_ONCE);
  const pending = new Array<number>(ROWS_AT_ONCE * columns.length).fill(0);
  let used = 0;
  return {
    add(...values: readonly number[]) {
      for (let index = 0; index < values.length; index++) pending[used++] = values[index] ?? 0;
      if (used < pending.length) return;
      many.run(pending);
      used = 0;
    },
    finish() {
      if (used > 0) statementFor(used / columns.length).run(pending.slice(0, used));
      used = 0;
    },
  };
}
