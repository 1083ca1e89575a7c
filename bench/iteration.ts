// One calibration, one job, one algorithm, three iterations, against the Node children that load the config: one collector, three strategies.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Benchmark, both, caf, floor, holdsBoth, pick } from './benchmark.ts';
import { iterations } from './configs.ts';
import { compare } from './measure.ts';

const ITERATIONS = 3;

export const threeIterations: Benchmark = {
  name: 'iterations',
  run: async (directory, rounds) => {
    const config = join(directory, 'caf.config.ts');
    writeFileSync(config, iterations(ITERATIONS));
    let round = 0;
    const compared = await compare(
      2 * rounds,
      async () => {
        const cost = await floor('children', [config, String(ITERATIONS + 1)]);
        return { ...cost, wall: Number(cost.stdout) };
      },
      async () => {
        round += 1;
        return caf(['run', '--quiet', '--output', `results-${round}`], directory);
      },
    );
    return [
      {
        name: 'three iterations of one job, one algorithm',
        ...pick(compared),
        figure: both(compared),
        bar: '1.5 x the children that load the config',
        holds: holdsBoth(compared, 1.5),
      },
    ];
  },
};
