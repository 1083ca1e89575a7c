// Verifies a database in seven levels, from the file's header to every byte of every payload; lists all that is wrong.
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { CafError, errorText } from '../domain/errors.ts';
import { formatIov, keysToIov } from '../domain/iov.ts';
import type { PayloadPart } from '../domain/payload.ts';
import { errnoOf, forEachAtOnce } from '../payloads/disk.ts';
import { payloadStem } from '../payloads/name.ts';
import { describeParts, readParts } from '../payloads/parts.ts';
import { hashFile } from '../payloads/store.ts';
import { type EntryRow, type PayloadRow, segmentsOf, viewOfEntries } from './content.ts';
import { parseDatabaseText } from './database-text.ts';
import { columnsOfRows } from './entries.ts';
import { findDump } from './global-tag.ts';
import { chainDigestOf, contentIdOf, sha256Of, versionIdOf, viewIdOf } from './identity.ts';
import { openImageReader } from './image-reader.ts';
import {
  formatDatabaseText,
  formatVersionFile,
  IMAGE_FILE,
  indexPayloadFiles,
  LOCK_FILE,
  parseVersionFile,
  TEXT_FILE,
  VERSION_FILE,
} from './layout.ts';
import { type DatabaseReader, findDatabase, openDatabase, readImage } from './open.ts';
import { readLock } from './queries.ts';
import { openReadOnly } from './sqlite.ts';
import { readStates, STATE_FILE } from './state.ts';

export interface VerifyProblem {
  /** 0 header, 1 SQLite, 2 identities, 3 view, 4 database.txt, 5 payload files, 6 payload bytes. */
  readonly level: number;
  readonly path: string;
  readonly what: string;
  readonly expected: string;
  readonly actual: string;
}

export interface VerifyReport {
  readonly v: 1;
  readonly directory: string;
  readonly versionId: string | null;
  readonly ok: boolean;
  readonly entries: number;
  readonly payloads: number;
  /** Payloads whose bytes were read and hashed. */
  readonly read: number;
  readonly problems: readonly VerifyProblem[];
}

export interface VerifyOptions {
  /** False: not at all. `{ part: 3, of: 10 }`: the third of ten parts. Default: every byte. */
  readonly readData?: boolean | { readonly part: number; readonly of: number };
}

type Report = (level: number, path: string, what: string, expected: string, actual: string) => void;

/** Never throws for damage: what is wrong is in the report. CAF_DB_MISSING when there is no database at all. */
export async function verifyDatabase(path: string, options: VerifyOptions = {}): Promise<VerifyReport> {
  const directory = findDump(resolve(path)) === null ? findDatabase(path) : resolve(path);
  const problems: VerifyProblem[] = [];
  const report: Report = (level, where, what, expected, actual) => void problems.push({ level, path: where, what, expected, actual });
  const hasImage = existsSync(join(directory, IMAGE_FILE));
  const reader = hasImage ? checkImage(directory, report) : openText(directory, report);
  let read = 0;
  let entries: readonly EntryRow[] = [];
  let payloads: readonly PayloadRow[] = [];
  if (reader !== null) {
    checkStateFile(directory, report);
    try {
      entries = reader.entries();
      payloads = [...new Set(entries.map((entry) => entry.payload))];
      if (hasImage) {
        checkIdentities(directory, reader, report);
        checkView(directory, reader, report);
        checkText(directory, entries, report);
      }
      read = await checkPayloads(directory, reader, payloads, options.readData ?? true, report);
    } catch (error) {
      if (!(error instanceof CafError)) throw error;
      report(1, directory, 'readable', 'a readable database', error.message);
    } finally {
      reader.close();
    }
  }
  problems.sort((a, b) => a.level - b.level);
  const versionId = reader?.versionId ?? null;
  return { v: 1, directory, versionId, ok: problems.length === 0, entries: entries.length, payloads: payloads.length, read, problems };
}

function openText(directory: string, report: Report): DatabaseReader | null {
  try {
    return openDatabase(directory);
  } catch (error) {
    if (!(error instanceof CafError)) throw error;
    const file = join(directory, TEXT_FILE);
    if (error.problems.length === 0) report(4, file, 'lines', 'a readable database.txt', error.message);
    for (const { path, message } of error.problems) report(4, path, 'line', '<package>/<name> <revision> <e,r,e,r> and its file', message);
    return null;
  }
}

/** Level 2: the history of its state says something readable. */
function checkStateFile(directory: string, report: Report): void {
  try {
    readStates(directory);
  } catch (error) {
    if (!(error instanceof CafError)) throw error;
    report(2, join(directory, STATE_FILE), 'history', 'a state per line', error.message);
  }
}

