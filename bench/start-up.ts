// Commands that have nothing to compute: the version, and a campaign of 1,000 finished jobs.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Benchmark, caf, floor, times } from './benchmark.ts';
import { programJobs } from './configs.ts';
import { compare } from './measure.ts';

export const version: Benchmark = {
  name: 'version',
  run: async (directory, rounds) => {
    const {
      floor: empty,
      caf: own,
      ratio,
    } = await compare(
      3 * rounds,
      () => floor('empty'),
      () => caf(['--version'], directory),
    );
    return [
      { name: 'caf --version', floor: empty, caf: own, figure: times(ratio), bar: '1.6 x an empty Node script', holds: ratio <= 1.6 },
    ];
  },
};

export const nothingToDo: Benchmark = {
  name: 'nothing-to-do',
  run: async (directory, rounds) => {
    writeFileSync(join(directory, 'caf.config.ts'), programJobs(1000, 2));
    await caf(['run', '--quiet'], directory);
    const {
      floor: empty,
      caf: own,
      ratio,
    } = await compare(
      2 * rounds,
      () => floor('empty'),
      () => caf(['run'], directory),
    );
    if (!own.stdout.includes('nothing to do') && !own.stdout.includes('up to date')) throw new Error(`not reused: ${own.stdout}`);
    return [
      {
        name: 'nothing to do, 1,000 finished jobs',
        floor: empty,
        caf: own,
        figure: times(ratio),
        bar: '2.5 x an empty Node script',
        holds: ratio <= 2.5,
      },
    ];
  },
};
