// The object store: same bytes once, never half written, damage found, memory flat.
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CafError } from '../../src/domain/errors.ts';
import { forEachAtOnce } from '../../src/payloads/disk.ts';
import { checkPayloadName, extensionOf } from '../../src/payloads/name.ts';
import {
  hashBytes,
  hasObject,
  objectPath,
  putBytes,
  putFile,
  putFilePayload,
  putValue,
  readObject,
  syncAhead,
  syncObjects,
} from '../../src/payloads/store.ts';

let root: string;
let objects: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'caf-'));
  objects = join(root, 'objects');
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const HELLO = '5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03';
const codeOf = async (action: () => unknown): Promise<string> => {
  try {
    await action();
  } catch (error) {
    return error instanceof CafError ? error.code : String(error);
  }
  return 'accepted';
};

describe('putting', () => {
  it('stores bytes once, read-only, under their SHA-256', () => {
    const stored = putBytes(objects, Buffer.from('hello\n'));
    expect(stored).toEqual({ sha256: HELLO, md5: 'b1946ac92492d2347c6235b4d2611184', size: 6 });
    const { ino, mode } = statSync(objectPath(objects, HELLO));
    expect(mode & 0o777).toBe(0o444);
    putBytes(objects, Buffer.from('hello\n'));
    expect(statSync(objectPath(objects, HELLO)).ino).toBe(ino);
    expect(readdirSync(objects)).toEqual(['58']);
    expect(readObject(objects, HELLO).toString()).toBe('hello\n');
    expect([hasObject(objects, HELLO, 6), hasObject(objects, HELLO, 7), hasObject(objects, 'f'.repeat(64), 6)]).toEqual([
      true,
      false,
      false,
    ]);
  });

  it('stores a file like its bytes, and empty ones too', async () => {
    writeFileSync(join(root, 'a.root'), 'hello\n');
    expect(await putFile(objects, join(root, 'a.root'))).toEqual(hashBytes(Buffer.from('hello\n')));
    writeFileSync(join(root, 'a.root'), 'changed');
    expect(readObject(objects, HELLO).toString()).toBe('hello\n');
    expect(statSync(objectPath(objects, HELLO)).mode & 0o777).toBe(0o444);
    writeFileSync(join(root, 'empty'), '');
    expect(await putFile(objects, join(root, 'empty'))).toEqual(putBytes(objects, Buffer.alloc(0)));
    expect(readdirSync(objects).filter((name) => name.startsWith('tmp'))).toEqual([]);
  });

  it('replaces an object that was damaged instead of referring to it', async () => {
    const damage = () => {
      chmodSync(objectPath(objects, HELLO), 0o644);
      writeFileSync(objectPath(objects, HELLO), 'hellO\n');
    };
    putBytes(objects, Buffer.from('hello\n'));
    damage();
    expect(await codeOf(() => readObject(objects, HELLO))).toBe('CAF_DB_PAYLOAD_CORRUPT');
    putBytes(objects, Buffer.from('hello\n'));
    expect(readObject(objects, HELLO).toString()).toBe('hello\n');
    damage();
    writeFileSync(join(root, 'a.root'), 'hello\n');
    await putFile(objects, join(root, 'a.root'));
    expect(readObject(objects, HELLO).toString()).toBe('hello\n');
  });

  it('describes values and files ready to be committed', async () => {
    expect(await putValue(objects, 'Pedestals', Buffer.from('{"a":1}'))).toMatchObject({
      name: 'Pedestals',
      mediaType: 'application/json',
      extension: '.json',
    });
    for (const [file, extension, mediaType] of [
      ['x.root', '.root', 'application/x-root'],
      ['x.odd_ext', '', 'application/octet-stream'],
      ['plain', '', 'application/octet-stream'],
    ] as const) {
      writeFileSync(join(root, file), 'x');
      expect(await putFilePayload(objects, 'P', join(root, file))).toMatchObject({ name: 'P', size: 1, extension, mediaType });
    }
    expect(await codeOf(() => putValue(objects, 'a/b', Buffer.from('1')))).toBe('CAF_PAYLOAD_NAME');
  });

  it('refuses what is not a readable file', async () => {
    mkdirSync(join(root, 'directory'));
    expect(await codeOf(() => putFile(objects, join(root, 'missing')))).toBe('CAF_PAYLOAD_FILE');
    expect(await codeOf(() => putFile(objects, join(root, 'directory')))).toBe('CAF_PAYLOAD_FILE');
  });

  it('keeps memory flat for a large file', async () => {
    const large = join(root, 'large.root');
    writeFileSync(large, 'begin');
    truncateSync(large, 200 * 1024 * 1024);
    const before = process.memoryUsage();
    let peak = 0;
    const watch = setInterval(() => {
      const now = process.memoryUsage();
      peak = Math.max(peak, now.external + now.heapUsed - before.external - before.heapUsed);
    }, 5);
    const stored = await putFile(objects, large);
    clearInterval(watch);
    expect(stored.size).toBe(200 * 1024 * 1024);
    expect(peak).toBeLessThan(64 * 1024 * 1024);
    expect(readFileSync(objectPath(objects, stored.sha256)).subarray(0, 5).toString()).toBe('begin');
  });
});

