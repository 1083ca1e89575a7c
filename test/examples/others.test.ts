// The examples programs, boundaries and failing, each run by the real caf.
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { caf, payload, ROOT, statusOf } from './support/caf.ts';

let directory = '';
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'caf-'));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

test('programs: Python and shell iterate, pass on parameters and commit payloads', async () => {
  const results = join(directory, 'programs');
  const ended = await caf(['run', 'examples/programs', '--output', results]);
  expect(ended, ended.stderr).toMatchObject({ code: 0 });
  expect((await statusOf(results)).calibrations).toMatchObject([
    { name: 'temperature', state: 'completed', converged: true, iteration: 2, jobs: { total: 2, succeeded: 2 } },
    { name: 'outliers', state: 'completed', converged: true, iteration: 0, jobs: { total: 4, succeeded: 4 } },
  ]);
  const parameters = await payload<{ mean: number; spread: number; readings: number }>(
    join(results, 'temperature/localdb'),
    'parameters',
    4,
    2,
  );
  expect(parameters).toMatchObject({ mean: expect.closeTo(21.512, 3), spread: expect.closeTo(0.206, 3), readings: 112 });
  expect(await payload(join(results, 'outliers/localdb'), 'Outliers', 4, 2)).toEqual({ readings: 120, outside: 8 });
}, 60_000);

test('boundaries: an interval begins where the light yield steps', async () => {
  const results = join(directory, 'boundaries');
  const ended = await caf(['run', 'examples/boundaries', '--output', results]);
  expect(ended, ended.stderr).toMatchObject({ code: 0 });
  const { calibrations } = await statusOf(results);
  expect(calibrations[0]!.iterations[0]!.algorithms[0]!.results).toEqual([
    { iov: [3, 1, 3, 8], result: 'ok' },
    { iov: [3, 9, 3, 14], result: 'ok' },
    { iov: [3, 15, 3, 20], result: 'ok' },
  ]);
  const database = join(results, 'light-yield/localdb');
  for (const [run, truth] of [
    [1, 99.865],
    [14, 95.655],
    [20, 102.475],
  ] as const) {
    const light = await payload<{ mean: number; error: number }>(database, 'LightYield', 3, run);
    expect(Math.abs(light.mean - truth)).toBeLessThan(4 * light.error);
  }
}, 60_000);

test('failing: the message names file and line, the other jobs are kept, and a mended file completes it', async () => {
  // A copy that may be mended, in a project of its own, as a user has it.
  const project = join(directory, 'project');
  cpSync(join(ROOT, 'examples/failing'), project, { recursive: true, filter: (path) => !path.includes('calibration_results') });
  mkdirSync(join(project, 'node_modules'));
  symlinkSync(ROOT, join(project, 'node_modules/calibration-framework'));
  symlinkSync(join(ROOT, 'node_modules/zod'), join(project, 'node_modules/zod'));
  const results = join(project, 'calibration_results');
  const bad = join(project, 'data/e5r4.csv');
  const place = 'e5r4.csv:17: the charge is 1O4.2, not a number';

  const first = await caf(['run'], { cwd: project });
  expect(first, first.stderr).toMatchObject({ code: 1 });
  expect(first.stderr).toContain(place);
  expect(await statusOf(results)).toMatchObject({
    state: 'failed',
    calibrations: [
      { name: 'charge', state: 'failed', jobs: { total: 6, succeeded: 5, failed: 1 }, localdb: null, error: { code: 'CAF_JOB_FAILED' } },
    ],
  });

  const second = await caf(['run'], { cwd: project });
  expect(second, second.stderr).toMatchObject({ code: 1 });
  expect(second.stderr).toContain(place);
  expect((await statusOf(results)).calibrations[0]!.jobs).toMatchObject({ succeeded: 5, failed: 1, reused: 5 });

  writeFileSync(bad, readFileSync(bad, 'utf8').replace('1O4.2', '104.2'));
  const dry = await caf(['run', '--dry-run'], { cwd: project });
  expect(dry.stdout).toMatch(/^charge +1 of 6 +input files changed since$/m);
  const third = await caf(['run'], { cwd: project });
  expect(third, third.stderr).toMatchObject({ code: 0 });
  expect(await statusOf(results)).toMatchObject({
    state: 'completed',
    calibrations: [{ state: 'completed', jobs: { total: 6, succeeded: 6, failed: 0, reused: 5 } }],
  });
  expect(await payload(join(results, 'charge/localdb'), 'Charge', 5, 4)).toMatchObject({ entries: 144, mean: expect.closeTo(104, 0) });
}, 60_000);