/** Levels 0 and 1. Null when nothing more can be asked. */
function checkImage(directory: string, report: Report): DatabaseReader | null {
  const path = join(directory, IMAGE_FILE);
  try {
    const { source, digest } = readImage(path);
    const version = readVersion(directory, report);
    if (version !== null && version.image !== digest) report(0, path, 'SHA-256 of the image', version.image, digest);
    checkSqlite(path, source, report);
    return openImageReader(path, source);
  } catch (error) {
    const { message } = errorText(error);
    report(
      error instanceof CafError && error.code === 'CAF_DB_DAMAGED' ? 1 : 0,
      path,
      'image',
      'a sealed image of a local database',
      message,
    );
    return null;
  }
}

function checkSqlite(path: string, source: Buffer | string, report: Report): void {
  const sqlite = openReadOnly(source);
  try {
    const found = sqlite.pragma('integrity_check') as readonly { readonly integrity_check: string }[];
    for (const { integrity_check: line } of found) if (line !== 'ok') report(1, path, 'integrity_check', 'ok', line);
    const orphans = sqlite.pragma('foreign_key_check') as readonly { readonly table: string; readonly rowid: number }[];
    for (const { table, rowid } of orphans) report(1, path, 'foreign_key_check', 'no row without its parent', `${table} row ${rowid}`);
    const overlap = 'SELECT count(*) FROM seg a JOIN seg b ON b.name_id = a.name_id AND b.lo > a.lo AND b.lo <= a.hi';
    const [overlaps = 0] = sqlite.prepare<[], [number]>(overlap).raw().get() as unknown as [number];
    if (overlaps > 0) report(3, path, 'overlapping segments', '0', String(overlaps));
  } finally {
    sqlite.close();
  }
}

function readVersion(directory: string, report: Report) {
  const path = join(directory, VERSION_FILE);
  if (!existsSync(path)) {
    report(2, path, 'file', 'a VERSION file', 'missing');
    return null;
  }
  const version = parseVersionFile(readFileSync(path, 'utf8'));
  if (version === null) report(2, path, 'file', 'a VERSION file', 'not readable as one');
  return version;
}

/** Level 2: everything recomputed, and compared with the image's own record, VERSION and the lock beside it. */
function checkIdentities(directory: string, reader: DatabaseReader, report: Report): void {
  const image = join(directory, IMAGE_FILE);
  const transactions = reader.transactions();
  const parents = reader.parents();
  const contentId = contentIdOf(columnsOfRows(reader.entries()));
  const viewId = viewIdOf(segmentsOf(viewsOf(reader)));
  const versionId = reader.state === 'draft' ? null : versionIdOf({ contentId, parents, transactions, chainDigest: reader.chainDigest });
  const recomputed = { contentId, viewId, versionId };
  const versionText = existsSync(join(directory, VERSION_FILE)) ? readFileSync(join(directory, VERSION_FILE), 'utf8') : '';
  const version = parseVersionFile(versionText);
  for (const id of ['contentId', 'viewId', 'versionId'] as const) {
    if (reader[id] !== recomputed[id]) report(2, image, id, String(reader[id]), String(recomputed[id]));
    if (version !== null && version[id] !== recomputed[id])
      report(2, join(directory, VERSION_FILE), id, String(recomputed[id]), String(version[id]));
  }
  const parentText = (list: readonly { readonly role: string; readonly versionId: string }[]) =>
    list.map((p) => `${p.role} ${p.versionId}`).join(', ');
  if (version !== null && parentText(version.parents) !== parentText(parents)) {
    report(2, join(directory, VERSION_FILE), 'parents', parentText(parents), parentText(version.parents));
  }
  if (version !== null && formatVersionFile(version) !== versionText) {
    report(2, join(directory, VERSION_FILE), 'text', 'the same facts in the form they were written', 'written differently');
  }
  checkLock(join(directory, LOCK_FILE), reader.chainDigest, version?.lock ?? null, report);
}

/** `digest`: of the bytes, which hold labels and paths as well. */
function checkLock(path: string, expected: string | null, digest: string | null, report: Report): void {
  if (expected === null && !existsSync(path)) return;
  if (!existsSync(path)) {
    report(2, path, 'file', `the chain with digest ${expected}`, 'missing');
    return;
  }
  try {
    const actual = chainDigestOf(readLock(path));
    if (actual !== expected) report(2, path, 'digest of the chain', String(expected), actual);
    const bytes = sha256Of(readFileSync(path));
    if (actual === expected && digest !== null && bytes !== digest) report(2, path, 'SHA-256', digest, bytes);
  } catch (error) {
    report(2, path, 'file', `the chain with digest ${expected}`, errorText(error).message);
  }
}

