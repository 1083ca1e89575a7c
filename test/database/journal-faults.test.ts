// Kills, damage, foreign files, full disks, directories one may not write to.

import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, test } from 'vitest';
import { openJournalForReading } from '../../src/database/journal-reader.ts';
import type { JournalEntry } from '../../src/domain/journal.ts';
import { cafErrorOf, ENTRIES, entriesUpTo, openForTest, startChild, temporaryDirectory } from './journal-support.ts';

/** A directory with a closed journal of some size. */
function withJournal(): { readonly directory: string; readonly path: string } {
  const directory = temporaryDirectory();
  const journal = openForTest(directory);
  for (const entry of entriesUpTo('job.finished')) journal.append(entry);
  for (let job = 1; job < 500; job += 1) journal.append({ ...ENTRIES['attempt.started'], job } as JournalEntry);
  journal.close();
  return { directory, path: join(directory, 'caf.db') };
}

describe('a killed writer', () => {
  test('loses nothing that it had committed, and the next one takes over at once', async () => {
    const directory = temporaryDirectory();
    const child = startChild('write', directory);
    let told = -1;
    while (told < 200) told = Number(await child.nextLine());
    child.kill('SIGKILL');
    const { signal, lines } = await child.ended();
    expect(signal).toBe('SIGKILL');
    const last = Number(lines.findLast((line) => line !== '') ?? told);
    const found = openForTest(directory).jobs('c', 0, 'x');
    expect([...found.keys()].slice(0, last + 1)).toEqual(Array.from({ length: last + 1 }, (_, job) => job));
    // One more may have been committed before its number was told.
    expect(found.size - (last + 1)).toBeLessThanOrEqual(1);
  });

  test.each([
    ['calibration.planned:1', ['a']],
    ['calibration.planned:3', ['a', 'b', 'c']],
    ['*:2', ['a', 'b']],
  ])('CAF_CRASH_AFTER=%s dies right after the commit of that entry', async (at, names) => {
    const directory = temporaryDirectory();
    const { signal, lines } = await startChild('crash', directory, { env: { CAF_CRASH_AFTER: at } }).ended();
    expect([signal, lines]).toEqual(['SIGKILL', []]);
    const reader = openJournalForReading(directory);
    expect(reader.journal?.calibrations().map(({ calibration }) => calibration)).toEqual(names);
    reader.close();
  });

  test('while it made the journal leaves nothing that the next one does not clear away', async () => {
    const directory = temporaryDirectory();
    const child = startChild('open', directory);
    await child.ended();
    rmSync(join(directory, 'caf.db'));
    writeFileSync(join(directory, `caf.db.new-${child.pid}-1`), 'half');
    writeFileSync(join(directory, `caf.db.new-${process.pid}-1`), 'of somebody who is alive');
    openForTest(directory).close();
    expect(readdirSync(directory).sort()).toEqual(['caf.db', `caf.db.new-${process.pid}-1`]);
  });

  test('CAF_CRASH_AFTER of an entry that never comes does nothing; one that cannot be read is refused', async () => {
    const quiet = await startChild('crash', temporaryDirectory(), { env: { CAF_CRASH_AFTER: 'job.finished:1' } }).ended();
    expect(quiet).toMatchObject({ code: 0, lines: ['alive'] });
    expect(() => openForTest(temporaryDirectory(), { env: { CAF_CRASH_AFTER: 'job.finsihed:1' } })).toThrow(/expected kind:n/);
  });
});

test('of several that make the journal at the same moment each has it, one after the other, or is refused', async () => {
  const directory = join(temporaryDirectory(), 'new');
  const ends = await Promise.all([1, 2, 3].map(() => startChild('open', directory).ended()));
  for (const { lines } of ends) expect(lines[0]).toMatch(/^opened$|CAF_RESULTS_LOCKED/);
  expect(ends.map(({ lines }) => lines[0])).toContain('opened');
  expect(readdirSync(directory)).toEqual(['caf.db']);
});

