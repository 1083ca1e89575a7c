// Waiting: caf with 100,000 jobs known, of which two run for long.
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type Benchmark, MB } from './benchmark.ts';
import { waitingJobs } from './configs.ts';
import { cpuMs, peakBytes } from './measure.ts';

const CAF = fileURLToPath(new URL('../bin/caf.js', import.meta.url));
/** Until then planning is over, and the garbage it left is collected: both happen once. */
const SETTLE_MS = 15_000;
const WATCH_MS = 30_000;

export const waiting: Benchmark = {
  name: 'waiting',
  run: async (directory) => {
    writeFileSync(join(directory, 'caf.config.ts'), waitingJobs(100_000, 2));
    const child = spawn(process.execPath, [CAF, 'run', '--quiet'], { cwd: directory, stdio: 'ignore' });
    const ended = new Promise((resolve) => child.once('exit', resolve));
    const pid = child.pid ?? 0;
    try {
      await delay(SETTLE_MS);
      const before = cpuMs(pid);
      await delay(WATCH_MS);
      const cpu = cpuMs(pid) - before;
      const rssBytes = peakBytes(pid);
      const share = cpu / WATCH_MS;
      return [
        {
          name: 'waiting for long jobs, 100,000 known',
          floor: null,
          caf: { wall: WATCH_MS, cpu, rssBytes, stdout: '' },
          figure: `${(100 * share).toFixed(2)} % of a core`,
          bar: '0.2 % of a core, 150 MB',
          holds: share <= 0.002 && rssBytes <= 150 * MB,
        },
      ];
    } finally {
      // Twice: the first asks it to stop, the second ends its jobs as well.
      child.kill('SIGINT');
      await delay(500);
      child.kill('SIGINT');
      await ended;
    }
  },
};
