// `caf logs`: the right file, quickly, and nothing that steers a terminal.
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { main } from '../../src/cli/main.ts';
import { openLogFile } from '../../src/report/log-file.ts';
import { at, begin, jobFinished, plan } from '../report/events.ts';
import { createTestIo, type TestIo, type TestIoOptions } from '../support/io.ts';

let directory: string;
let results: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'caf-'));
  results = join(directory, 'calibration_results');
  mkdirSync(results);
  writeFileSync(join(results, 'caf.db'), '');
});
afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

function write(path: string, text: string | Buffer): void {
  mkdirSync(join(results, path, '..'), { recursive: true });
  writeFileSync(join(results, path), text);
}

async function caf(argv: readonly string[], options: TestIoOptions = {}): Promise<TestIo> {
  const io = createTestIo({ cwd: directory, ...options });
  await main(['logs', ...argv], io);
  return io;
}

test('of a job: stdout, then stderr, of the attempt that counts; headers go to stderr', async () => {
  write('gain/0/collector/random/3/job.json', '{ "attempt": 1 }');
  write('gain/0/collector/random/3/stdout', 'out\n');
  write('gain/0/collector/random/3/stderr', 'err\n');
  write('gain/0/collector/random/3.attempt-0/stderr', 'older\n');
  const io = await caf(['gain/0/random/3']);
  expect(io.stdout.text).toBe('out\nerr\n');
  expect(io.stderr.text).toMatchInlineSnapshot(`
    "── gain/0/random/3, attempt 1, stdout ──
    ── gain/0/random/3, attempt 1, stderr ──
    "
  `);
  expect((await caf(['gain/0/random/3', '--attempt', '0'])).stdout.text).toBe('older\n');
});

test('of a job without a success: its newest attempt, by number', async () => {
  write('gain/0/collector/random/3.attempt-2/stderr', 'two\n');
  write('gain/0/collector/random/3.attempt-10/stderr', 'ten\n');
  expect((await caf(['gain/0/random/3'])).stdout.text).toBe('ten\n');
});

test('of an algorithm; the iteration defaults to the newest, by number', async () => {
  write('gain/2/algorithms/fit/stderr', 'two\n');
  write('gain/10/algorithms/fit/stderr', 'ten\n');
  expect((await caf(['gain/2/fit'])).stdout.text).toBe('two\n');
  expect((await caf(['gain/fit'])).stdout.text).toBe('ten\n');
});

test.each([
  ['gian', "There is no calibration 'gian' here", "did you mean 'gain'?"],
  ['gain/3/fit', "There is no iteration '3' in gain", 'there are: 0'],
  ['gain/0/fti', "There is no algorithm 'fti' in gain/0", "did you mean 'fit'?"],
  ['gain/0/random', "'random' is a collection of gain/0: which of its jobs?", 'caf logs gain/0/random/0'],
  ['gain/0/random/9', "Job '9' of gain/0/random was not started", 'caf logs gain/0'],
  ['gain/0/random/..', "Job '..' of gain/0/random was not started", 'caf logs gain/0'],
  ['../../etc/passwd', "There is no calibration '..' here", 'there are: gain'],
  ['gain/0/random/3/4', "'gain/0/random/3/4' has too many parts", 'write CALIBRATION'],
])('%s is refused with what to do', async (what, message, hint) => {
  write('gain/0/algorithms/fit/stderr', 'x\n');
  write('gain/0/collector/random/3/stderr', 'x\n');
  const io = await caf([what]);
  expect(io.exitCode).toBe(2);
  expect(io.stderr.text).toContain(message);
  expect(io.stderr.text).toContain(hint);
});