describe('a caf.db that cannot be used is recognised before use, by writers and readers, and left as it is', () => {
  const cases: readonly (readonly [name: string, spoil: (path: string) => void, code: string, words: RegExp])[] = [
    ['of zero bytes', (path) => truncateSync(path, 0), 'CAF_JOURNAL_DAMAGED', /is empty \(0 bytes\)/],
    ['shorter than a header', (path) => truncateSync(path, 50), 'CAF_JOURNAL_DAMAGED', /truncated: it has 50 bytes/],
    ['cut off in the middle', (path) => truncateSync(path, 8192 + 17), 'CAF_JOURNAL_DAMAGED', /truncated: it has 8209 bytes of \d+/],
    ['that is a text', (path) => writeFileSync(path, `hello ${'x'.repeat(500)}`), 'CAF_JOURNAL_FOREIGN', /is not a SQLite file/],
    ['whose first bytes are flipped', (path) => flip(path, 3), 'CAF_JOURNAL_DAMAGED', /first bytes are damaged/],
    ['of another program', (path) => pragma(path, 'application_id = 0x43414C42'), 'CAF_JOURNAL_FOREIGN', /application id 0x43414c42/],
    [
      'of a newer caf',
      (path) => pragma(path, 'user_version = 7'),
      'CAF_JOURNAL_NEWER',
      /schema version 7; this caf knows versions up to 1/,
    ],
  ];
  test.each(cases)('%s', (_, spoil, code, words) => {
    const { directory, path } = withJournal();
    spoil(path);
    const before = readFileSync(path);
    for (const open of [() => openForTest(directory), () => openJournalForReading(directory)]) {
      const error = cafErrorOf(open);
      expect([error.code, error.message]).toEqual([code, expect.stringMatching(words)]);
      expect(error.message).toContain(path);
      expect(error.hint).toBeTruthy();
    }
    expect(readFileSync(path).equals(before)).toBe(true);
  });

  test('a newer version that is still in the write-ahead log is seen too', () => {
    const { directory, path } = withJournal();
    const newer = new Database(path);
    newer.pragma('user_version = 2');
    expect(cafErrorOf(() => openForTest(directory)).code).toBe('CAF_JOURNAL_NEWER');
    expect(cafErrorOf(() => openJournalForReading(directory)).code).toBe('CAF_JOURNAL_NEWER');
    newer.close();
  });

  test('flipped bits inside are found after an unclean stop, before anything is written', () => {
    const { directory, path } = withJournal();
    const db = new Database(path);
    db.prepare(
      `INSERT INTO owner VALUES (1, 't', 'h', 'another boot', 1, 1, 0, '2026-11-21T20:00:00Z', 'caf run', '2026-11-21T20:00:00Z', 1)`,
    ).run();
    db.exec(`UPDATE owner SET host = '${hostname()}'`);
    db.close();
    const page = Buffer.alloc(4096, 0xa5);
    const file = readFileSync(path);
    // The jobs' rows fill the last pages.
    page.copy(file, file.length - 3 * 4096);
    writeFileSync(path, file);
    const error = cafErrorOf(() => openForTest(directory));
    expect([error.code, error.message]).toEqual(['CAF_JOURNAL_DAMAGED', expect.stringContaining(`${path} is damaged`)]);
  });

  test('a directory that leaves its place ends its writer; what was committed before is there when it is back', () => {
    const directory = temporaryDirectory();
    const journal = openForTest(directory);
    for (const entry of entriesUpTo('calibration.planned')) journal.append(entry);
    journal.commit();
    renameSync(directory, `${directory}-away`);
    journal.append(ENTRIES['iteration.started']);
    const error = cafErrorOf(() => journal.commit());
    expect([error.code, error.message]).toEqual(['CAF_RESULTS_UNWRITABLE', expect.stringContaining(`${directory} was removed or renamed`)]);
    expect(cafErrorOf(() => journal.append(ENTRIES['iteration.started']))).toBe(error);
    journal.close();
    expect(existsSync(directory)).toBe(false);
    renameSync(`${directory}-away`, directory);
    const found = openForTest(directory);
    expect(found.calibrations()).toHaveLength(1);
    found.close();
  });

  test('a directory with results but without caf.db is refused by the writer, unknown to the reader', () => {
    const directory = temporaryDirectory();
    mkdirSync(join(directory, 'pedestals', '0'), { recursive: true });
    const error = cafErrorOf(() => openForTest(directory));
    expect([error.code, error.message, typeof error.hint]).toEqual([
      'CAF_JOURNAL_MISSING',
      `${directory} holds results (pedestals/), but no caf.db`,
      'string',
    ]);
    expect(cafErrorOf(() => openJournalForReading(directory)).code).toBe('CAF_RESULTS_NOT_FOUND');
    expect(readdirSync(directory)).toEqual(['pedestals']);
  });

  test('a write-ahead log without its caf.db is refused: it would be replayed into a new one', () => {
    const directory = temporaryDirectory();
    writeFileSync(join(directory, 'caf.db-wal'), 'something');
    expect(cafErrorOf(() => openForTest(directory)).code).toBe('CAF_JOURNAL_DAMAGED');
  });

  test('a directory with other things in it (a log, objects) is not mistaken for results', () => {
    const directory = temporaryDirectory();
    mkdirSync(join(directory, 'objects', '00'), { recursive: true });
    mkdirSync(join(directory, 'notes', 'plots'), { recursive: true });
    writeFileSync(join(directory, 'caf.log'), '');
    expect(openForTest(directory).calibrations()).toEqual([]);
  });

  test('nothing but caf.db is left beside it by a writer and a reader that have closed', () => {
    const { directory } = withJournal();
    openJournalForReading(directory).close();
    expect(readdirSync(directory)).toEqual(['caf.db']);
  });
});

