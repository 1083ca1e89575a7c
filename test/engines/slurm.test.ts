// caf on a real Slurm: the same databases as on this machine, every job exactly once in Slurm's own accounting, whatever happens in between.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, it } from 'vitest';
import { until, withEngine } from './support/engine.ts';

const ROOT = resolve('.');
const CAF = join(ROOT, 'bin/caf.js');

withEngine('slurm', (slurm) => {
  const caf = (args: readonly string[], cwd = ROOT) =>
    slurm.run([process.execPath, CAF, ...args], { cwd, env: { CAF_OUTPUT: '' }, timeoutMs: 120_000 });
  const start = (args: readonly string[]): ChildProcess =>
    spawn(process.execPath, [CAF, ...args], { cwd: ROOT, env: { ...slurm.env, CAF_OUTPUT: '' }, stdio: 'ignore', detached: true });

  /** Slurm keeps its accounts from one run of this suite to the next. */
  const unique = (name: string): string => `${name}${slurm.directory.slice(-6)}`;

  /** Every run of every job of this calibration in Slurm's accounting, once all are over there: `name|id|state`. */
  const accounted = (name: string, least: number): Promise<readonly string[]> =>
    until(`${least} jobs of ${name} are over in the accounting`, async () => {
      const text = await slurm.ask(['sacct', '-n', '-P', '-X', '-D', '--starttime=now-1hour', '-o', 'JobName,JobID,State']);
      const lines = text.split('\n').filter((line) => line.startsWith(`${unique(name)}.`));
      return lines.length >= least && lines.every((line) => !/PENDING|RUNNING/.test(line)) ? lines : null;
    });
  /** Ids of its jobs in the queue. */
  const queued = async (name: string): Promise<readonly string[]> => {
    const text = await slurm.ask(['squeue', '-h', '-r', '-t', 'running', '-o', '%j|%i']);
    return text.split('\n').flatMap((line) => (line.startsWith(`${unique(name)}.`) ? [line.split('|')[1] ?? ''] : []));
  };

  const viewIds = async (results: string) => {
    const found: string[] = [];
    for (const calibration of ['pedestals', 'gains']) {
      const { stdout } = await caf(['db', 'show', join(results, calibration, 'localdb'), '--json']);
      found.push((JSON.parse(stdout) as { viewId: string }).viewId);
    }
    return found;
  };

  it('gives the same databases as this machine, with one array per collection and iteration', async () => {
    const here = join(slurm.directory, 'here');
    const there = join(slurm.directory, 'there');
    expect(await caf(['run', 'examples/quickstart', '--output', here])).toMatchObject({ exitCode: 0 });
    expect(await caf(['run', 'examples/quickstart', '--output', there, '--backend', 'slurm'])).toMatchObject({ exitCode: 0 });
    expect(await viewIds(there)).toEqual(await viewIds(here));
    expect(existsSync(join(there, '.batch'))).toBe(false);
    const job = join(there, 'gains/0/collector/source/0');
    expect(readdirSync(job).sort()).toEqual(['job.json', 'records.ndjson', 'result.json']);
  });

  /** A config whose jobs wait for a file, so that caf can be killed while they are at work. */
  const project = (
    name: string,
    jobs: number,
  ): { readonly directory: string; readonly open: () => void; readonly begun: () => readonly string[] } => {
    const directory = join(slurm.directory, name);
    rmSync(directory, { recursive: true, force: true });
    mkdirSync(directory);
    writeFileSync(join(directory, 'input.txt'), 'input');
    const script = `echo "$1" >> ${directory}/begun; while [ ! -e ${directory}/open ]; do sleep 0.1; done; echo '{"run":[1,'$1'],"name":"n","value":'$1'}' > records.ndjson`;
    writeFileSync(
      join(directory, 'caf.config.ts'),
      `import { command, defineCalibration, defineConfig, definePayload, slurm } from '${ROOT}/dist/index.js';
const Sum = definePayload('Sum');
void Sum;
export default defineConfig({
  backend: slurm({ pollInterval: '1 s' }),
  calibrations: [defineCalibration({
    name: '${unique(name)}',
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
    const begun = join(directory, 'begun');
    return {
      directory,
      open: () => writeFileSync(join(directory, 'open'), ''),
      begun: () =>
        existsSync(begun)
          ? readFileSync(begun, 'utf8')
              .trim()
              .split('\n')
              .sort((a, b) => Number(a) - Number(b))
          : [],
    };
  };

  const numbers = (count: number) => Array.from({ length: count }, (_, i) => String(i));

  it('adopts its jobs after it was killed, and none is done twice', async () => {
    const { directory, open, begun } = project('adopted', 12);
    const first = start(['run', directory]);
    await until('the jobs are at work', async () => (begun().length === 12 ? true : null));
    first.kill('SIGKILL');
    await once(first, 'exit');
    open();
    expect(await caf(['run', directory])).toMatchObject({ exitCode: 0 });
    expect(begun()).toEqual(numbers(12));
    const jobs = await accounted('adopted', 12);
    expect(jobs).toHaveLength(12);
    expect(jobs.every((line) => line.endsWith('|COMPLETED'))).toBe(true);
  });

  it('is killed at many instants around its submission, and submits every job exactly once', async () => {
    const { directory, open, begun } = project('killed', 20);
    for (let round = 0; round < 12; round += 1) {
      const one = start(['run', directory]);
      // Not a wait: the instant is what is tried, from before the first command to after the first query.
      await new Promise((resolve) => setTimeout(resolve, 150 + 45 * round));
      one.kill('SIGKILL');
      if (one.exitCode === null && one.signalCode === null) await once(one, 'exit');
    }
    open();
    expect(await caf(['run', directory])).toMatchObject({ exitCode: 0 });
    expect(begun()).toEqual(numbers(20));
    expect(await accounted('killed', 20)).toHaveLength(20);
  });

  it('leaves its jobs at Ctrl-C, and takes them back', async () => {
    const { directory, open, begun } = project('left', 8);
    const first = start(['run', directory]);
    await until('the jobs are at work', async () => (begun().length === 8 ? true : null));
    first.kill('SIGINT');
    expect(await once(first, 'exit')).toEqual([130, null]);
    expect(await queued('left')).toHaveLength(8);
    open();
    expect(await caf(['run', directory])).toMatchObject({ exitCode: 0 });
    expect(begun()).toEqual(numbers(8));
    expect(await accounted('left', 8)).toHaveLength(8);
  });

  it('ends them when it is asked a second time', async () => {
    const { directory, begun } = project('ended', 4);
    const first = start(['run', directory]);
    await until('the jobs are at work', async () => (begun().length === 4 ? true : null));
    expect(await caf(['cancel', join(directory, 'calibration_results')])).toMatchObject({ exitCode: 0 });
    if (first.exitCode === null) await once(first, 'exit');
    const states = (await accounted('ended', 4)).map((line) => line.split('|')[2]?.split(' ')[0]);
    expect(states).toEqual(['CANCELLED', 'CANCELLED', 'CANCELLED', 'CANCELLED']);
  });

  it('does not start again what an administrator has cancelled, and says who it was', async () => {
    const { directory, open, begun } = project('removed', 3);
    const first = slurm.run([process.execPath, CAF, 'run', directory, '--json'], { timeoutMs: 120_000 });
    await until('the jobs are at work', async () => (begun().length === 3 ? true : null));
    const [, unwanted = ''] = await queued('removed');
    await slurm.ask(['scancel', unwanted]);
    await until('it is gone', async () => ((await queued('removed')).includes(unwanted) ? null : true));
    open();
    const said = await first;
    expect(said.exitCode).toBe(1);
    expect(said.stdout).toContain('it was cancelled, not by caf');
    expect(await accounted('removed', 3)).toHaveLength(3);
  });
});
