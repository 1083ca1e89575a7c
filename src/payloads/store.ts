// The object store: payload bytes under their SHA-256, written once, never changed, checked when read.
import { createHash, randomBytes } from 'node:crypto';
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  type Stats,
  statSync,
  writeSync,
} from 'node:fs';
import { type FileHandle, mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { CafError } from '../domain/errors.ts';
import type { PayloadPart, StoredPayload } from '../domain/payload.ts';
import { OBJECTS_DIRECTORY } from '../domain/results-directory.ts';
import { diskError, errnoOf, syncPaths } from './disk.ts';
import { BLOB_TYPE, checkPayloadName, extensionOf, mediaTypeOf, valueType } from './name.ts';

/** What is known of stored bytes: lower-case hex digests and the size in bytes. */
export interface StoredBytes {
  readonly sha256: string;
  readonly md5: string;
  readonly size: number;
}

/** Measured: 1 MB reads hash 3 times faster than 64 KB reads. */
const CHUNK_BYTES = 1 << 20;

/** The store of a results directory. */
export const objectsOf = (results: string): string => join(results, OBJECTS_DIRECTORY);

export const objectPath = (objects: string, sha256: string): string => join(objects, sha256.slice(0, 2), sha256.slice(2));

/** What is to be known of a value beside its bytes. */
export interface ValueForm {
  /** Of its definition; default 1. */
  readonly version?: number | undefined;
  /** Of an intra-run payload. */
  readonly parts?: readonly PayloadPart[] | undefined;
}

const temporaryName = (): string => `tmp-${randomBytes(8).toString('hex')}`;

/** Removes what a killed process was about to store. Only while nobody stores anything: the lease of the results directory sees to that. */
export function removeHalfStored(objects: string): void {
  if (!existsSync(objects)) return;
  for (const name of readdirSync(objects)) if (/^tmp-[0-9a-f]{16}$/.test(name)) rmSync(join(objects, name), { force: true });
}

/** Stores the canonical bytes of a value. */
export async function putValue(
  objects: string,
  name: string,
  bytes: Uint8Array,
  { version = 1, parts }: ValueForm = {},
): Promise<Omit<StoredPayload, 'iov'>> {
  checkPayloadName(name);
  const stored = { name, ...putBytes(objects, bytes), mediaType: valueType(version), extension: '.json' };
  return parts === undefined ? stored : { ...stored, parts };
}

/** Stores a copy of a file: later changes to the file do not matter. Memory stays flat, whatever its size. */
export async function putFilePayload(objects: string, name: string, path: string): Promise<Omit<StoredPayload, 'iov'>> {
  checkPayloadName(name);
  const extension = extensionOf(path);
  return { name, ...(await putFile(objects, path)), mediaType: extension === '' ? BLOB_TYPE : mediaTypeOf(extension), extension };
}

export function hashBytes(bytes: Uint8Array): StoredBytes {
  return {
    sha256: createHash('sha256').update(bytes).digest('hex'),
    md5: createHash('md5').update(bytes).digest('hex'),
    size: bytes.byteLength,
  };
}

/** Synchronous, so that a commit is stored when it returns. Durable only after syncObjects. */
export function putBytes(objects: string, bytes: Uint8Array): StoredBytes {
  const stored = hashBytes(bytes);
  const target = objectPath(objects, stored.sha256);
  if (holdsBytes(target, bytes)) return stored;
  const temporary = join(objects, temporaryName());
  try {
    mkdirSync(dirname(target), { recursive: true });
    const fd = openSync(temporary, 'wx', 0o444);
    try {
      for (let offset = 0; offset < bytes.byteLength; ) offset += writeSync(fd, bytes, offset);
    } finally {
      closeSync(fd);
    }
    renameSync(temporary, target);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw diskError(error, 'The object store cannot be written', target);
  }
  return stored;
}

/** The existing object, compared byte by byte: one that was damaged is replaced by a good one, not referred to. */
function holdsBytes(path: string, bytes: Uint8Array): boolean {
  try {
    return statSync(path).size === bytes.byteLength && readFileSync(path).equals(bytes);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return false;
    throw diskError(error, 'An object cannot be read', path);
  }
}

/** Copies a file into the store, hashing on the way. CAF_PAYLOAD_FILE when it is not a readable regular file. */
export async function putFile(objects: string, path: string): Promise<StoredBytes> {
  const source = await openSource(path);
  const temporary = join(objects, temporaryName());
  try {
    await mkdir(objects, { recursive: true });
    const stored = await copyHashed(source, temporary);
    const target = objectPath(objects, stored.sha256);
    if (await holdsDigest(target, stored)) {
      await rm(temporary);
    } else {
      await mkdir(dirname(target), { recursive: true });
      await rename(temporary, target);
    }
    return stored;
  } catch (error) {
    await rm(temporary, { force: true });
    throw diskError(error, 'The object store cannot be written', objects);
  } finally {
    await source.close();
  }
}

async function openSource(path: string): Promise<FileHandle> {
  let source: FileHandle | null = null;
  try {
    source = await open(path, 'r');
    if ((await source.stat()).isFile()) return source;
  } catch (error) {
    await source?.close();
    const problem = errnoOf(error) === 'ENOENT' ? 'does not exist' : `cannot be read (${errnoOf(error)})`;
    throw new CafError('CAF_PAYLOAD_FILE', `The payload file ${path} ${problem}`, {
      hint: 'Write the file before committing it.',
      cause: error,
    });
  }
  await source.close();
  throw new CafError('CAF_PAYLOAD_FILE', `${path} is not a regular file`, { hint: 'Commit a file; pack a directory into one first.' });
}

async function holdsDigest(path: string, expected: StoredBytes): Promise<boolean> {
  try {
    return (await hashFile(path)).sha256 === expected.sha256;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return false;
    throw error;
  }
}

/** Digests and size of a file, read in pieces. */
export async function hashFile(path: string): Promise<StoredBytes> {
  const source = await open(path, 'r');
  try {
    return await pump(source, null);
  } finally {
    await source.close();
  }
}

/** Copies to a new file of mode 0444, and tells what was written. */
export async function copyHashed(source: FileHandle, target: string): Promise<StoredBytes> {
  const copy = await open(target, 'wx', 0o444);
  try {
    return await pump(source, copy);
  } finally {
    await copy.close();
  }
}

async function pump(source: FileHandle, target: FileHandle | null): Promise<StoredBytes> {
  const sha256 = createHash('sha256');
  const md5 = createHash('md5');
  // Not larger than the file: a thousand small payloads would otherwise keep the garbage collector busy with megabytes.
  const buffer = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, Math.max((await source.stat()).size, 4096)));
  let size = 0;
  for (;;) {
    const { bytesRead } = await source.read(buffer, 0, buffer.length, size);
    if (bytesRead === 0) break;
    const piece = buffer.subarray(0, bytesRead);
    sha256.update(piece);
    md5.update(piece);
    for (let written = 0; target !== null && written < bytesRead; ) {
      written += (await target.write(piece, written, bytesRead - written)).bytesWritten;
    }
    size += bytesRead;
  }
  return { sha256: sha256.digest('hex'), md5: md5.digest('hex'), size };
}