/** Level 3: the entries painted again must give the segments that lookups use. */
function checkView(directory: string, reader: DatabaseReader, report: Report): void {
  for (const name of reader.names()) {
    const expected = describeView(new Map([[name, viewOfEntries(reader.entries(name))]]));
    const view = reader.view(name);
    const actual = view === null ? [] : describeView(new Map([[name, view]]));
    for (let at = 0; at < Math.max(expected.length, actual.length); at++) {
      if (expected[at] === actual[at]) continue;
      report(3, join(directory, IMAGE_FILE), `segment ${at + 1} of ${name}`, expected[at] ?? 'none', actual[at] ?? 'none');
      break;
    }
  }
}

const describeView = (views: Parameters<typeof segmentsOf>[0]): readonly string[] =>
  Array.from(segmentsOf(views), ({ lo, hi, sha256 }) => `${formatIov(keysToIov(lo, hi))} ${sha256}`);

const viewsOf = (reader: DatabaseReader) =>
  new Map(
    reader.names().flatMap((name) => {
      const view = reader.view(name);
      return view === null ? [] : [[name, view] as const];
    }),
  );

/** Level 4. */
function checkText(directory: string, entries: readonly EntryRow[], report: Report): void {
  const path = join(directory, TEXT_FILE);
  if (!existsSync(path)) {
    report(4, path, 'file', `a database.txt with ${entries.length} lines`, 'missing');
    return;
  }
  const bytes = readFileSync(path);
  if (bytes.equals(formatDatabaseText(columnsOfRows(entries)))) return;
  const text = bytes.toString('utf8');
  const { lines, errors } = parseDatabaseText(text);
  for (const { line, code, message } of errors) report(4, `${path}:${line}`, 'line', 'a line as exported', `${message} (${code})`);
  const expected = entries.map(({ payload, lo, hi }) => `${payload.name} ${payload.revision} ${formatIov(keysToIov(lo, hi))}`);
  for (let at = 0; at < Math.max(expected.length, lines.length); at++) {
    const line = lines[at];
    const actual = line === undefined ? 'missing' : `${line.name} ${line.revision} ${formatIov(line.iov)}`;
    if (actual !== expected[at]) {
      report(4, path, `entry ${at + 1}`, expected[at] ?? 'no further line', actual);
      return;
    }
  }
  if (errors.length === 0)
    report(4, path, 'text', 'the same entries in the form they were written', 'the same entries, written differently');
}

/** What the image says of the parts of an intra-run payload must be what lies in its file. */
function checkParts(file: string, parts: readonly PayloadPart[], report: Report): void {
  const document = readParts(readFileSync(file));
  const text = (list: readonly PayloadPart[]) => list.map(({ firstEvent, sha256 }) => `${firstEvent} ${sha256}`).join(', ');
  const actual = document === null ? 'no intra-run payload' : text(describeParts(document));
  if (actual !== text(parts)) report(6, file, 'parts', text(parts), actual);
}

/** Levels 5 and 6. Returns how many payloads were read. */
async function checkPayloads(
  directory: string,
  reader: DatabaseReader,
  payloads: readonly PayloadRow[],
  readData: NonNullable<VerifyOptions['readData']>,
  report: Report,
): Promise<number> {
  // A global tag knows its files; every other database is a directory.
  const files = existsSync(directory) && statSync(directory).isDirectory() ? indexPayloadFiles(directory) : new Map<string, string[]>();
  let read = 0;
  const isChosen = (index: number): boolean => (typeof readData === 'boolean' ? readData : index % readData.of === readData.part - 1);
  await forEachAtOnce(payloads.entries(), 4, async ([index, payload]) => {
    const stem = join(directory, payloadStem(payload.name, payload.revision));
    const file = reader.fileOf(payload) ?? files.get(payloadStem(payload.name, payload.revision))?.[0] ?? stem;
    try {
      const { size } = statSync(file);
      if (size !== payload.size) report(5, file, `size of ${payload.sha256}`, `${payload.size} bytes`, `${size} bytes`);
      if (!isChosen(index)) return;
      read += 1;
      const { sha256 } = await hashFile(file);
      if (sha256 !== payload.sha256) report(6, file, 'SHA-256', payload.sha256, sha256);
      else if (payload.parts !== undefined) checkParts(file, payload.parts, report);
    } catch (error) {
      report(
        5,
        file,
        `file of ${payload.sha256}`,
        `${payload.size} bytes`,
        errnoOf(error) === 'ENOENT' ? 'missing' : errorText(error).message,
      );
    }
  });
  return read;
}
