// Images of databases: built one after the other in one process, small and large.
import Database from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { resolveContent } from '../../src/database/content.ts';
import { buildImage, expectedFingerprint, schemaFingerprint } from '../../src/database/image.ts';
import type { EntryInput } from '../../src/database/types.ts';
import { hashBytes } from '../../src/payloads/store.ts';

const entriesOf = (count: number, label: string): readonly EntryInput[] =>
  Array.from({ length: count }, (_, n) => {
    const stored = hashBytes(Buffer.from(`${label} ${n % 7}`));
    return {
      payload: { name: `P${n % 3}`, ...stored, mediaType: 'text/plain', extension: '.txt', iov: null },
      iov: [7, n, 7, n + 4],
      transaction: 0,
    };
  });

const build = (count: number, label: string, meta: Readonly<Record<string, string>> = {}): Buffer =>
  buildImage({ content: resolveContent(entriesOf(count, label)), transactions: [], parents: [], meta });

/** Problems that SQLite finds, the numbers of rows, and whether the schema is ours. */
function inspect(image: Buffer): unknown {
  const sqlite = new Database(image, { readonly: true });
  try {
    const count = (table: string) => sqlite.prepare(`SELECT count(*) FROM ${table}`).pluck().get();
    return {
      integrity: sqlite.pragma('integrity_check', { simple: true }),
      isOurs: schemaFingerprint(sqlite) === expectedFingerprint(),
      sealed: sqlite.prepare("SELECT value FROM meta WHERE key = 'sealed'").pluck().get(),
      rows: [count('name'), count('payload'), count('iov'), count('seg')],
    };
  } finally {
    sqlite.close();
  }
}

describe('images', () => {
  it('hold nothing of one that could not be built', () => {
    const good = build(200, 'a');
    const content = resolveContent(
      entriesOf(5, 'b').map((entry) => ({
        ...entry,
        payload: { ...entry.payload, parts: [{ firstEvent: -1, sha256: entry.payload.sha256 }] },
      })),
    );
    expect(() => buildImage({ content, transactions: [], parents: [], meta: {} })).toThrow('CHECK constraint failed');
    expect(build(200, 'a')).toEqual(good);
  });

  it('have the same bytes whatever was built before them', () => {
    const first = build(200, 'a');
    expect(build(37, 'b')).not.toEqual(first);
    expect(build(0, 'c').length).toBeLessThan(first.length);
    expect(build(200, 'a').equals(first)).toBe(true);
    expect(inspect(first)).toEqual({ integrity: 'ok', isOurs: true, sealed: '1', rows: [3, 21, 200, 200] });
  });

  it.each([2000, 2001])('are whole and sealed with %i entries', (count) => {
    const image = build(count, 'a');
    expect(inspect(image)).toEqual({ integrity: 'ok', isOurs: true, sealed: '1', rows: [3, 21, count, count] });
    expect(image.readUInt32BE(28) * 4096).toBe(image.length);
    const sqlite = new Database(image);
    expect(() => sqlite.exec('DELETE FROM iov')).toThrow('E_IMMUTABLE');
    sqlite.close();
  });

  it('that cannot be built leave nothing in the next one', () => {
    const good = build(20, 'a', { format: 'caf-localdb' });
    expect(() => build(20, 'b', { sealed: 'twice' })).toThrow(/UNIQUE constraint failed: meta.key/);
    expect(build(20, 'a', { format: 'caf-localdb' }).equals(good)).toBe(true);
  });
});