describe('a directory one may not write to', () => {
  /** Root may write everywhere: then the child is somebody else. */
  const nobody = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};
  const protect = (directory: string) => {
    for (const name of readdirSync(directory)) chmodSync(join(directory, name), 0o444);
    chmodSync(directory, 0o555);
  };

  test('is refused for writing with its path, and nothing is made in it', async () => {
    const { directory } = withJournal();
    protect(directory);
    expect(JSON.parse(await startChild('open', directory, nobody).nextLine())).toMatchObject({
      code: 'CAF_RESULTS_UNWRITABLE',
      message: expect.stringContaining(join(directory, 'caf.db')),
      hint: expect.stringContaining('--output'),
    });
    expect(JSON.parse(await startChild('open', join(directory, 'new'), nobody).nextLine())).toMatchObject({
      code: 'CAF_RESULTS_UNWRITABLE',
    });
    expect(readdirSync(directory)).toEqual(['caf.db']);
    chmodSync(directory, 0o755);
  });

  test('can be read after a clean stop', async () => {
    const { directory } = withJournal();
    protect(directory);
    expect(JSON.parse(await startChild('read', directory, nobody).nextLine())).toEqual({ calibrations: ['pedestals'], owner: null });
    chmodSync(directory, 0o755);
  });

  test('can be read after its writer was killed, with what only the write-ahead log holds, even without shared memory', async () => {
    const directory = temporaryDirectory();
    const child = startChild('hold', directory);
    await child.nextLine();
    child.kill('SIGKILL');
    await child.ended();
    rmSync(join(directory, 'caf.db-shm'));
    expect(existsSync(join(directory, 'caf.db-wal'))).toBe(true);
    protect(directory);
    expect(JSON.parse(await startChild('read', directory, nobody).nextLine())).toMatchObject({
      calibrations: ['held'],
      owner: { pid: child.pid },
    });
    chmodSync(directory, 0o755);
  });
});

// A small disk of its own needs a private mount namespace.
const canMount = spawnSync('unshare', ['-rm', 'sh', '-c', 'mount -t tmpfs tmpfs /tmp']).status === 0;

test.skipIf(!canMount)(
  'on a full disk the path and the space left are told, nothing more is written, and what was committed is intact',
  async () => {
    const directory = temporaryDirectory();
    const small = ['unshare', '-rm', 'sh', '-c', `mount -t tmpfs -o size=3m tmpfs "$0" && exec "$@"`, directory];
    const { lines } = await startChild('fill', join(directory, 'results'), { wrap: small }).ended();
    const [failure, again, outcome] = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(failure).toMatchObject({
      code: 'CAF_DISK_FULL',
      message: expect.stringMatching(/results\/caf\.db .* \((0|[\d.]+ k?B|\d+ bytes).* left\)/),
    });
    expect(again, 'the failure is the last word').toEqual(failure);
    expect(outcome?.found).toBe(outcome?.written);
    expect(outcome?.written).toBeGreaterThan(10);
  },
);

function flip(path: string, byte: number): void {
  const file = readFileSync(path);
  file[byte] = (file[byte] ?? 0) ^ 0x10;
  writeFileSync(path, file);
}

function pragma(path: string, text: string): void {
  const db = new Database(path);
  db.pragma(text);
  db.close();
}
