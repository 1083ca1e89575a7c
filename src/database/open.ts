// Opens one local database for reading: a sealed image or the text form. Recognises what is foreign, newer, damaged or edited.
import { createHash } from 'node:crypto';
import { closeSync, existsSync, openSync, readFileSync, readSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { CafError } from '../domain/errors.ts';
import { errnoOf } from '../payloads/disk.ts';
import { payloadStem } from '../payloads/name.ts';
import { type EntryRow, type NameView, type PayloadRow, paintEntries } from './content.ts';
import { findNamed, hasRefs, splitAddress } from './find-ref.ts';
import { findDump, readDump } from './global-tag.ts';
import { isOurs, isReadable, readHeader } from './image.ts';
import { openImageReader } from './image-reader.ts';
import { IMAGE_FILE, IN_MEMORY_BYTES, indexPayloadFiles, parseVersionFile, TEXT_FILE, VERSION_FILE } from './layout.ts';
import { lastBeginning, type Parts } from './resolve.ts';
import { type DatabaseState, stateOf } from './state.ts';
import { openTextReader, readerOfText } from './text-reader.ts';
import type { ParentInput, TransactionInput } from './types.ts';

/** What both forms of a database can tell. */
export interface DatabaseReader {
  /** Of a LocalDatabase: as the STATE file beside it says when it is opened. */
  readonly state: DatabaseState;
  /** Null for a draft. */
  readonly versionId: string | null;
  readonly contentId: string;
  readonly viewId: string;
  readonly createdAt: string | null;
  /** Digest of the chain that produced it; null when there was none. */
  readonly chainDigest: string | null;
  names(): readonly string[];
  view(name: string): NameView | null;
  /** All entries, or those of one name, in commit order. */
  entries(name?: string): readonly EntryRow[];
  transactions(): readonly TransactionInput[];
  parents(): readonly ParentInput[];
  /** The payload's file where it is not found by its name; null = by its name. */
  fileOf(payload: PayloadRow): string | null;
  close(): void;
}

export interface LocalDatabase extends DatabaseReader {
  /** Absolute. */
  readonly directory: string;
  /** The entry that wins for this run, with its own interval and provenance; null = none. */
  winner(name: string, key: number): EntryRow | null;
  /** Absolute path of the payload's file, whether it exists or not. */
  fileOf(payload: PayloadRow): string;
}

/**
 * Opens a database directory (or its `conditions.sqlite` or `database.txt`, or a directory with a `localdb` in it), or `results@tag`, or the
 * SQLite file of `b2conditionsdb download`: `file`, or `file#globaltag` when it holds several.
 * Errors: CAF_DB_MISSING (none there, or a file of another application), CAF_DB_NEWER, CAF_DB_DAMAGED.
 */
export function openDatabase(path: string): LocalDatabase {
  const dump = findDump(resolve(path));
  if (dump !== null) return withFiles(resolve(path), readerOfText(readDump(dump), basename(dump.file)));
  const directory = findDatabase(path);
  const reader = existsSync(join(directory, IMAGE_FILE)) ? openImage(directory) : openTextReader(directory);
  return withFiles(directory, reader);
}

/** The directory of the database that a path or `results@name` means. CAF_DB_MISSING, CAF_DB_REF. */
export function findDatabase(path: string): string {
  const given = resolve(path);
  const candidates = [given, join(given, 'localdb')];
  if (basename(given) === IMAGE_FILE || basename(given) === TEXT_FILE) candidates.unshift(dirname(given));
  for (const directory of candidates) {
    if (existsSync(join(directory, IMAGE_FILE)) || existsSync(join(directory, TEXT_FILE))) return directory;
  }
  const address = existsSync(given) ? null : splitAddress(path);
  if (address !== null && hasRefs(address.results)) return findNamed(address.results, address.name);
  const problem = existsSync(join(given, VERSION_FILE))
    ? `${given} has a VERSION but no ${IMAGE_FILE}`
    : `There is no local database at ${given}`;
  throw new CafError('CAF_DB_MISSING', problem, {
    hint: `A local database is a directory with ${IMAGE_FILE} or ${TEXT_FILE}, for instance calibration_results/<calibration>/localdb.`,
  });
}

function withFiles(directory: string, reader: DatabaseReader): LocalDatabase {
  let files: ReadonlyMap<string, readonly string[]> | null = null;
  const painted = new Map<string, { readonly entries: readonly EntryRow[]; readonly parts: Parts }>();
  return {
    ...reader,
    state: stateHere(directory, reader.state),
    directory,
    fileOf(payload) {
      const known = reader.fileOf(payload);
      if (known !== null) return known;
      files ??= indexPayloadFiles(directory);
      const stem = payloadStem(payload.name, payload.revision);
      return files.get(stem)?.[0] ?? join(directory, stem);
    },
    winner(name, key) {
      let layer = painted.get(name);
      if (layer === undefined) {
        const entries = reader.entries(name);
        layer = { entries, parts: paintEntries(entries) };
        painted.set(name, layer);
      }
      const at = lastBeginning(layer.parts.lo, key);
      if (at === -1 || key > (layer.parts.hi[at] ?? 0)) return null;
      return layer.entries[layer.parts.winner[at] ?? 0] ?? null;
    },
  };
}

/** With its history where it has one: a text without its image has none, but what was invalid with it stays invalid. */
function stateHere(directory: string, state: DatabaseState): DatabaseState {
  if (state !== 'committed' && state !== 'text') return state;
  const known = stateOf(directory);
  return state === 'committed' || known === 'invalid' ? known : state;
}

// --------------------------------------------------------------------------------------------------------------- images

function openImage(directory: string): DatabaseReader {
  const path = join(directory, IMAGE_FILE);
  const { source, digest } = readImage(path);
  const versionFile = join(directory, VERSION_FILE);
  if (existsSync(versionFile)) {
    const hint = `See what is wrong with: caf db verify ${directory}; then restore it from a copy.`;
    const version = parseVersionFile(readFileSync(versionFile, 'utf8'));
    if (version === null) throw new CafError('CAF_DB_DAMAGED', `${versionFile} cannot be read: what was published is not known`, { hint });
    if (version.image !== digest) {
      const problem = `${path} is not what was published: expected SHA-256 ${version.image}, found ${digest}`;
      throw new CafError('CAF_DB_DAMAGED', problem, { hint });
    }
  }
  return openImageReader(path, source);
}

/** The image as bytes when it is small, as its path otherwise; with its digest, and its header checked. */
export function readImage(path: string): { readonly source: Buffer | string; readonly digest: string } {
  try {
    const { size } = statSync(path);
    if (size < IN_MEMORY_BYTES) {
      const bytes = readFileSync(path);
      checkHeader(path, bytes, bytes.length);
      return { source: bytes, digest: createHash('sha256').update(bytes).digest('hex') };
    }
    const { head, digest } = digestLargeFile(path);
    checkHeader(path, head, size);
    return { source: path, digest };
  } catch (error) {
    if (error instanceof CafError) throw error;
    throw new CafError('CAF_DB_MISSING', `${path} cannot be read (${errnoOf(error) || String(error)})`, {
      hint: 'Check that the file exists and that you may read it.',
      cause: error,
    });
  }
}

function checkHeader(path: string, head: Buffer, size: number): void {
  const header = readHeader(head);
  if (header === null) {
    throw new CafError('CAF_DB_DAMAGED', `${path} is not an SQLite file (${size} bytes)`, { hint: 'Restore it from a copy.' });
  }
  if (!isOurs(header)) {
    const found = `0x${header.applicationId.toString(16).padStart(8, '0')}`;
    throw new CafError('CAF_DB_MISSING', `${path} belongs to another application: application_id ${found}, expected 0x43414c42`, {
      hint: 'Give the directory of a local database made by caf.',
    });
  }
  if (header.schemaVersion > 1 && !isReadable(header)) {
    throw new CafError('CAF_DB_NEWER', `${path} has schema ${header.schemaVersion}; this caf reads schema 1`, {
      hint: 'Use a newer caf, or read its database.txt and payload files.',
    });
  }
  if (!isReadable(header) || header.size !== size) {
    throw new CafError(
      'CAF_DB_DAMAGED',
      `${path} is damaged: its header tells ${header.size} bytes of schema ${header.schemaVersion}, the file has ${size}`,
      {
        hint: 'Restore it from a copy.',
      },
    );
  }
}

function digestLargeFile(path: string): { readonly head: Buffer; readonly digest: string } {
  const fd = openSync(path, 'r');
  try {
    const hash = createHash('sha256');
    const buffer = Buffer.allocUnsafe(1 << 20);
    let head: Buffer | null = null;
    for (let read = readSync(fd, buffer); read > 0; read = readSync(fd, buffer)) {
      const piece = buffer.subarray(0, read);
      head ??= Buffer.from(piece.subarray(0, 100));
      hash.update(piece);
    }
    return { head: head ?? Buffer.alloc(0), digest: hash.digest('hex') };
  } finally {
    closeSync(fd);
  }
}
