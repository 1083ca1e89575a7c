// The machine-readable output of the contract: every documented key with its type, also while the campaign runs.
import { watch } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createProject, HEADER, type Project } from '../support/project.ts';

const CONFIG = `${HEADER}
import { existsSync, watch } from 'node:fs';
const Mean = definePayload('Mean', z.object({ mean: z.number() }));
const here = import.meta.dirname;
/** Waits until the test has written this file. */
const gate = (name: string) => new Promise<void>((resolve) => {
  const look = () => { if (existsSync(join(here, name))) { watcher.close(); resolve(); } };
  const watcher = watch(here, look);
  look();
});
const pedestals = defineCalibration({
  name: 'pedestals',
  collections: { random: { files: [], collect: ({ record }) => { for (const run of [1, 2, 3, 5]) record([1, run], 'n', run); } } },
  algorithms: [{ name: 'means', strategy: sequentialRunByRun(), run: async ({ runs, data, commit, iteration }) => {
    if (runs.length === 2 && iteration === 0) { note('at the gate'); await gate('open'); }
    if (runs[0][1] === 2 && runs.length === 1) return 'not-enough-data';
    let mean = 0;
    for await (const { value } of data.records<number>('n')) mean += value + iteration;
    commit(Mean, { mean });
    return iteration === 0 && runs[0][1] === 1 ? 'iterate' : 'ok';
  } }],
});
const blocked = defineCalibration({ name: 'bad', dependsOn: [pedestals], collections: {}, algorithms: [{ name: 'x', run: () => 'failure' }] });
export default defineConfig({ calibrations: [pedestals, blocked] });
`;

let project: Project;
let live: Record<string, unknown>;
let events: readonly Record<string, unknown>[];
beforeAll(async () => {
  project = createProject({ 'caf.config.ts': CONFIG });
  const running = project.start(['run', '--json']);
  const atGate = new Promise<void>((resolve) => {
    const look = () => {
      if (!project.notes().includes('at the gate')) return;
      watcher.close();
      resolve();
    };
    const watcher = watch(project.directory, look);
    look();
  });
  await Promise.race([atGate, running.ended.then(({ stderr }) => Promise.reject(new Error(stderr)))]);
  live = JSON.parse(await project.ask(['status', '--json'])) as Record<string, unknown>;
  project.write('open', '');
  const { code, stdout, stderr } = await running.ended;
  expect(code, stderr).toBe(1);
  events = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
});
afterAll(() => project.remove());

const ask = async (args: readonly string[]) => JSON.parse(await project.ask([...args, '--json']));
const JOBS = { total: 1, succeeded: 1, failed: 0, running: 0, queued: 0, reused: 0 };

describe('caf status --json', () => {
  test('shows executions while the algorithm still runs', () => {
    expect(live).toMatchObject({
      v: 1,
      state: 'running',
      calibrations: [
        {
          name: 'pedestals',
          state: 'running_algorithms',
          checkpoint: 'collector_completed',
          iteration: 0,
          converged: null,
          jobs: JOBS,
          iterations: [
            {
              iteration: 0,
              algorithms: [
                {
                  name: 'means',
                  finalState: null,
                  executions: [
                    { runs: [[1, 1]], iov: [1, 1, 1, 1], result: 'iterate' },
                    { runs: [[1, 2]], result: 'not-enough-data' },
                  ],
                },
              ],
            },
          ],
          localdb: null,
          error: null,
        },
        { name: 'bad', state: 'init', checkpoint: 'init', iterations: [], localdb: null, error: null },
      ],
    });
  });

  test('has every key of the contract when it has ended', async () => {
    const status = await ask(['status']);
    expect(status).toMatchObject({ v: 1, state: 'failed' });
    const [pedestals, bad] = status.calibrations;
    expect(pedestals).toMatchObject({
      name: 'pedestals',
      state: 'completed',
      checkpoint: 'completed',
      iteration: 1,
      converged: true,
      jobs: JOBS,
      localdb: 'pedestals/localdb',
      error: null,
    });
    expect(pedestals.iterations.map(({ iteration, jobs }: { iteration: number; jobs: object }) => [iteration, jobs])).toEqual([
      [0, JOBS],
      [1, JOBS],
    ]);
    const [means] = pedestals.iterations[0].algorithms;
    expect(means).toMatchObject({ name: 'means', finalState: 'completed', gaps: [] });
    for (const execution of means.executions) {
      expect(Object.keys(execution).sort()).toEqual(['iov', 'result', 'runs', 'seconds']);
      expect(typeof execution.seconds).toBe('number');
    }
    expect(means.results).toEqual([
      { iov: [1, 1, 1, 1], result: 'iterate' },
      { iov: [1, 2, 1, 4], result: 'ok' },
      { iov: [1, 5, 1, 5], result: 'ok' },
    ]);
    expect(bad).toMatchObject({ state: 'failed', localdb: null, error: { code: 'CAF_ALGORITHM_FAILED' } });
    expect(bad.iterations[0].algorithms[0]).toMatchObject({ finalState: 'failed', executions: [{ result: 'failure' }] });
  });
});