describe('durability', () => {
  it('syncs every object, and tells when one is gone', async () => {
    const digests = ['a', 'b', 'c'].map((text) => putBytes(objects, Buffer.from(text)).sha256);
    await syncObjects(objects, digests);
    await syncObjects(join(root, 'none'), []);
    rmSync(objectPath(objects, digests[1]!));
    await expect(syncObjects(objects, digests)).rejects.toThrow(/ENOENT/);
  });

  it('does not sync again what was synced ahead, when a database needs it', async () => {
    const ahead = putBytes(objects, Buffer.from('ahead'));
    const late = putBytes(objects, Buffer.from('late'));
    const stats = new Map([ahead, late].map(({ sha256 }) => [sha256, statSync(objectPath(objects, sha256))]));
    syncAhead(objects, [ahead.sha256]);
    await syncObjects(objects, []);
    syncAhead(objects, ['f'.repeat(64)]); // not there: told when a database needs it
    await syncObjects(objects, []);
    for (const { sha256 } of [ahead, late]) rmSync(objectPath(objects, sha256));
    // What is gone cannot be synced: only what was synced before is passed over.
    await syncObjects(objects, [ahead.sha256], stats);
    await expect(syncObjects(objects, [late.sha256], stats)).rejects.toThrow(/ENOENT/);
  });

  it('works on many items at once and rejects with the first error after all have ended', async () => {
    let running = 0;
    let most = 0;
    const done: number[] = [];
    const items = Array.from({ length: 20 }, (_, index) => index);
    await forEachAtOnce(items, 4, async (item) => {
      running += 1;
      most = Math.max(most, running);
      await Promise.resolve();
      running -= 1;
      done.push(item);
    });
    expect([most, done.length]).toEqual([4, 20]);
    const failing = forEachAtOnce(items, 4, async (item) => {
      if (item === 3) throw new Error('three');
      await Promise.resolve();
    });
    await expect(failing).rejects.toThrow('three');
  });
});

describe('names', () => {
  it.each(['a/b', '', '.hidden', 'a b', "a'b", 'a\n', 'ä', 'x'.repeat(201)])('%j is refused', async (name) => {
    expect(await codeOf(() => checkPayloadName(name))).toBe('CAF_PAYLOAD_NAME');
  });
  it.each(['file.xml', 'CDC_T0+v2:x-1', '__proto__', 'x'.repeat(200)])('%s is accepted', (name) => {
    expect(() => checkPayloadName(name)).not.toThrow();
  });
  it.each([
    ['a.json', '.json'],
    ['/d.x/a.tar.gz', '.gz'],
    ['/d.x/a', ''],
    ['/d/.hidden', ''],
    ['a.with_underscore', ''],
    ['a.', ''],
  ])('the extension of %s is "%s"', (path, extension) => {
    expect(extensionOf(path)).toBe(extension);
  });
});