export function hasObject(objects: string, sha256: string, size: number): boolean {
  try {
    return statSync(objectPath(objects, sha256)).size === size;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return false;
    throw diskError(error, 'An object cannot be read', objectPath(objects, sha256));
  }
}

export const readObject = (objects: string, sha256: string): Buffer => readChecked(objectPath(objects, sha256), sha256);

/** The bytes of a file that must have this digest: CAF_DB_PAYLOAD_MISSING, CAF_DB_PAYLOAD_CORRUPT with expected and actual. */
export function readChecked(path: string, sha256: string): Buffer {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') throw payloadMissing(path, sha256, error);
    throw diskError(error, 'A payload cannot be read', path);
  }
  const actual = createHash('sha256').update(bytes).digest('hex');
  if (actual !== sha256) throw payloadCorrupt(path, sha256, actual);
  return bytes;
}

export const payloadMissing = (path: string, sha256: string, cause?: unknown): CafError =>
  new CafError('CAF_DB_PAYLOAD_MISSING', `The payload ${sha256} is missing: there is no file ${path}`, {
    hint: 'Restore it from a copy of this database, or run the calibration again.',
    cause,
  });

export const payloadCorrupt = (path: string, expected: string, actual: string): CafError =>
  new CafError('CAF_DB_PAYLOAD_CORRUPT', `${path} is not what was committed: expected SHA-256 ${expected}, found ${actual}`, {
    hint: 'Restore it from a copy of this database, or run the calibration again.',
  });

/** Objects that this process has made durable, by path: what is committed in every iteration is synced once. */
const durable = new Map<string, string>();

/**
 * Makes objects durable: each file and each touched directory once. `stats`: of those digests whose file was looked at just now,
 * under whatever name.
 */
export async function syncObjects(objects: string, digests: Iterable<string>, stats?: ReadonlyMap<string, Stats>): Promise<void> {
  await underWay;
  await syncUnknown(objects, digests, stats);
}

async function syncUnknown(objects: string, digests: Iterable<string>, stats?: ReadonlyMap<string, Stats>): Promise<void> {
  const files = new Map<string, string | null>();
  for (const sha256 of new Set(digests)) {
    const path = objectPath(objects, sha256);
    const found = stats?.get(sha256) ?? statSync(path, { throwIfNoEntry: false });
    const state = found === undefined ? null : stateOf(found);
    if (state === null || durable.get(path) !== state) files.set(path, state);
  }
  if (files.size === 0) return;
  await syncPaths([...files.keys(), ...new Set([...files.keys()].map(dirname)), objects]);
  for (const [path, state] of files) if (state !== null) durable.set(path, state);
}

/** What changes when an object is made anew. */
const stateOf = ({ dev, ino, size, mtimeMs }: Stats): string => `${dev} ${ino} ${size} ${mtimeMs}`;

let underWay: Promise<void> = Promise.resolve();
let waiting = new Map<string, Set<string>>();

/**
 * Begins to make objects durable while others are still computed; syncObjects waits for it and does the rest. What arrives meanwhile goes
 * together. An object that cannot be synced now is left to syncObjects, which says so.
 */
export function syncAhead(objects: string, digests: Iterable<string>): void {
  const isIdle = waiting.size === 0;
  waiting.set(objects, new Set([...(waiting.get(objects) ?? []), ...digests]));
  if (!isIdle) return;
  underWay = underWay.then(async () => {
    const taken = waiting;
    waiting = new Map();
    for (const [store, wanted] of taken) await syncUnknown(store, wanted).catch(() => undefined);
  });
}
