// What a campaign asks of a real Slurm: node bench/slurm-load.ts JOBS CALIBRATIONS, with its commands on PATH. Counts by sdiag hold when nobody else uses it.
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { difference, logCommands, QUERIES, readRequests, sumOf } from '../test/engines/support/counting.ts';
import { megabytes } from './benchmark.ts';
import { batchJobs } from './configs.ts';
import { install } from './install.ts';
import { cpuMs, peakBytes } from './measure.ts';

const CAF = fileURLToPath(new URL('../bin/caf.js', import.meta.url));
const POLL_S = 5;

const [jobs = 10_000, calibrations = 1] = process.argv.slice(2).map(Number);
const path = process.env.PATH ?? '';
const requests = () => readRequests(execFileSync('sdiag', { encoding: 'utf8' }));
const directory = mkdtempSync(join(tmpdir(), 'caf-bench-slurm-'));
try {
  install(directory);
  writeFileSync(join(directory, 'caf.config.ts'), batchJobs(calibrations, jobs / calibrations, `slurm({ pollInterval: '${POLL_S} s' })`));
  const log = logCommands(join(directory, 'bin'), ['sbatch', 'squeue', 'sacct', 'scancel', 'scontrol'], path);
  const before = requests();
  const begin = performance.now();
  const child = spawn(process.execPath, [CAF, 'run', '--quiet'], {
    cwd: directory,
    env: { ...process.env, PATH: log.path },
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  let rssBytes = 0;
  let cpu = 0;
  const sampler = setInterval(() => {
    rssBytes = Math.max(rssBytes, peakBytes(child.pid ?? 0));
    cpu = Math.max(cpu, cpuMs(child.pid ?? 0));
  }, 100);
  const code = await new Promise((resolve) => child.once('exit', resolve));
  clearInterval(sampler);
  const seconds = (performance.now() - begin) / 1000;
  const asked = difference(before, requests());
  const intervals = Math.ceil(seconds / POLL_S);
  console.log(
    `${jobs} jobs in ${calibrations} calibrations: ended with ${code} after ${seconds.toFixed(0)} s; ${(cpu / 1000).toFixed(1)} s of processor, ${megabytes(rssBytes)}`,
  );
  console.log(`commands  ${JSON.stringify(log.counts())}`);
  console.log(`requests  ${JSON.stringify(asked)}`);
  const submits = asked.REQUEST_SUBMIT_BATCH_JOB ?? 0;
  const queries = sumOf(asked, QUERIES);
  const holds = code === 0 && submits <= 12 && queries <= intervals + 1;
  console.log(
    `${holds ? 'holds' : 'MISSED'}: ${submits} submissions (at most 12), ${queries} queries in ${intervals} intervals of ${POLL_S} s`,
  );
  process.exitCode = holds ? 0 : 1;
} finally {
  rmSync(directory, { recursive: true, force: true });
}
