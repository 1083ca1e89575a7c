// What a campaign of many jobs asks of a real Slurm, counted by Slurm itself. Holds only when nobody else uses that Slurm meanwhile.
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, it } from 'vitest';
import { difference, logCommands, PER_JOB, QUERIES, readRequests, sumOf } from './support/counting.ts';
import { withEngine } from './support/engine.ts';

const ROOT = resolve('.');
const CALIBRATIONS = 5;
const JOBS = 200;
const POLL_S = 2;

withEngine('slurm', (slurm) => {
  it('takes 1,000 jobs of 5 calibrations in a few submissions, is asked once per interval, and never about one job', async () => {
    const directory = join(slurm.directory, 'many');
    mkdirSync(directory);
    writeFileSync(
      join(directory, 'caf.config.ts'),
      `import { command, defineCalibration, defineConfig, slurm } from '${ROOT}/dist/index.js';
export default defineConfig({
  backend: slurm({ pollInterval: '${POLL_S} s' }),
  calibrations: Array.from({ length: ${CALIBRATIONS} }, (_, number) => defineCalibration({
    name: 'c' + number,
    collections: { all: {
      files: [],
      split: { arguments: Array.from({ length: ${JOBS} }, (_, i) => [String(i)]) },
      resources: { memory: '100 MB', time: '10 min' },
      collect: command(['/bin/sh', '-c', 'echo said; echo made > made']),
    } },
    algorithms: [],
  })),
});
`,
    );
    const commands = logCommands(join(directory, 'bin'), ['sbatch', 'squeue', 'sacct', 'scancel', 'scontrol'], slurm.env.PATH ?? '');
    const requests = async () => readRequests(await slurm.ask(['sdiag']));
    const before = await requests();
    const begin = performance.now();
    const run = await slurm.run([process.execPath, join(ROOT, 'bin/caf.js'), 'run', '--quiet'], {
      cwd: directory,
      env: { CAF_OUTPUT: '', PATH: commands.path },
      timeoutMs: 280_000,
    });
    expect(run).toMatchObject({ exitCode: 0, stderr: '' });
    const intervals = (performance.now() - begin) / 1000 / POLL_S;
    const asked = difference(before, await requests());
    expect(asked.REQUEST_SUBMIT_BATCH_JOB).toBeLessThanOrEqual(3);
    expect(sumOf(asked, QUERIES)).toBeGreaterThan(0);
    expect(sumOf(asked, QUERIES)).toBeLessThanOrEqual(Math.ceil(intervals) + 1);
    expect(sumOf(asked, PER_JOB)).toBe(0);

    const counts = commands.counts();
    // Once to see whether it is there.
    expect(counts.sbatch).toBeLessThanOrEqual(4);
    expect(counts.squeue).toBeLessThanOrEqual(Math.ceil(intervals) + 1);
    expect(counts.scontrol).toBe(1);
    expect(counts).not.toHaveProperty('sacct');
    expect(counts).not.toHaveProperty('scancel');

    const results = join(directory, 'calibration_results');
    for (let number = 0; number < CALIBRATIONS; number += 1) {
      const collection = join(results, `c${number}/0/collector/all`);
      const jobs = readdirSync(collection);
      expect(jobs).toHaveLength(JOBS);
      for (const job of jobs) expect(readdirSync(join(collection, job)).sort()).toEqual(['job.json', 'made', 'stdout']);
    }
  });
});
