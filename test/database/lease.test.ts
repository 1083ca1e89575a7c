// One writer at a time: refused, taken over, fenced; and the one-process mode of network file systems.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { openJournalForReading } from '../../src/database/journal-reader.ts';
import { type CampaignSnapshot, createStatusPublisher } from '../../src/database/journal-status.ts';
import { BEAT_INTERVAL_MS } from '../../src/database/lease.ts';
import { ownIdentity } from '../../src/host/process-identity.ts';
import { cafErrorOf, ENTRIES, entriesUpTo, openForTest, startChild, temporaryDirectory } from './journal-support.ts';

const ELSEWHERE = { ...ownIdentity(), host: 'login99', bootId: 'another' };
const MINUTES = 60_000;

/** The only row of owner, as it lies in the file. */
function ownerOf(directory: string): Record<string, unknown> | undefined {
  const db = new Database(join(directory, 'caf.db'), { readonly: true });
  const row = db.prepare('SELECT * FROM owner').get() as Record<string, unknown> | undefined;
  db.close();
  return row;
}

describe('while a caf has the results directory', () => {
  test('a second one on this host is refused with host, pid, command, age and what to do', async () => {
    const directory = temporaryDirectory();
    const child = startChild('hold', directory);
    await child.nextLine();
    const error = cafErrorOf(() => openForTest(directory));
    expect(error.code).toBe('CAF_RESULTS_LOCKED');
    expect(error.message).toMatch(
      new RegExp(
        `^${directory} is in use by ${hostname()} pid ${child.pid} \\(caf run\\), started \\d+ s ago, last sign of life \\d+ s ago$`,
      ),
    );
    expect(error.hint).toMatch(/caf status.*caf cancel/);
    child.endInput();
    expect((await child.ended()).code).toBe(0);
    expect(openForTest(directory).calibrations(), 'once it is closed, the next one may').toHaveLength(1);
  });

  test('a second one in the same process is refused too', () => {
    const directory = temporaryDirectory();
    const journal = openForTest(directory);
    expect(cafErrorOf(() => openForTest(directory)).code).toBe('CAF_RESULTS_LOCKED');
    journal.close();
    openForTest(directory);
  });

  test('one on another host is refused until the last sign of life is five minutes old', () => {
    const directory = temporaryDirectory();
    const start = Date.now();
    openForTest(directory, { identity: ELSEWHERE, now: () => new Date(start) });
    const error = cafErrorOf(() => openForTest(directory, { now: () => new Date(start + 4.9 * MINUTES) }));
    expect([error.code, error.message]).toEqual([
      'CAF_RESULTS_LOCKED',
      expect.stringMatching(/login99 pid \d+ \(caf run\), started 5 min ago, last sign of life 5 min ago/),
    ]);
    expect(error.hint).toContain('login99');
    openForTest(directory, { now: () => new Date(start + 5.1 * MINUTES) });
    expect(ownerOf(directory)).toMatchObject({ host: hostname(), pid: process.pid });
  });

  test('CAF_LEASE_STALE_MS sets another limit', () => {
    const directory = temporaryDirectory();
    const start = Date.now();
    openForTest(directory, { identity: ELSEWHERE, now: () => new Date(start) });
    const later = () => new Date(start + 1500);
    expect(cafErrorOf(() => openForTest(directory, { now: later, env: { CAF_LEASE_STALE_MS: '2000' } })).code).toBe('CAF_RESULTS_LOCKED');
    openForTest(directory, { now: later, env: { CAF_LEASE_STALE_MS: '1000' } });
  });

  test('a sign of life from the far future does not lock the directory for ever, and no age is negative', () => {
    const directory = temporaryDirectory();
    const start = Date.now();
    openForTest(directory, { identity: ELSEWHERE, now: () => new Date(start) });
    const earlier = cafErrorOf(() => openForTest(directory, { now: () => new Date(start - MINUTES) }));
    expect(earlier.message).toContain('started 0 s ago, last sign of life 0 s ago');
    openForTest(directory, { now: () => new Date(start - 365 * 24 * 60 * MINUTES) });
  });
});

