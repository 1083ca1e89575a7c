// `caf db upload --plan`: what an upload would send, compared with what is there, and whether the database is fit for it. Sends nothing.
import { gaps, type Iov, keysToIov } from '../domain/iov.ts';
import { paintEntries } from './content.ts';
import { type LocalDatabase, openDatabase } from './open.ts';
import { verifyDatabase } from './verify.ts';

export interface UploadRow {
  readonly row: 'NEW-PAYLOAD' | 'EXISTING-PAYLOAD' | 'NEW-IOV' | 'EXISTING-IOV' | 'SHADOWED';
  readonly name: string;
  readonly md5: string;
  readonly size: number;
  /** Null for payload rows. */
  readonly iov: Iov | null;
}

export interface UploadPlan {
  readonly v: 1;
  readonly versionId: string | null;
  readonly state: string;
  readonly rows: readonly UploadRow[];
  /** Bytes of the payloads that are new. */
  readonly bytes: number;
  /** Each must be mended before an upload. */
  readonly problems: readonly string[];
  /** Holes in the validity, which may be meant. */
  readonly gaps: readonly { readonly name: string; readonly iov: Iov }[];
}

/** Payloads are told apart by name and MD5, intervals by payload and interval, as Belle II does: the same plan twice sends nothing twice. */
export async function planUpload(path: string, against: string | null): Promise<UploadPlan> {
  const report = await verifyDatabase(path);
  const database = openDatabase(path);
  const target = against === null ? null : openDatabase(against);
  try {
    const rows = rowsOf(database, target);
    const bytes = rows.reduce((sum, { row, size }) => sum + (row === 'NEW-PAYLOAD' ? size : 0), 0);
    const problems = [
      ...report.problems.map(({ path: where, what, expected, actual }) => `${where}: ${what}: expected ${expected}, found ${actual}`),
      ...overlapsOf(database),
      ...(database.state === 'validated' || database.state === 'published' ? [] : [`its state is ${database.state}, not validated`]),
    ];
    const holes = database.names().flatMap((name) => {
      const view = database.view(name);
      const iovs = Array.from(view?.lo ?? [], (lo, at) => keysToIov(lo, view?.hi[at] ?? 0));
      return gaps(iovs).map((iov) => ({ name, iov }));
    });
    return { v: 1, versionId: database.versionId, state: database.state, rows, bytes, problems, gaps: holes };
  } finally {
    target?.close();
    database.close();
  }
}

function rowsOf(database: LocalDatabase, target: LocalDatabase | null): readonly UploadRow[] {
  const there = new Set<string>();
  for (const { payload, lo, hi } of target?.entries() ?? []) {
    there.add(`${payload.name} ${payload.md5}`);
    there.add(`${payload.name} ${payload.md5} ${lo} ${hi}`);
  }
  const payloads = new Map<string, UploadRow>();
  const intervals: UploadRow[] = [];
  const sent = new Set<string>();
  for (const name of database.names()) {
    const entries = database.entries(name);
    const winning = new Set(paintEntries(entries).winner);
    for (const [at, { payload, lo, hi }] of entries.entries()) {
      const { md5, size } = payload;
      const key = `${name} ${md5}`;
      const facts = { name, md5, size };
      const interval = { ...facts, iov: keysToIov(lo, hi) };
      if (!winning.has(at)) intervals.push({ row: 'SHADOWED', ...interval });
      else {
        if (!payloads.has(key)) payloads.set(key, { row: there.has(key) ? 'EXISTING-PAYLOAD' : 'NEW-PAYLOAD', ...facts, iov: null });
        const isThere = there.has(`${key} ${lo} ${hi}`) || sent.has(`${key} ${lo} ${hi}`);
        sent.add(`${key} ${lo} ${hi}`);
        intervals.push({ row: isThere ? 'EXISTING-IOV' : 'NEW-IOV', ...interval });
      }
    }
  }
  return [...payloads.values(), ...intervals];
}

/** A global tag gives the highest revision where entries overlap, not the last one: what overlaps must be flattened first. */
function overlapsOf(database: LocalDatabase): readonly string[] {
  return database.names().flatMap((name) => {
    const entries = database.entries(name);
    const winning = new Set(paintEntries(entries).winner);
    const sent = entries.filter((_, at) => winning.has(at)).sort((a, b) => a.lo - b.lo);
    let end = -1;
    const overlapping = sent.filter(({ lo, hi }) => {
      const isInside = lo <= end;
      end = Math.max(end, hi);
      return isInside;
    });
    return overlapping.length === 0
      ? []
      : [`${name}: ${overlapping.length} intervals overlap earlier ones; make them disjoint with caf db flatten`];
  });
}
