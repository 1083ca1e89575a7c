// The algorithms runner is an interface: a config may bring its own.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, expect, it } from 'vitest';

const directory = mkdtempSync(join(tmpdir(), 'caf-runner-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const caf = (...argv: readonly string[]) =>
  spawnSync(process.execPath, [resolve('bin/caf.js'), ...argv], { cwd: directory, encoding: 'utf8' });

it("takes the place of the forked children, and what it reports is the calibration's result", () => {
  writeFileSync(
    join(directory, 'caf.config.ts'),
    `import { type AlgorithmsRunner, defineCalibration, defineConfig } from 'calibration-framework';
const runner: AlgorithmsRunner = {
  run: async ({ job }, listener) => {
    listener.ready([[1, 1]]);
    listener.executionStarted(0, [[1, 1]], [1, 1, 1, 1]);
    listener.executionFinished({ seq: 0, runs: [[1, 1]], iov: [1, 1, 1, 1], result: 'ok', seconds: 0, payloads: [], metadata: { by: job.algorithm }, error: null });
    listener.resultReported({ seq: 0, execution: 0, iov: [1, 1, 1, 1], result: 'ok' });
    return { finalState: 'completed', gaps: null, error: null };
  },
};
export default defineConfig({ calibrations: [defineCalibration({
  name: 'own', collections: {}, algorithmsRunner: runner,
  algorithms: [{ name: 'never-called', run: () => { throw new Error('this must not run'); } }],
})] });
`,
  );
  const run = caf('run');
  expect(run.stderr).not.toContain('this must not run');
  expect(run.status).toBe(0);
  const status = JSON.parse(caf('status', '--json').stdout);
  expect(status.calibrations[0].iterations[0].algorithms[0]).toMatchObject({
    name: 'never-called',
    finalState: 'completed',
    executions: [{ runs: [[1, 1]], iov: [1, 1, 1, 1], result: 'ok' }],
    results: [{ iov: [1, 1, 1, 1], result: 'ok' }],
  });
  expect(readFileSync(join(directory, 'calibration_results/own/localdb/VERSION'), 'utf8')).toContain('version_id');
});

it.each([
  [
    'that gives up without having been asked to ends the campaign as interrupted',
    `async () => ({ finalState: 'failed', gaps: null, error: null, cancelled: true })`,
    130,
    /interrupted/,
  ],
  ['that waits for what can never come is no success', '() => new Promise(() => undefined)', 3, /waits for something that can never come/],
])('one %s', (_, run, status, says) => {
  writeFileSync(
    join(directory, 'caf.config.ts'),
    `import { defineCalibration, defineConfig } from 'calibration-framework';
export default defineConfig({ calibrations: [defineCalibration({
  name: 'own', collections: {}, algorithmsRunner: { run: ${run} }, algorithms: [{ name: 'never-called', run: () => 'ok' }],
})] });
`,
  );
  const ended = caf('run', '--output', `results-${status}`);
  expect(ended.status, ended.stderr).toBe(status);
  expect((ended.stdout + ended.stderr).replaceAll(/\s+/g, ' ')).toMatch(says);
  expect(JSON.parse(caf('status', `results-${status}`, '--json').stdout).state).toBe('interrupted');
});
