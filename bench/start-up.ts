// Commands that have nothing to compute: the version, and a campaign of 1,000 finished jobs.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Benchmark, both, caf, floor, holdsBoth, pick } from './benchmark.ts';
import { programJobs } from './configs.ts';
import { compare } from './measure.ts';

export const version: Benchmark = {
  name: 'version',
  run: async (directory, rounds) => {
    const compared = await compare(
      3 * rounds,
      () => floor('empty'),
      () => caf(['--version'], directory),
    );
    return [
      {
        name: 'caf --version',
        ...pick(compared),
        figure: both(compared),
        bar: '1.6 x an empty Node script',
        holds: holdsBoth(compared, 1.6),
      },
    ];
  },
};

export const nothingToDo: Benchmark = {
  name: 'nothing-to-do',
  run: async (directory, rounds) => {
    writeFileSync(join(directory, 'caf.config.ts'), programJobs(1000, 2));
    await caf(['run', '--quiet'], directory);
    const compared = await compare(
      2 * rounds,
      () => floor('empty'),
      () => caf(['run'], directory),
    );
    if (!compared.caf.stdout.includes('nothing to do')) throw new Error(`not reused: ${compared.caf.stdout}`);
    return [
      {
        name: 'nothing to do, 1,000 finished jobs',
        ...pick(compared),
        figure: both(compared),
        bar: '2.5 x an empty Node script',
        holds: holdsBoth(compared, 2.5),
      },
    ];
  },
};