describe('an owner that is gone is followed at once', () => {
  const leftBehind = (directory: string, changes: Record<string, unknown>) => {
    openForTest(directory).close();
    const db = new Database(join(directory, 'caf.db'));
    const { host, bootId, pid, startTicks } = ownIdentity();
    const row = { token: 't', host, boot_id: bootId, pid, start_ticks: startTicks, ...changes };
    const at = new Date().toISOString();
    db.prepare(`INSERT INTO owner VALUES (1, @token, @host, @boot_id, @pid, @start_ticks, 0, '${at}', 'caf run', '${at}', NULL)`).run(row);
    db.close();
  };

  test('when its process was killed', async () => {
    const directory = temporaryDirectory();
    const child = startChild('hold', directory);
    await child.nextLine();
    child.kill('SIGKILL');
    await child.ended();
    expect(ownerOf(directory)).toMatchObject({ pid: child.pid });
    expect(openForTest(directory).lastInvocation()).toMatchObject({ invocation: 1, outcome: null });
  });

  test('when its pid belongs to another process by now', () => {
    const directory = temporaryDirectory();
    leftBehind(directory, { start_ticks: ownIdentity().startTicks - 1 });
    openForTest(directory);
  });

  test('when the machine was booted since', () => {
    const directory = temporaryDirectory();
    leftBehind(directory, { boot_id: 'the boot before' });
    openForTest(directory);
  });
});

describe('an owner that was taken over', () => {
  const takenOver = () => {
    const directory = temporaryDirectory();
    const start = Date.now();
    const told: unknown[] = [];
    const old = openForTest(directory, { identity: ELSEWHERE, now: () => new Date(start), onFailure: (error) => told.push(error) });
    for (const entry of entriesUpTo('calibration.planned')) old.append(entry);
    old.commit();
    const next = openForTest(directory, { now: () => new Date(start + 6 * MINUTES) });
    return { directory, old, next, told };
  };

  test('cannot write any more when it wakes, and leaves the new owner its lease', () => {
    const { directory, old, next } = takenOver();
    old.append({ ...ENTRIES['calibration.planned'], calibration: 'late' });
    const error = cafErrorOf(() => old.commit());
    expect([error.code, error.message]).toEqual([
      'CAF_LEASE_LOST',
      expect.stringContaining(`${hostname()} pid ${process.pid} (caf run) took it over`),
    ]);
    expect(cafErrorOf(() => old.append(ENTRIES['invocation.ended'])).code).toBe('CAF_LEASE_LOST');
    old.close();
    expect(next.calibrations().map(({ calibration }) => calibration)).toEqual(['pedestals']);
    next.append({ ...ENTRIES['calibration.planned'], calibration: 'gain', position: 1 });
    next.commit();
    expect(ownerOf(directory)).toMatchObject({ host: hostname() });
  });

  test('is told at the end of its turn, where no caller waits', async () => {
    const { old, next } = takenOver();
    const failure = new Promise((resolve) => {
      const directory = temporaryDirectory();
      const journal = openForTest(directory, { identity: ELSEWHERE, now: () => new Date(0), onFailure: resolve });
      openForTest(directory);
      journal.append(ENTRIES['invocation.started']);
    });
    expect(await failure).toMatchObject({ code: 'CAF_LEASE_LOST' });
    old.close();
    next.close();
  });

  test('learns of it by its next sign of life at the latest', () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    try {
      const { old, told } = takenOver();
      vi.advanceTimersByTime(BEAT_INTERVAL_MS);
      expect(told).toMatchObject([{ code: 'CAF_LEASE_LOST' }]);
      expect(() => old.close()).not.toThrow();
    } finally {
      vi.useRealTimers();
    }
  });
});

test('an owner shows signs of life, and gives the lease back when it closes', () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  try {
    const directory = temporaryDirectory();
    let time = Date.parse('2026-11-21T20:00:00Z');
    const journal = openForTest(directory, { now: () => new Date(time) });
    time += BEAT_INTERVAL_MS;
    vi.advanceTimersByTime(BEAT_INTERVAL_MS);
    expect(ownerOf(directory)).toMatchObject({
      beat: 1,
      beat_at: '2026-11-21T20:00:10.000Z',
      acquired_at: '2026-11-21T20:00:00.000Z',
      command: 'caf run',
    });
    journal.close();
    expect(ownerOf(directory)).toBeUndefined();
  } finally {
    vi.useRealTimers();
  }
});

