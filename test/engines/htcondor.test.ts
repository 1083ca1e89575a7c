// The HTCondor backend on a real pool: the contract of batch engines, and whole campaigns.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join, resolve } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import { createBatch } from '../../src/backends/batch.ts';
import { htcondor } from '../../src/backends/htcondor.ts';
import type { HtcondorSite } from '../../src/domain/calibration.ts';
import { isEngineJob } from '../../src/domain/job.ts';
import { describeBatch } from '../backends/batch-contract.ts';
import { createRig } from '../backends/support/rig.ts';
import { BATCH_SPEC } from '../backends/support/specs.ts';
import { becomeUser } from './support/become-user.ts';
import { commandsOf } from './support/boot.ts';
import { until, withEngine } from './support/engine.ts';

const SITE: HtcondorSite = {
  universe: 'vanilla',
  accountingGroup: null,
  accountingUser: null,
  requirements: null,
  rank: null,
  diskBytes: null,
  gpus: null,
  priority: null,
  concurrencyLimits: [],
  attributes: {},
  lines: [],
};

withEngine('htcondor', (pool) => {
  // The schedd refuses jobs of root, and caf and its jobs write into the same directories.
  beforeAll(() => {
    if (pool.user !== null) becomeUser(pool.user);
  });
  const call = (...argv: readonly string[]): void => {
    const [program = '', ...rest] = argv;
    execFileSync(program, rest, { env: pool.env, stdio: 'ignore' });
  };

  describeBatch<HtcondorSite>('HTCondor', async () => ({
    engine: htcondor,
    site: SITE,
    env: pool.env,
    shortLimitMs: 2000,
    memoryHog: { argv: ['/usr/bin/python3', '-c', 'import time; b = bytearray(300_000_000); time.sleep(100)'], limitBytes: 100e6 },
    remove: async (id) => call('condor_rm', id),
    holding: {
      hold: async (id) => call('condor_hold', id, '-reason', 'the disk is full'),
      release: async (id) => call('condor_release', id),
    },
  }));

  // ------------------------------------------------------------------------------------------------------- whole campaigns

  const ROOT = resolve('.');
  const caf = (...args: readonly string[]) =>
    pool.run([process.execPath, join(ROOT, 'bin/caf.js'), ...args], { cwd: ROOT, timeoutMs: 200_000 });
  const viewId = async (results: string, calibration: string): Promise<string> => {
    const { stdout } = await caf('db', 'show', join(results, calibration, 'localdb'), '--json');
    return (JSON.parse(stdout) as { viewId: string }).viewId;
  };
  /** Every job of a calibration in the pool's history, once there are as many: `cluster.proc starts status`. caf hears of an end sooner. */
  const accounted = (calibration: string, least: number): Promise<readonly string[]> => {
    const named = `regexp("^${calibration}\\.", JobBatchName)`;
    const format = [
      '-format',
      '%d.',
      'ClusterId',
      '-format',
      '%d ',
      'ProcId',
      '-format',
      '%d ',
      'NumJobStarts',
      '-format',
      '%d\n',
      'JobStatus',
    ];
    return until(`${least} jobs of ${calibration} are in the history`, async () => {
      const text = await pool.ask(['condor_history', '-constraint', named, ...format]);
      const lines = text.split('\n').filter((line) => line !== '');
      return lines.length >= least ? lines : null;
    });
  };
  /** A config whose jobs wait for a file. */
  const project = (jobs: number) => {
    const directory = mkdtempSync(join(pool.directory, 'campaign-'));
    const name = `kept${process.pid}${Date.now()}`;
    const script = `echo "$1" >> ${directory}/begun; while [ ! -e ${directory}/open ]; do sleep 0.1; done; echo '{"run":[1,'$1'],"name":"n","value":'$1'}' > records.ndjson`;
    writeFileSync(join(directory, 'input.txt'), 'input');
    writeFileSync(
      join(directory, 'caf.config.ts'),
      `import { command, defineCalibration, defineConfig, htcondor } from '${ROOT}/dist/index.js';
export default defineConfig({
  backend: htcondor({ pollInterval: '1 s' }),
  calibrations: [defineCalibration({
    name: '${name}',
    collections: { all: {
      files: ['input.txt'],
      split: { arguments: Array.from({ length: ${jobs} }, (_, i) => [String(i)]) },
      resources: { memory: '100 MB', time: '10 min' },
      collect: command(['/bin/sh', '-c', ${JSON.stringify(script)}, 'job']),
    } },
    algorithms: [],
  })],
});
`,
    );
    const begun = (): readonly string[] => {
      const path = join(directory, 'begun');
      return existsSync(path) ? readFileSync(path, 'utf8').trim().split('\n').sort() : [];
    };
    return { directory, name, begun, open: () => writeFileSync(join(directory, 'open'), '') };
  };
  const start = (directory: string): ChildProcess =>
    spawn(process.execPath, [join(ROOT, 'bin/caf.js'), 'run', directory], { cwd: ROOT, env: pool.env, stdio: 'ignore', detached: true });
  const killed = async (child: ChildProcess): Promise<void> => {
    child.kill('SIGKILL');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  };

  it('gives the same databases as this machine', async () => {
    const here = join(pool.directory, 'here');
    const there = join(pool.directory, 'there');
    expect(await caf('run', 'examples/quickstart', '--output', here, '--backend', 'local')).toMatchObject({ exitCode: 0 });
    expect(await caf('run', 'examples/quickstart', '--output', there, '--backend', 'htcondor')).toMatchObject({ exitCode: 0 });
    for (const calibration of ['pedestals', 'gains']) expect(await viewId(there, calibration)).toBe(await viewId(here, calibration));
    expect(existsSync(join(there, '.batch'))).toBe(false);
  });

  it('shows what condor_submit warns of, once', async () => {
    const { directory, open } = project(2);
    open();
    const config = join(directory, 'caf.config.ts');
    const text = readFileSync(config, 'utf8').replace(
      "pollInterval: '1 s'",
      "pollInterval: '1 s', maxArray: 1, lines: ['requst_gpus = 1']",
    );
    writeFileSync(config, text);
    const { exitCode, stderr } = await caf('run', directory);
    expect(exitCode, stderr).toBe(0);
    expect(stderr.match(/.*warns.*/g)).toEqual([expect.stringMatching(/the line 'requst_gpus = 1' was unused by condor_submit/)]);
  });

  it('adopts its jobs after caf was killed, and starts none twice, as the history of the pool shows', async () => {
    const { directory, name, begun, open } = project(8);
    const first = start(directory);
    await until('the jobs are at work', async () => (begun().length === 8 ? true : null));
    await killed(first);
    open();
    expect(await caf('run', directory)).toMatchObject({ exitCode: 0 });
    expect(begun()).toEqual(['0', '1', '2', '3', '4', '5', '6', '7']);
    const jobs = await accounted(name, 8);
    expect(jobs).toHaveLength(8);
    expect(jobs.every((line) => line.endsWith(' 1 4'))).toBe(true);
  });

  it('is killed at many instants around its submission, and submits every job exactly once', async () => {
    const { directory, name, begun, open } = project(6);
    for (let round = 0; round < 10; round += 1) {
      const one = start(directory);
      // Not a wait: the instant is what is tried, from before the first command to after the first query.
      await new Promise((passed) => setTimeout(passed, 150 + 60 * round));
      await killed(one);
    }
    open();
    expect(await caf('run', directory)).toMatchObject({ exitCode: 0 });
    expect(begun()).toEqual(['0', '1', '2', '3', '4', '5']);
    expect(await accounted(name, 6)).toHaveLength(6);
  });

  it('hears of an end from the user log, without a second query', async () => {
    const rig = createRig();
    const calls = mkdtempSync(join(rig.directory, 'bin-'));
    // Counts the queries.
    writeFileSync(join(calls, 'condor_q'), `#!/bin/sh\necho asked >> ${calls}/asked\nexec ${commandsOf('htcondor')}/condor_q "$@"\n`, {
      mode: 0o755,
    });
    const batch = createBatch({
      engine: htcondor,
      spool: join(rig.directory, '.batch'),
      collector: [],
      pollMs: 600_000,
      settleMs: 1000,
      emit: () => undefined,
      env: { ...pool.env, PATH: `${calls}:${pool.env.PATH}` },
    });
    const backend = batch.backend({ ...BATCH_SPEC, pollMs: 600_000 }, SITE);
    const [failed, removed] = [backend.submit(rig.shell('exit 3')), backend.submit(rig.shell('exec sleep 1000'))];
    expect(await failed.ended).toMatchObject({ how: 'exited', code: 3 });
    const handle = await removed.started;
    call('condor_rm', handle !== null && isEngineJob(handle) ? handle.id : '');
    expect(await removed.ended).toMatchObject({ how: 'removed', by: `the user ${userInfo().username}` });
    expect(readFileSync(join(calls, 'asked'), 'utf8')).toBe('asked\n');
    await batch.close();
    await rig.cleanUp();
  });
});
