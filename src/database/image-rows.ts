// Puts the rows of a database into an SQLite image, with statements that are prepared once.
import type { Content } from './content.ts';
import type { Sqlite } from './sqlite.ts';
import type { ParentInput, TransactionInput } from './types.ts';

export interface ImageInput {
  readonly content: Content;
  readonly transactions: readonly TransactionInput[];
  readonly parents: readonly ParentInput[];
  /** Rows of meta; `sealed` is added last. */
  readonly meta: Readonly<Record<string, string>>;
}

/** For an image that has the tables and no rows. */
export function createRowWriter(sqlite: Sqlite): (input: ImageInput) => void {
  const addParent = sqlite.prepare('INSERT INTO parent(ord, role, version_id, locator) VALUES (?, ?, ?, ?)');
  const addTransaction = sqlite.prepare(
    `INSERT INTO txn(tx, at, actor, calibration, algorithm, iteration, attempt, collector_job, inputs_digest, code_digest, config_digest, message)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const names = createInserter<string | number>(sqlite, 'name', ['name_id', 'name']);
  const payloads = createInserter<string | number | Buffer>(sqlite, 'payload', PAYLOAD_COLUMNS);
  const addPart = sqlite.prepare('INSERT INTO part(payload_id, ord, first_event, sha256) VALUES (?, ?, ?, ?)');
  const entries = createInserter<number>(sqlite, 'iov', ['seq', 'payload_id', 'name_id', 'lo', 'hi', 'tx']);
  const segments = createInserter<number>(sqlite, 'seg', ['name_id', 'lo', 'hi', 'payload_id', 'seq']);
  const addMeta = sqlite.prepare('INSERT INTO meta(key, value) VALUES (?, ?)');

  return ({ content, transactions, parents, meta }) => {
    for (const [ord, { role, versionId, locator }] of parents.entries()) addParent.run(ord, role, versionId, locator);
    for (const [index, t] of transactions.entries()) {
      const digests = [t.inputsDigest, t.codeDigest, t.configDigest];
      addTransaction.run(
        index + 1,
        t.at,
        t.actor,
        t.calibration,
        t.algorithm,
        t.iteration,
        t.attempt,
        t.collectorJob,
        ...digests,
        t.message,
      );
    }

    const nameIds = new Map<string, number>();
    for (const name of content.views.keys()) {
      nameIds.set(name, nameIds.size + 1);
      names.add(nameIds.size, name);
    }
    names.finish();
    const nameId = (name: string): number => nameIds.get(name) ?? 0;

    const payloadIds = new Map<object, number>();
    for (const row of content.payloads) {
      payloadIds.set(row, payloadIds.size + 1);
      const [sha256, md5] = [Buffer.from(row.sha256, 'hex'), Buffer.from(row.md5, 'hex')];
      const kind = row.parts === undefined ? 'blob' : 'intrarun';
      payloads.add(payloadIds.size, nameId(row.name), sha256, md5, row.size, row.revision, row.mediaType, kind);
      for (const [ord, part] of (row.parts ?? []).entries()) {
        addPart.run(payloadIds.size, ord, part.firstEvent, Buffer.from(part.sha256, 'hex'));
      }
    }
    payloads.finish();
    const payloadId = (row: object | undefined): number => (row === undefined ? 0 : (payloadIds.get(row) ?? 0));

    const { length, carried, carries, lo, hi, transaction } = content.entries;
    const idsOf = carried.map(({ payload }) => [payloadId(payload), nameId(payload.name)] as const);
    for (let at = 0; at < length; at++) {
      const [payload, name] = idsOf[carries[at] ?? 0] ?? [0, 0];
      entries.add(at + 1, payload, name, lo[at] ?? 0, hi[at] ?? 0, (transaction[at] ?? 0) + 1);
    }
    entries.finish();

    // In the order of the table's key, so that its tree only grows at the end.
    for (const [name, view] of content.views) {
      const id = nameId(name);
      for (let at = 0; at < view.payloads.length; at++) {
        segments.add(id, view.lo[at] ?? 0, view.hi[at] ?? 0, payloadId(view.payloads[at]), view.seqs[at] ?? 0);
      }
    }
    segments.finish();

    for (const [key, value] of Object.entries(meta)) addMeta.run(key, value);
    const revisions = writtenRevisions(content.entries);
    if (revisions !== null) addMeta.run('revisions', revisions);
    addMeta.run('sealed', '1');
  };
}

/** `[[seq,"revision"],...]`; null when no entry has one of its own. */
function writtenRevisions({ length, carried, carries }: Content['entries']): string | null {
  if (carried.every(({ writtenRevision }) => writtenRevision === null)) return null;
  const written: string[] = [];
  for (let at = 0; at < length; at++) {
    const revision = carried[carries[at] ?? 0]?.writtenRevision ?? null;
    if (revision !== null) written.push(`[${at + 1},"${revision}"]`);
  }
  return `[${written.join(',')}]`;
}

const PAYLOAD_COLUMNS = ['payload_id', 'name_id', 'sha256', 'md5', 'size', 'rev', 'media_type', 'kind'];

/** Rows that one statement inserts; the last ones of a table by the smaller statements. */
const GROUPS = [32, 8, 1] as const;

/** Inserts rows in groups: half of what a row costs is the call. */
function createInserter<Value extends string | number | Buffer>(sqlite: Sqlite, table: string, columns: readonly string[]) {
  const row = `(${columns.map(() => '?').join(', ')})`;
  const groups = GROUPS.map((rows) => ({
    values: rows * columns.length,
    insert: sqlite.prepare(`INSERT INTO ${table}(${columns.join(', ')}) VALUES ${new Array<string>(rows).fill(row).join(', ')}`),
  }));
  const [largest] = groups;
  let pending: Value[] = [];
  return {
    add(...values: readonly Value[]) {
      for (const value of values) pending.push(value);
      if (largest === undefined || pending.length < largest.values) return;
      const full = pending;
      pending = [];
      largest.insert.run(full);
    },
    finish() {
      const rest = pending;
      pending = [];
      let at = 0;
      for (const { values, insert } of groups) for (; rest.length - at >= values; at += values) insert.run(rest.slice(at, at + values));
    },
  };
}