describe('on a network file system', () => {
  const env = { CAF_FILESYSTEM: 'network' };
  const statusFile = (directory: string) => JSON.parse(readFileSync(join(directory, 'caf.status.json'), 'utf8'));

  test('the journal is one process’s alone, without shared memory, and its status is published beside it', () => {
    const directory = temporaryDirectory();
    const journal = openForTest(directory, { env });
    expect(statusFile(directory)).toMatchObject({ v: 1, owner: { pid: process.pid }, invocation: null, calibrations: [] });
    for (const entry of entriesUpTo('job.finished')) journal.append(entry);
    journal.commit();
    expect(readdirSync(directory).filter((name) => /-wal|-shm|\.new/.test(name))).toEqual([]);

    const reader = openJournalForReading(directory);
    expect(reader.journal, 'locked: only the published status can be read').toBeNull();
    expect(reader.status()).toMatchObject({ ownerAlive: true, owner: { pid: process.pid, command: 'caf run' } });
    reader.close();

    journal.close();
    expect(statusFile(directory)).toMatchObject({
      owner: null,
      invocation: { invocation: 1 },
      calibrations: [{ calibration: 'pedestals', iterations: [{ jobs: { succeeded: 1 } }] }],
    });
    const after = openJournalForReading(directory);
    expect(after.journal?.jobCounts('pedestals', 0).succeeded).toBe(1);
    after.close();
  });

  test('commits publish at most once per second, the last one never gets lost', () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    try {
      const directory = temporaryDirectory();
      const journal = openForTest(directory, { env });
      journal.append(ENTRIES['calibration.planned']);
      journal.commit();
      expect(statusFile(directory).calibrations).toEqual([]);
      vi.advanceTimersByTime(1000);
      expect(statusFile(directory).calibrations).toHaveLength(1);
    } finally {
      vi.useRealTimers();
    }
  });

  test('a second caf is refused with the name of the first, from the status file', async () => {
    const directory = temporaryDirectory();
    const child = startChild('hold', directory, { env });
    await child.nextLine();
    const error = cafErrorOf(() => openForTest(directory, { env }));
    expect([error.code, error.message]).toEqual([
      'CAF_RESULTS_LOCKED',
      expect.stringContaining(`in use by ${hostname()} pid ${child.pid} (caf run)`),
    ]);
  });

  test('a directory changes between both modes, and a killed owner is followed in either', async () => {
    const directory = temporaryDirectory();
    for (const kind of ['local', 'network', 'local']) {
      const child = startChild('hold', directory, { env: { CAF_FILESYSTEM: kind } });
      await child.nextLine();
      child.kill('SIGKILL');
      await child.ended();
    }
    const journal = openForTest(directory, { env });
    expect(journal.lastInvocation()?.invocation).toBe(3);
    expect(existsSync(join(directory, 'caf.db-wal'))).toBe(false);
  });
});

test('a campaign that takes long to read is published less often: a second or twenty times as long, whatever is more', () => {
  const directory = temporaryDirectory();
  vi.useFakeTimers({ toFake: ['performance', 'setTimeout', 'clearTimeout'] });
  onTestFinished(() => void vi.useRealTimers());
  const costs = [500, 1, 1];
  let published = 0;
  const snapshot = (): CampaignSnapshot => {
    vi.advanceTimersByTime(costs[published] ?? 0);
    published += 1;
    return { v: 1, takenAt: '', owner: null, invocation: null, calibrations: [] };
  };
  const publisher = createStatusPublisher(directory, snapshot, (action) => action());
  const publishedAfter = (ms: number): number => {
    publisher.changed();
    vi.advanceTimersByTime(ms);
    return published;
  };
  expect(publishedAfter(0)).toBe(1);
  expect(publishedAfter(9_900)).toBe(1);
  expect(publishedAfter(200)).toBe(2);
  expect(publishedAfter(800)).toBe(2);
  expect(publishedAfter(300)).toBe(3);
});
