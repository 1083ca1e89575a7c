// Many jobs on a simulated batch engine: memory, processor time, files and commands of caf for 10,000 and 100,000; and waiting while nothing ends.
import { spawn } from 'node:child_process';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type Benchmark, MB, megabytes, type Row, times } from './benchmark.ts';
import { batchJobs } from './configs.ts';
import { install } from './install.ts';
import { type Cost, cpuMs, measure, peakBytes } from './measure.ts';
import { simulateSlurm } from './simulated-slurm.ts';

const CAF = fileURLToPath(new URL('../bin/caf.js', import.meta.url));
const SETTLE_MS = 60_000;
const WATCH_MS = 120_000;
const WAITING_JOBS = 10_000;

interface Campaign {
  readonly cost: Cost;
  readonly submits: number;
  readonly queries: number;
  readonly filesPerJob: number;
}

async function runJobs(place: string, jobs: number): Promise<Campaign> {
  const directory = join(place, String(jobs));
  mkdirSync(directory);
  install(directory);
  writeFileSync(join(directory, 'caf.config.ts'), batchJobs(1, jobs, 'slurm()'));
  const slurm = await simulateSlurm(directory, { perStep: 200, stepMs: 50 });
  try {
    const cost = await measure([process.execPath, CAF, 'run', '--quiet'], { cwd: directory, env: slurm.env });
    const files = countFiles(join(directory, 'calibration_results/c0'));
    return { cost, submits: (slurm.counts.sbatch ?? 0) - 1, queries: slurm.counts.squeue ?? 0, filesPerJob: files / jobs };
  } finally {
    await slurm.close();
  }
}

const countFiles = (directory: string): number =>
  readdirSync(directory, { withFileTypes: true }).reduce(
    (sum, entry) => sum + (entry.isDirectory() ? countFiles(join(directory, entry.name)) : 1),
    0,
  );

/** Of caf, while all its jobs are in the queue. */
async function waitForJobs(place: string): Promise<Row> {
  const directory = join(place, 'waiting');
  mkdirSync(directory);
  install(directory);
  writeFileSync(join(directory, 'caf.config.ts'), batchJobs(1, WAITING_JOBS, `slurm({ maxJobs: ${WAITING_JOBS} })`));
  const slurm = await simulateSlurm(directory, { perStep: 0, stepMs: 1000 });
  const child = spawn(process.execPath, [CAF, 'run', '--quiet'], { cwd: directory, env: slurm.env, stdio: 'ignore' });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  const pid = child.pid ?? 0;
  try {
    await delay(SETTLE_MS);
    const before = { cpu: cpuMs(pid), queries: slurm.counts.squeue ?? 0 };
    await delay(WATCH_MS);
    const cpu = cpuMs(pid) - before.cpu;
    const queries = (slurm.counts.squeue ?? 0) - before.queries;
    const share = cpu / WATCH_MS;
    return {
      name: `waiting, ${WAITING_JOBS} in the queue`,
      floor: null,
      caf: { wall: WATCH_MS, cpu, rssBytes: peakBytes(pid), stdout: '' },
      figure: `${(100 * share).toFixed(2)} % of a core, ${queries} queries`,
      bar: '0.2 % of a core',
      holds: share <= 0.002,
    };
  } finally {
    child.kill('SIGKILL');
    await ended;
    await slurm.close();
  }
}

const rowOf = (name: string, { cost, submits, queries, filesPerJob }: Campaign, most: number): Row => ({
  name,
  floor: null,
  caf: cost,
  figure: `${submits} submissions, ${queries} queries, ${filesPerJob.toFixed(2)} files a job`,
  bar: `${most} submissions, 4 files a job, 300 MB`,
  holds: submits <= most && filesPerJob <= 4 && cost.rssBytes <= 300 * MB,
});

export const batch: Benchmark = {
  name: 'batch',
  isLong: true,
  run: async (directory) => {
    const few = await runJobs(directory, 10_000);
    const many = await runJobs(directory, 100_000);
    // Start-up is taken off by the difference.
    const growth = (many.cost.cpu - few.cost.cpu) / 9 / few.cost.cpu;
    return [
      rowOf('10,000 batch jobs', few, 12),
      rowOf('100,000 batch jobs', many, 60),
      {
        name: '100,000 batch jobs, each next ten thousand',
        floor: few.cost,
        caf: many.cost,
        figure: `${times(growth)}, ${megabytes(many.cost.rssBytes)}`,
        bar: '1.15 x the first ten thousand',
        holds: growth <= 1.15,
      },
      await waitForJobs(directory),
    ];
  },
};
