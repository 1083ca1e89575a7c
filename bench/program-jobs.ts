// Trivial program jobs on two slots, journal and all, against the same spawns from bare Node; and that ten times as many cost ten times as much.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Benchmark, both, caf, floor, holdsBoth, MB, times } from './benchmark.ts';
import { programJobs } from './configs.ts';
import { type Compared, compare } from './measure.ts';

const SLOTS = 2;

async function compareJobs(directory: string, jobs: number, rounds: number): Promise<Compared> {
  writeFileSync(join(directory, 'caf.config.ts'), programJobs(jobs, SLOTS));
  let round = 0;
  return compare(
    rounds,
    () => floor('spawns', [String(jobs), String(SLOTS)]),
    () => {
      // A new one each time: ext4 makes files slowly for some seconds after many were removed.
      round += 1;
      return caf(['run', '--quiet', '--output', `results-${jobs}-${round}`], directory);
    },
  );
}

export const programJobsBench: Benchmark = {
  name: 'program-jobs',
  run: async (directory, rounds) => {
    const few = await compareJobs(directory, 1000, rounds);
    const many = await compareJobs(directory, 10_000, 1);
    // Start-up is taken off by the difference: (10,000 jobs - 1,000 jobs) / 9,000, against 1,000 jobs / 1,000.
    const growth = (many.caf.cpu - few.caf.cpu) / 9 / few.caf.cpu;
    return [
      {
        name: '1,000 program jobs on 2 slots',
        floor: few.floor,
        caf: few.caf,
        figure: both(few),
        bar: '1.6 x bare spawns, 120 MB',
        holds: holdsBoth(few, 1.6) && few.caf.rssBytes <= 120 * MB,
      },
      {
        name: '10,000 program jobs, each next thousand',
        floor: many.floor,
        caf: many.caf,
        figure: times(growth),
        bar: '1.15 x the first thousand',
        holds: growth <= 1.15,
      },
    ];
  },
};
