// What one payload is and holds: a payload file by its path, or a payload of a database by its revision or the first digits of its hash.
import { existsSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, extname, resolve } from 'node:path';
import { CafError } from '../domain/errors.ts';
import { type Iov, keysToIov } from '../domain/iov.ts';
import { decodePayload } from '../payloads/codec.ts';
import { extensionOf, JSON_TYPE, valueVersion } from '../payloads/name.ts';
import { boundariesOfParts } from '../payloads/parts.ts';
import { hashFile, payloadCorrupt } from '../payloads/store.ts';
import type { PayloadRow } from './content.ts';
import { openDatabase } from './open.ts';
import { describeFile } from './payload-file.ts';

export interface DumpedPayload {
  readonly v: 1;
  /** Null for a file that belongs to no database. */
  readonly name: string | null;
  readonly revision: string | null;
  readonly sha256: string;
  readonly md5: string;
  readonly size: number;
  readonly mediaType: string;
  /** Of the definition it was written with; null for a file payload. */
  readonly version: number | null;
  /** Of an intra-run payload. */
  readonly boundaries: readonly number[] | null;
  /** Absolute. */
  readonly file: string;
  /** The intervals of its entries, in the order of the commits. */
  readonly iovs: readonly Iov[];
  /** The value; absent for a file payload. */
  readonly value?: unknown;
}

/** Values up to this size are shown; larger ones are told by their size. */
const SHOWN_BYTES = 64 * 1024 * 1024;

/**
 * `database` null: `payload` is the path of a file. Errors: CAF_DB_NOT_FOUND (with what there is), CAF_USAGE for digits that fit several,
 * CAF_DB_PAYLOAD_CORRUPT.
 */
export async function dumpPayload(payload: string, database: string | null): Promise<DumpedPayload> {
  if (database !== null) return dumpOf(database, (rows) => choose(rows, payload, database));
  const file = resolve(payload);
  if (!existsSync(file) || !statSync(file).isFile()) {
    throw new CafError('CAF_DB_NOT_FOUND', `There is no payload file ${file}`, {
      hint: 'Give the path of a payload file, or say in which database the payload is: caf db dump b1946a --in localdb',
    });
  }
  const stem = basename(file, extname(file));
  if (existsSync(resolve(dirname(file), 'conditions.sqlite'))) {
    return dumpOf(
      dirname(file),
      (rows) => rows.find(({ name, revision }) => `${name}_rev_${revision}` === stem) ?? choose(rows, stem, dirname(file)),
    );
  }
  const facts = describeFile(file);
  const about = { v: 1, name: null, revision: null, boundaries: null, file, iovs: [] } as const;
  return withValue({
    ...about,
    sha256: facts.sha256,
    md5: facts.md5,
    size: facts.size,
    mediaType: facts.mediaType,
    version: valueVersion(facts.mediaType),
  });
}

async function dumpOf(path: string, chooseFrom: (rows: readonly PayloadRow[]) => PayloadRow): Promise<DumpedPayload> {
  const database = openDatabase(path);
  try {
    const entries = database.entries();
    const row = chooseFrom([...new Set(entries.map((entry) => entry.payload))]);
    const file = database.fileOf(row);
    const { sha256 } = await hashFile(file);
    if (sha256 !== row.sha256) throw payloadCorrupt(file, row.sha256, sha256);
    return withValue({
      v: 1,
      name: row.name,
      revision: row.revision,
      sha256,
      md5: row.md5,
      size: row.size,
      mediaType: row.mediaType,
      version: valueVersion(row.mediaType),
      boundaries: row.parts === undefined ? null : boundariesOfParts(row.parts),
      file,
      iovs: entries.filter((entry) => entry.payload === row).map(({ lo, hi }) => keysToIov(lo, hi)),
    });
  } finally {
    database.close();
  }
}

function withValue(about: DumpedPayload): DumpedPayload {
  const isValue = about.version !== null || extensionOf(about.file) === '.json' || about.mediaType === JSON_TYPE;
  return isValue && about.size <= SHOWN_BYTES ? { ...about, value: decodePayload(readFileSync(about.file)) } : about;
}

function choose(rows: readonly PayloadRow[], digits: string, path: string): PayloadRow {
  const wanted = digits.toLowerCase();
  const exact = rows.filter(({ revision, sha256 }) => revision === wanted || sha256 === wanted);
  const fitting = exact.length > 0 ? exact : rows.filter(({ sha256, md5 }) => sha256.startsWith(wanted) || md5.startsWith(wanted));
  const [only, ...more] = fitting;
  const shown = (some: readonly PayloadRow[]) =>
    some
      .slice(0, 8)
      .map(({ name, revision }) => `${name} ${revision}`)
      .join(', ');
  if (only === undefined) {
    throw new CafError('CAF_DB_NOT_FOUND', `${path} has no payload ${digits}; it has ${rows.length === 0 ? 'none' : shown(rows)}`, {
      hint: `See all of them: caf db show ${path}`,
    });
  }
  if (more.length === 0) return only;
  throw new CafError('CAF_USAGE', `${digits} fits ${fitting.length} payloads of ${path}: ${shown(fitting)}`, {
    hint: 'Give more digits of the SHA-256, which caf db show --json lists.',
  });
}
