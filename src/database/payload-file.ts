// What a payload file that lies in a directory is: its digests, and whether it holds a value.
import { createHash } from 'node:crypto';
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import type { StoredPayload } from '../domain/payload.ts';
import { isCanonical } from '../payloads/codec.ts';
import { extensionOf, JSON_TYPE, mediaTypeOf } from '../payloads/name.ts';

export type FileFacts = Omit<StoredPayload, 'name' | 'iov'>;

/** By path, with what tells that the file is still the same; processes that open the same chain often hash once. */
const hashed = new Map<string, { readonly state: string; readonly facts: FileFacts }>();

export function describeFile(path: string): FileFacts {
  const fd = openSync(path, 'r');
  try {
    const stats = fstatSync(fd, { bigint: true });
    const state = `${stats.dev} ${stats.ino} ${stats.size} ${stats.mtimeNs} ${stats.ctimeNs}`;
    const known = hashed.get(path);
    if (known?.state === state) return known.facts;
    const sha256 = createHash('sha256');
    const md5 = createHash('md5');
    const buffer = Buffer.allocUnsafe(Math.min(1 << 20, Math.max(Number(stats.size), 4096)));
    let size = 0;
    let whole: Buffer | null = null;
    for (let read = readSync(fd, buffer); read > 0; read = readSync(fd, buffer)) {
      const piece = buffer.subarray(0, read);
      if (size === 0 && BigInt(read) === stats.size) whole = Buffer.from(piece);
      sha256.update(piece);
      md5.update(piece);
      size += read;
    }
    const extension = extensionOf(path);
    const facts = { sha256: sha256.digest('hex'), md5: md5.digest('hex'), size, ...formOf(extension, whole) };
    hashed.set(path, { state, facts });
    return facts;
  } finally {
    closeSync(fd);
  }
}

/** Belle II calls every payload .root: one of up to 1 MB that holds exactly what our codec writes is a value. */
function formOf(extension: string, whole: Buffer | null): Pick<StoredPayload, 'extension' | 'mediaType'> {
  if (extension === '.root' && whole !== null && isCanonical(whole)) return { extension: '.json', mediaType: JSON_TYPE };
  return { extension, mediaType: mediaTypeOf(extension) };
}
