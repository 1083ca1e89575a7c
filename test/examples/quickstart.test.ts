// The quickstart from data that are made on the way to gains that are right.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { CHANNELS, generate, trueGain, truePedestal } from '../../examples/quickstart/generate.ts';
import { caf, payload, ROOT, statusOf } from './support/caf.ts';

let directory = '';
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'caf-'));
  // Data of an older generate.ts would be used as they are: take them away.
  const data = join(ROOT, 'examples/quickstart/data');
  const fresh = join(directory, 'fresh');
  generate(fresh);
  const isOld = (name: string): boolean =>
    !existsSync(join(data, name)) || !readFileSync(join(data, name)).equals(readFileSync(join(fresh, name)));
  if (existsSync(data) && readdirSync(fresh).some(isOld)) rmSync(data, { recursive: true });
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

test('pedestals and gains converge to the true values of the simulated detector', async () => {
  const results = join(directory, 'results');
  const ended = await caf(['run', 'examples/quickstart', '--output', results]);
  expect(ended, ended.stderr).toMatchObject({ code: 0 });

  const status = await statusOf(results);
  expect(status).toMatchObject({
    state: 'completed',
    calibrations: [
      { name: 'pedestals', state: 'completed', converged: true, iteration: 0, jobs: { total: 4, succeeded: 4, failed: 0 } },
      { name: 'gains', state: 'completed', converged: true, iteration: 3, jobs: { total: 4, succeeded: 4, failed: 0 } },
    ],
  });
  const gains = status.calibrations[1]!.iterations;
  expect(gains.map(({ algorithms }) => algorithms[0]!.executions.map(({ result }) => result))).toEqual([
    ['not-enough-data', 'iterate', 'not-enough-data', 'iterate', 'not-enough-data', 'iterate', 'not-enough-data', 'iterate'],
    expect.arrayContaining(['iterate']),
    expect.arrayContaining(['iterate']),
    ['not-enough-data', 'ok', 'not-enough-data', 'ok', 'not-enough-data', 'ok', 'not-enough-data', 'ok'],
  ]);
  expect(gains[3]!.algorithms[0]!.results.map(({ iov }) => iov)).toEqual([
    [1, 1, 1, 2],
    [1, 3, 1, -1],
    [2, 0, 2, 2],
    [2, 3, 2, 4],
  ]);

  for (const [experiment, run] of [
    [1, 1],
    [1, 4],
    [2, 1],
    [2, 4],
  ] as const) {
    const pedestals = await payload<{ mean: number[]; noise: number[] }>(join(results, 'pedestals/localdb'), 'Pedestals', experiment, run);
    const { gain, error } = await payload<{ gain: number[]; error: number[] }>(join(results, 'gains/localdb'), 'Gains', experiment, run);
    expect(gain).toHaveLength(CHANNELS);
    for (let channel = 0; channel < CHANNELS; channel += 1) {
      expect(Math.abs(pedestals.mean[channel]! - truePedestal(experiment, channel))).toBeLessThan((4 * 3) / Math.sqrt(150));
      expect(Math.abs(pedestals.noise[channel]! - 3)).toBeLessThan(0.8);
      expect(Math.abs(gain[channel]! - trueGain(experiment, channel))).toBeLessThan(4 * error[channel]! + 0.002);
    }
  }

  const again = await caf(['run', 'examples/quickstart', '--output', results]);
  expect(again, again.stderr).toMatchObject({ code: 0 });
  expect((await statusOf(results)).calibrations.map(({ iteration }) => iteration)).toEqual([0, 3]);
}, 60_000);

test('processes that generate the data at once leave one complete set, always the same', async () => {
  const target = join(directory, 'data');
  const script = `const { generate } = await import(${JSON.stringify(join(ROOT, 'examples/quickstart/generate.ts'))}); generate(${JSON.stringify(target)});`;
  const codes = await Promise.all(
    Array.from(
      { length: 4 },
      () =>
        new Promise((resolve) =>
          spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: 'inherit' }).once('exit', resolve),
        ),
    ),
  );
  expect(codes).toEqual([0, 0, 0, 0]);
  expect(readdirSync(directory).filter((name) => name.startsWith('data.'))).toEqual([]);
  expect(readdirSync(target)).toHaveLength(16);
  expect(readFileSync(join(target, 'random-e1r1.csv'), 'utf8').split('\n').slice(0, 3)).toMatchInlineSnapshot(`
    [
      "experiment,run,event,channel,adc",
      "1,1,0,0,479",
      "1,1,0,1,484",
    ]
  `);
  expect(existsSync(`${target}.${process.pid}`)).toBe(false);
});
