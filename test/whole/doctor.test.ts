// caf doctor --test-job on a fake Slurm: a job goes the way of campaigns, is measured, and leaves nothing behind.
import { once } from 'node:events';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type FakeSlurm, startFakeSlurm } from '../backends/support/fake-slurm.ts';
import { createProject, HEADER, type Project, treeOf } from '../support/project.ts';

let project: Project;
let slurm: FakeSlurm;
let env: Readonly<Record<string, string>>;
beforeEach(async () => {
  project = createProject();
  slurm = await startFakeSlurm();
  const { PATH = '', SLURM_CONF = '' } = slurm.env;
  env = { PATH, SLURM_CONF };
});
afterEach(async () => {
  project.remove();
  await slurm.close();
});

interface Document {
  readonly findings: readonly { readonly check: string; readonly status: string; readonly text: string; readonly hint: string | null }[];
  readonly testJobs: readonly Readonly<Record<string, unknown>>[];
}
const ask = async (...args: readonly string[]): Promise<Document> => {
  const { stdout, stderr } = await project.caf(['doctor', '--json', ...args], env);
  if (stdout === '') throw new Error(stderr);
  return JSON.parse(stdout) as Document;
};
const about = ({ findings }: Document, what: string) => findings.filter(({ check }) => check.startsWith(what) && check !== what);

const config = (backend: string): string => `${HEADER.replace('local,', 'local, slurm,')}
export default defineConfig({ backend: ${backend}, calibrations: [defineCalibration({ name: 'a', collections: { c: { files: [], collect: () => undefined } }, algorithms: [] })] });
`;

test('the job is measured: its ways through the engine, the files, the clock, and whether Node is there', async () => {
  const document = await ask('--test-job', 'slurm');
  expect(document.testJobs).toEqual([
    {
      backend: 'slurm',
      id: '1_0',
      end: { how: 'exited', code: 0, usage: expect.anything() },
      gaveUp: null,
      notices: [],
      words: null,
      submitMs: expect.any(Number),
      queueMs: expect.any(Number),
      runMs: expect.any(Number),
      noticeMs: expect.any(Number),
      filesMs: expect.any(Number),
      clockMs: expect.any(Number),
      node: hostname(),
      nodeVersion: process.version,
    },
  ]);
  expect(about(document, 'slurm')).toEqual([
    {
      check: 'slurm job',
      status: 'ok',
      text: expect.stringMatching(
        /^1_0 on .*: submitted in \d+\.\d s, waited \d+\.\d s, ran \d+\.\d s, its end was known \d+\.\d s later$/,
      ),
      hint: null,
    },
    {
      check: 'slurm files',
      status: 'ok',
      text: expect.stringMatching(/calibration_results is shared with .* seen here within/),
      hint: null,
    },
    { check: 'slurm Node', status: 'ok', text: expect.stringContaining(`${process.version} runs on`), hint: null },
  ]);
  expect(treeOf(project.directory)).toEqual([]);
});

test('it is sent with the backend of the config, and leaves the results directory as it was', async () => {
  project.write('caf.config.ts', config("slurm({ partition: 'calib', account: 'belle', setup: ['export MARK=1'] })"));
  project.write('calibration_results/kept', '');
  const { stdout, stderr, code } = await project.caf(['doctor', '--test-job'], env);
  expect(code, stderr).toBe(0);
  expect(stdout).toMatch(/slurm job +1_0 on/);
  expect(stderr).toMatch(/^slurm: sending a test job.*\nslurm: job 1_0 is in the queue\nslurm: it has begun on .*\n$/);
  expect(slurm.calls.find((words) => words.includes('--partition=calib'))).toContain('--account=belle');
  expect(readdirSync(project.results)).toEqual(['kept']);
});

describe('what goes wrong is said, with what to do', () => {
  const refused = (backend: string) => {
    project.write('caf.config.ts', config(backend));
    return ask('--test-job');
  };

  test('an engine that refuses it', async () => {
    const [job] = about(await refused("slurm({ partition: 'nosuch' })"), 'slurm');
    expect(job).toMatchObject({ status: 'fail', text: expect.stringContaining('invalid partition specified: nosuch') });
    expect(treeOf(project.directory)).toEqual(['caf.config.ts']);
  });

  test('a line of setup that fails', async () => {
    const [job] = about(await refused("slurm({ setup: ['echo no such module >&2; exit 7'] })"), 'slurm');
    expect(job).toMatchObject({ status: 'fail', text: expect.stringMatching(/^job 1_0: it exited with status 7: no such module/) });
  });

  test('a queue that is too long', async () => {
    slurm.fault('full');
    project.write('caf.config.ts', config("slurm({ pollInterval: '1 s' })"));
    const [job] = about(await ask('--test-job', '--wait', '1 s'), 'slurm');
    expect(job).toMatchObject({ status: 'warn', text: 'job 1_0 did not begin in time, and was cancelled' });
    expect(slurm.tasks.map(({ state }) => state)).toEqual(['CANCELLED']);
  });

  test('a slow file system: which delay the config should have', async () => {
    // The answer of the job is held back as a slow server would: its rename is done late.
    mkdirSync(join(project.directory, 'bin'));
    writeFileSync(join(project.directory, 'bin/mv'), '#!/bin/sh\n[ "$2" = pong ] && sleep 1\nexec /bin/mv "$@"\n', { mode: 0o755 });
    const bin = join(project.directory, 'bin');
    const [, files] = about(
      await refused(`slurm({ fileDelay: '1 s', pollInterval: '1 s', env: { PATH: '${bin}:/usr/bin:/bin' } })`),
      'slurm',
    );
    expect(files).toMatchObject({
      status: 'warn',
      hint: expect.stringMatching(/^in the config: slurm\(\{ \.\.\., fileDelay: '\d+ s' \}\)$/),
    });
  });

  test('an engine that is not here, or that there is not', async () => {
    const [job] = about(await ask('--test-job', 'lsf'), 'lsf');
    expect(job).toMatchObject({ status: 'fail', text: expect.stringContaining('lsf cannot be used here') });
    const { code, stderr } = await project.caf(['doctor', '--test-job', 'slrum'], env);
    expect([code, stderr]).toEqual([2, expect.stringContaining("did you mean 'slurm'?")]);
  });
});

test('Ctrl-C cancels the job and removes its files', async () => {
  slurm.fault('full');
  const { child, ended } = project.start(['doctor', '--test-job', 'slurm'], env);
  let said = '';
  for (const stream = child.stderr; stream !== null && !said.includes('in the queue'); ) said += String((await once(stream, 'data'))[0]);
  child.kill('SIGINT');
  const { code, stdout } = await ended;
  expect(code).toBe(130);
  expect(stdout).toMatch(/slurm job +job 1_0 was cancelled/);
  expect(slurm.tasks.map(({ state }) => state)).toEqual(['CANCELLED']);
  expect(treeOf(project.directory)).toEqual([]);
});
