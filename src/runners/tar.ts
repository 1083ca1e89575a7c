// tar archives: headers as in POSIX (ustar, with pax records for what does not fit), written in one pass, and read by skipping from header to header.
import { fstatSync, readSync, type Stats } from 'node:fs';
import { CafError } from '../domain/errors.ts';

export type EntryType = 'file' | 'directory' | 'link';

export interface TarEntry {
  /** Relative, with slashes; a directory's has none at its end. */
  readonly name: string;
  readonly type: EntryType;
  /** Of a file; 0 otherwise. */
  readonly size: number;
  /** Permission bits. */
  readonly mode: number;
  /** Milliseconds since 1970, whole seconds. */
  readonly mtimeMs: number;
  /** Of a symbolic link; empty otherwise. */
  readonly target: string;
}

/** Where the bytes of a file lie in the archive. */
export interface StoredEntry extends TarEntry {
  readonly offset: number;
}

export const BLOCK = 512;
/** Two empty blocks end an archive. */
export const END = Buffer.alloc(2 * BLOCK);

const TYPES: Readonly<Record<EntryType, string>> = { file: '0', directory: '5', link: '2' };
const NAME_BYTES = 100;
/** Eleven octal digits. */
const MAX_SIZE = 8 ** 11 - 1;
const MAX_PAX = 1 << 20;

/** How many bytes fill a file up to whole blocks. */
export const padding = (size: number): number => (BLOCK - (size % BLOCK)) % BLOCK;

export const entryOf = (name: string, type: EntryType, stats: Stats, target: string): TarEntry => ({
  name,
  type,
  size: type === 'file' ? stats.size : 0,
  mode: stats.mode & 0o7777,
  mtimeMs: Math.max(0, Math.floor(stats.mtimeMs / 1000) * 1000),
  target,
});

/** One header, or two: the first with what the second has no room for. The bytes of a file follow, filled up to a whole block. Owners are not kept. */
export function tarHeader(entry: TarEntry): Buffer {
  const name = entry.type === 'directory' ? `${entry.name}/` : entry.name;
  const records = [
    ...(fits(name) ? [] : [paxRecord('path', name)]),
    ...(fits(entry.target) ? [] : [paxRecord('linkpath', entry.target)]),
    ...(entry.size <= MAX_SIZE ? [] : [paxRecord('size', String(entry.size))]),
  ];
  const own = block(name, TYPES[entry.type], entry.size, entry);
  if (records.length === 0) return own;
  const pax = Buffer.concat(records);
  return Buffer.concat([block('pax', 'x', pax.length, { ...entry, target: '', mode: 0o644 }), pax, Buffer.alloc(padding(pax.length)), own]);
}

/** Plain ASCII is the same everywhere. */
const fits = (text: string): boolean => /^[\x20-\x7e]*$/.test(text) && text.length <= NAME_BYTES;

function block(name: string, type: string, size: number, { mode, mtimeMs, target }: TarEntry): Buffer {
  const bytes = Buffer.alloc(BLOCK);
  const put = (text: string, at: number, length: number) => bytes.write(text.slice(0, length), at, length, 'latin1');
  const octal = (value: number, at: number, length: number) => put(value.toString(8).padStart(length - 1, '0'), at, length);
  put(name, 0, NAME_BYTES);
  octal(mode, 100, 8);
  octal(0, 108, 8);
  octal(0, 116, 8);
  octal(Math.min(size, MAX_SIZE), 124, 12);
  octal(Math.min(mtimeMs / 1000, MAX_SIZE), 136, 12);
  put(type, 156, 1);
  put(target, 157, NAME_BYTES);
  put('ustar\0' + '00', 257, 8);
  bytes.fill(' ', 148, 156);
  put(`${checksum(bytes).toString(8).padStart(6, '0')}\0 `, 148, 8);
  return bytes;
}

const checksum = (bytes: Buffer): number => bytes.reduce((sum, byte) => sum + byte, 0);

/** `length key=value` and a line end, the length counting itself. */
function paxRecord(key: string, value: string): Buffer {
  const rest = Buffer.from(` ${key}=${value}\n`);
  let length = rest.length;
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length;
  return Buffer.concat([Buffer.from(String(length)), rest]);
}

/** The entries of an open archive, in order; `path` is for messages. CAF_ARCHIVE_DAMAGED where it is none, or is cut off. */
export function* readTar(fd: number, path: string): Generator<StoredEntry> {
  const { size: end } = fstatSync(fd);
  const header = Buffer.alloc(BLOCK);
  let pax: ReadonlyMap<string, string> = new Map();
  for (let at = 0; ; ) {
    if (readSync(fd, header, 0, BLOCK, at) < BLOCK) throw damaged(path, at, 'it is cut off');
    if (header.every((byte) => byte === 0)) return;
    const sum = octalIn(header, 148, 8);
    header.fill(' ', 148, 156);
    if (sum !== checksum(header)) throw damaged(path, at, 'the check sum of a header is wrong');
    const size = Number(pax.get('size') ?? octalIn(header, 124, 12));
    const offset = at + BLOCK;
    at = offset + size + padding(size);
    if (!Number.isSafeInteger(size) || at > end) throw damaged(path, offset - BLOCK, 'it is cut off');
    const flag = String.fromCharCode(header[156] ?? 0);
    if (flag === 'x') {
      if (size > MAX_PAX) throw damaged(path, offset - BLOCK, 'a header is too long');
      const text = Buffer.alloc(size);
      readSync(fd, text, 0, size, offset);
      pax = readPax(text);
      continue;
    }
    const type = (Object.keys(TYPES) as EntryType[]).find((known) => TYPES[known] === flag);
    if (type === undefined) throw damaged(path, offset - BLOCK, `it has an entry of the kind ${JSON.stringify(flag)}`);
    const name = (pax.get('path') ?? textIn(header, 0, NAME_BYTES)).replace(/\/+$/, '');
    const target = pax.get('linkpath') ?? textIn(header, 157, NAME_BYTES);
    pax = new Map();
    yield { name, type, size, mode: octalIn(header, 100, 8), mtimeMs: octalIn(header, 136, 12) * 1000, target, offset };
  }
}

function readPax(bytes: Buffer): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (let at = 0; at < bytes.length; ) {
    const space = bytes.indexOf(' ', at);
    const length = Number(bytes.toString('latin1', at, space));
    if (space < 0 || !(length > 0)) break;
    const record = bytes.toString('utf8', space + 1, at + length - 1);
    found.set(record.slice(0, record.indexOf('=')), record.slice(record.indexOf('=') + 1));
    at += length;
  }
  return found;
}

const octalIn = (bytes: Buffer, at: number, length: number): number => Number.parseInt(textIn(bytes, at, length).trim(), 8);

function textIn(bytes: Buffer, at: number, length: number): string {
  const end = bytes.indexOf(0, at);
  return bytes.toString('latin1', at, end === -1 ? at + length : Math.min(end, at + length));
}

export const damaged = (path: string, at: number, what: string): CafError =>
  new CafError('CAF_ARCHIVE_DAMAGED', `The archive of finished jobs ${path} cannot be read: ${what} (at byte ${at})`, {
    hint: `see what is left with: tar -tvf ${path}; caf run --fresh, or caf reset, has its jobs done again`,
  });