test('a pipe gets the bytes as they are; a terminal gets no control characters, long lines cut, the last 200 lines', async () => {
  const bytes = Buffer.concat([Buffer.from('\u001b[31mred\u001b[0m\u0007 é\n'), Buffer.from([0xff, 0xfe, 10])]);
  write('gain/0/algorithms/fit/stdout', bytes);
  const io = createTestIo({ cwd: directory });
  const chunks: Buffer[] = [];
  const piped = {
    ...io,
    cwd: io.cwd,
    stdout: { ...io.stdout, isTTY: false, write: (text: string | Uint8Array) => void chunks.push(Buffer.from(text as string)) },
  };
  await main(['logs', 'gain/0/fit'], piped);
  expect(Buffer.concat(chunks)).toEqual(bytes);

  expect((await caf(['gain/0/fit'], { isTTY: true })).stdout.text).toMatch(/^red é\n/);
  write('gain/0/algorithms/fit/stdout', `${Array.from({ length: 1000 }, (_, i) => `line ${i}`).join('\n')}\n${'x'.repeat(100_000)}\n`);
  const lines = (await caf(['gain/0/fit'], { isTTY: true })).stdout.text.trimEnd().split('\n');
  expect(lines).toHaveLength(200);
  expect(lines[0]).toBe('line 801');
  expect(lines.at(-1)).toMatch(/^x{4000} \.\.\. 96000 more characters$/);
  expect((await caf(['gain/0/fit', '-n', '2'])).stdout.text.split('\n')[0]).toBe('line 999');
});

test('the last 0 lines are none: with -f only what is new', async () => {
  write('caf.log', 'one\ntwo\n');
  write('gain/0/collector/random/3/stdout', 'out\n');
  expect((await caf(['-n', '0'])).stdout.text).toBe('');
  expect((await caf(['gain/0/random/3', '-n', '0'])).stdout.text).toBe('');
  expect((await caf(['-n', '1'])).stdout.text).toBe('two\n');
});

test('of a line of 100 MB, a terminal gets a part', async () => {
  write('gain/0/algorithms/fit/stdout', Buffer.alloc(100_000_000, 'x'));
  const io = await caf(['gain/0/fit'], { isTTY: true });
  expect(io.stdout.text.length).toBeLessThan(10_000);
});

test('caf.log reads like the plain report, for all, for one calibration, for one iteration', async () => {
  mkdirSync(join(results, 'gain'));
  const log = await openLogFile(join(results, 'caf.log'));
  for (const event of [plan('gain', 'gains'), ...begin('gain', 2), ...begin('gains', 1), jobFinished('gain', 0)]) log.event(at(1, event));
  log.error(new Error('something broke'), 'caf run');
  await log.close();
  appendFileSync(join(results, 'caf.log'), '{"at":"2026-11-21T20:1');
  const now = new RegExp(`${new Date().getUTCFullYear()}-\\d\\d-\\d\\dT\\S+(?= error)`);
  expect((await caf([])).stdout.text.replace(now, 'NOW')).toMatchInlineSnapshot(`
    "2026-11-21T20:14:04Z campaign started config=/data/caf.config.ts output=/data/calibration_results calibrations=2 reused=0
    2026-11-21T20:14:04Z gain started iteration=0 because="never run"
    2026-11-21T20:14:04Z gain running_collector iteration=0
    2026-11-21T20:14:04Z gain iteration 0 started jobs=2 reused=0
    2026-11-21T20:14:04Z gains started iteration=0 because="never run"
    2026-11-21T20:14:04Z gains running_collector iteration=0
    2026-11-21T20:14:04Z gains iteration 0 started jobs=1 reused=0
    2026-11-21T20:14:04Z gain/0/random/0 succeeded attempt=0 elapsed=41s directory=gain/0/collector/random/0
    NOW error caf run: something broke
    {"at":"2026-11-21T20:1
    "
  `);
  expect((await caf(['gain'])).stdout.text).not.toContain('gains');
  expect((await caf(['gain', '-n', '1'])).stdout.text).toMatch(/^\S+ gain\/0\/random\/0 succeeded .*\n$/);
});

test('-f goes on as the file grows, until the reader leaves', async () => {
  write('gain/0/algorithms/fit/stdout', 'first\n');
  const io = createTestIo({ cwd: directory });
  const seen = Promise.withResolvers<void>();
  const write2 = io.stdout.write.bind(io.stdout);
  const following = {
    ...io,
    cwd: io.cwd,
    stdout: {
      ...io.stdout,
      isClosed: false,
      isTTY: false,
      onClose: io.stdout.onClose,
      write: (text: string | Uint8Array) => {
        write2(text);
        if (io.stdout.text.includes('second')) seen.resolve();
        else if (io.stdout.text.includes('first')) appendFileSync(join(results, 'gain/0/algorithms/fit/stdout'), 'second\n');
      },
    },
  };
  const done = main(['logs', 'gain/0/fit', '-f'], following);
  await seen.promise;
  io.stdout.close();
  await done;
  expect(io.stdout.text).toBe('first\nsecond\n');
});
