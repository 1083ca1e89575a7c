// caf.log: complete, one JSON object per line, and never a reason to stop.
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { CafError } from '../../src/domain/errors.ts';
import { openLogFile } from '../../src/report/log-file.ts';
import { at, jobFinished } from './events.ts';

const directories: string[] = [];
function temporary(): string {
  const directory = mkdtempSync(join(tmpdir(), 'caf-'));
  directories.push(directory);
  return directory;
}
afterEach(() => {
  for (const directory of directories.splice(0)) {
    chmodSync(directory, 0o700);
    rmSync(directory, { recursive: true, force: true });
  }
});

const readLines = (path: string) =>
  readFileSync(path, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as { [key: string]: unknown });

test('none of 5,000 lines is lost when it is closed at once', async () => {
  const path = join(temporary(), 'caf.log');
  const log = await openLogFile(path);
  for (let job = 0; job < 5000; job++) log.event(at(job, jobFinished('gain', job)));
  await log.close();
  const lines = readLines(path);
  expect(lines.map((line) => line.job)).toEqual(Array.from({ length: 5000 }, (_, job) => job));
  expect(lines[0]).toMatchObject({ at: '2026-11-21T20:14:03.000Z', level: 'debug', type: 'job.finished', calibration: 'gain' });
});

test('a second invocation appends', async () => {
  const path = join(temporary(), 'caf.log');
  for (const job of [0, 1]) {
    const log = await openLogFile(path);
    log.event(at(0, jobFinished('gain', job)));
    await log.close();
  }
  expect(readLines(path).map((line) => line.job)).toEqual([0, 1]);
});

test('an error keeps its code, hint, stack and the chain of its causes', async () => {
  const path = join(temporary(), 'caf.log');
  const log = await openLogFile(path);
  const cause = Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' });
  log.error(new CafError('CAF_DISK_FULL', 'The disk is full', { hint: 'make space', cause }), 'caf run');
  await log.close();
  expect(readLines(path)[0]).toMatchObject({
    level: 'error',
    context: 'caf run',
    error: { code: 'CAF_DISK_FULL', hint: 'make space', stack: expect.stringContaining('log-file.test'), cause: { code: 'ENOSPC' } },
  });
});

test('failures are errors, retries are warnings, changes are info', async () => {
  const path = join(temporary(), 'caf.log');
  const log = await openLogFile(path);
  const outcome = { state: 'failed', cause: 'exit', detail: 'exit status 1' } as const;
  log.event(at(0, jobFinished('gain', 0, outcome)));
  log.event(at(0, { type: 'warning', code: 'CAF_X', message: 'look' }));
  log.event(at(0, { type: 'calibration.reused', calibration: 'gain', iterations: 1, payloads: 1 }));
  await log.close();
  expect(readLines(path).map((line) => line.level)).toEqual(['error', 'warn', 'info']);
});

test('a file that cannot be written is told, and nothing throws', async () => {
  const path = join(temporary(), 'caf.log');
  mkdirSync(path);
  const log = await openLogFile(path);
  expect(log.problem).toMatch(/EISDIR/);
  log.event(at(0, jobFinished('gain', 0)));
  log.error(new Error('x'), 'y');
  await log.close();
});

test('after it is closed, further events are dropped', async () => {
  const path = join(temporary(), 'caf.log');
  const log = await openLogFile(path);
  log.event(at(0, jobFinished('gain', 0)));
  await log.close();
  log.event(at(0, jobFinished('gain', 1)));
  await log.close();
  expect(readLines(path)).toHaveLength(1);
});

test('closing without a line loads nothing and leaves an empty file', async () => {
  const path = join(temporary(), 'caf.log');
  await (await openLogFile(path)).close();
  expect(readFileSync(path, 'utf8')).toBe('');
});