describe('caf db', () => {
  const HEX = /^[0-9a-f]{64}$/;
  test('show --json has the three hashes, the entries with who made them, and the view', async () => {
    const shown = await ask(['db', 'show', 'calibration_results/pedestals/0/localdb']);
    expect(shown).toMatchObject({ v: 1, state: 'committed' });
    for (const id of [shown.versionId, shown.contentId, shown.viewId]) expect(id).toMatch(HEX);
    expect(shown.entries).toHaveLength(3);
    expect(shown.entries[0]).toEqual({
      seq: 1,
      name: 'Mean',
      iov: [1, 1, 1, 1],
      revision: expect.stringMatching(/^[0-9a-f]{6}$/),
      sha256: expect.stringMatching(HEX),
      size: 10,
      madeBy: { calibration: 'pedestals', algorithm: 'means', iteration: 0 },
    });
    expect(Object.keys(shown.view[0]).sort()).toEqual(['iov', 'name', 'sha256']);
  });

  test('diff --json tells what changed, by interval', async () => {
    const diff = await ask(['db', 'diff', 'calibration_results/pedestals/0/localdb', 'calibration_results/pedestals/1/localdb']);
    expect(diff.v).toBe(1);
    expect(diff.changes.length).toBe(3);
    for (const change of diff.changes) {
      expect(Object.keys(change).sort()).toEqual(['from', 'iov', 'name', 'to']);
      expect(change.from).toMatch(HEX);
    }
    const same = await ask(['db', 'diff', 'calibration_results/pedestals/1/localdb', 'calibration_results/pedestals/1/localdb']);
    expect(same).toEqual({ v: 1, changes: [] });
  });

  test('get prints the value, and with --json where it comes from', async () => {
    expect(await project.ask(['db', 'get', 'calibration_results/pedestals/localdb', 'Mean', '1', '2'])).toBe('{"mean":7}\n');
    const answer = await ask(['db', 'get', 'calibration_results/pedestals/localdb', 'Mean', '1', '2']);
    expect(answer).toMatchObject({
      v: 1,
      name: 'Mean',
      value: { mean: 7 },
      effective: [1, 2, 1, 4],
      madeBy: { calibration: 'pedestals', algorithm: 'means', iteration: 1 },
    });
  });
});

describe('caf run --json', () => {
  test('gives one event per line, each with version, time and type, and nothing else on standard output', () => {
    for (const event of events)
      expect(event).toMatchObject({ v: 1, type: expect.any(String), at: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/) });
    const types = events.map(({ type }) => type);
    expect(types[0]).toBe('campaign.started');
    expect(types.at(-1)).toBe('campaign.ended');
    for (const type of [
      'calibration.started',
      'iteration.started',
      'job.started',
      'job.finished',
      'algorithm.started',
      'execution.finished',
      'result.reported',
      'algorithm.finished',
      'iteration.committed',
      'calibration.completed',
      'calibration.failed',
    ])
      expect(types, type).toContain(type);
    expect(events.find(({ type }) => type === 'job.finished')).toMatchObject({
      calibration: 'pedestals',
      iteration: 0,
      collection: 'random',
      job: 0,
    });
  });

  test('with --dry-run is the plan, with the origin of each setting', async () => {
    const plan = JSON.parse(await project.ask(['run', '--dry-run', '--json'], { CAF_SLOTS: '3' }));
    expect(plan).toMatchObject({
      v: 1,
      config: `${project.directory}/caf.config.ts`,
      settings: { output: { value: project.results, origin: 'default' }, slots: { value: 3, origin: 'environment', name: 'CAF_SLOTS' } },
      calibrations: [
        { calibration: 'pedestals', jobs: 1, kept: 1, reason: 'up to date', reused: true },
        { calibration: 'bad', jobs: 0, kept: 0, reason: 'failed before', reused: false },
      ],
    });
  });

  test('with nothing to do tells just that', async () => {
    const done = createProject({ 'caf.config.ts': CONFIG.replace(', blocked]', ']'), open: '' });
    await done.ask(['run']);
    const lines = (await done.ask(['run', '--json']))
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { type: string });
    expect(lines.map(({ type }) => type)).toEqual(['campaign.started', 'calibration.reused', 'campaign.ended']);
    done.remove();
  });
});
