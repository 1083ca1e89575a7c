// The config in README.md is complete: it runs as it stands.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { caf, payload, ROOT } from './support/caf.ts';

let project = '';
beforeAll(() => {
  project = mkdtempSync(join(tmpdir(), 'caf-'));
});
afterAll(() => rmSync(project, { recursive: true, force: true }));

test('the config of README.md runs, and merges a run that lacks data', async () => {
  const [, config] = /```ts\n(.*?)```/s.exec(readFileSync(join(ROOT, 'README.md'), 'utf8')) ?? [];
  expect(config).toContain('defineConfig');
  writeFileSync(join(project, 'caf.config.ts'), config!);
  mkdirSync(join(project, 'node_modules'));
  symlinkSync(ROOT, join(project, 'node_modules/calibration-framework'));
  symlinkSync(join(ROOT, 'node_modules/zod'), join(project, 'node_modules/zod'));
  mkdirSync(join(project, 'data'));
  for (const [run, entries] of [
    [1, 120],
    [2, 60],
    [3, 80],
  ] as const) {
    const lines = Array.from({ length: entries }, (_, n) => `7,${run},${500 + run + (n % 2)}`);
    writeFileSync(join(project, `data/random-e7r${run}.csv`), ['experiment,run,adc', ...lines, ''].join('\n'));
  }

  const ended = await caf(['run'], { cwd: project });
  expect(ended, ended.stderr).toMatchObject({ code: 0 });
  const database = join(project, 'calibration_results/pedestals/localdb');
  expect(await payload(database, 'Pedestals', 7, 1)).toEqual({ mean: 501.5, entries: 120 });
  expect(await payload(database, 'Pedestals', 7, 3)).toEqual({ mean: (60 * 502.5 + 80 * 503.5) / 140, entries: 140 });
}, 60_000);
