// sequentialRunByRun over 500 and 2,000 runs, none of which merges: the cost of a run must not grow with their number.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Benchmark, caf, times } from './benchmark.ts';
import { runByRun } from './configs.ts';
import { compare } from './measure.ts';

export const runByRunBench: Benchmark = {
  name: 'run-by-run',
  run: async (directory, rounds) => {
    let round = 0;
    const start = async (runs: number) => {
      const place = join(directory, String(runs));
      mkdirSync(place, { recursive: true });
      writeFileSync(join(place, 'caf.config.ts'), runByRun(runs));
      round += 1;
      return caf(['run', '--quiet', '--output', `results-${round}`], place);
    };
    const base = await start(1);
    const { floor: few, caf: many } = await compare(
      rounds,
      () => start(500),
      () => start(2000),
    );
    const growth = (many.cpu - base.cpu) / (4 * (few.cpu - base.cpu));
    return [
      {
        name: 'sequentialRunByRun, 2,000 runs',
        floor: few,
        caf: many,
        figure: `${times(growth)}, ${((many.wall - base.wall) / 2000).toFixed(2)} ms a run`,
        bar: '1.15 x four times 500 runs',
        holds: growth <= 1.15,
      },
    ];
  },
};
