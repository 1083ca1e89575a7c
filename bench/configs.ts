// The configs that are measured, as text.

const IMPORTS = (names: string) => `import { ${names} } from 'calibration-framework';\n`;

/** One calibration without algorithms: `count` jobs that run \`true\`. */
export const programJobs = (count: number, slots: number): string => `${IMPORTS('command, defineCalibration, defineConfig, local')}
const jobs = defineCalibration({
  name: 'jobs',
  collections: {
    all: {
      files: [],
      collect: command(['true']),
      split: { arguments: Array.from({ length: ${count} }, (_, job) => [String(job)]) },
      resources: { cores: 1 },
    },
  },
  algorithms: [],
});

export default defineConfig({ backend: local({ slots: ${slots} }), calibrations: [jobs] });
`;

/** \`count\` jobs that wait for an hour. */
export const waitingJobs = (count: number, slots: number): string =>
  programJobs(count, slots).replace("command(['true'])", "command(['sh', '-c', 'exec sleep 3600'])");

/** One job for each file below data/. */
export const filesAsJobs = `${IMPORTS('command, defineCalibration, defineConfig')}
const jobs = defineCalibration({
  name: 'jobs',
  collections: {
    all: { files: ['data/**/*.csv'], runs: /e(?<experiment>\\d+)r(?<run>\\d+)/, collect: command(['true']), split: { maxFilesPerJob: 1 } },
  },
  algorithms: [],
});

export default defineConfig({ calibrations: [jobs] });
`;

/** Calibrations with one program collection and one program algorithm each, in a chain or independent. */
export const manyCalibrations = (count: number, isChain: boolean): string => `${IMPORTS('command, defineCalibration, defineConfig')}
const calibrations = Array.from({ length: ${count} }, (_, number) =>
  defineCalibration({
    name: 'c' + number,
    dependsOn: ${isChain ? "number === 0 ? [] : ['c' + (number - 1)]" : '[]'},
    collections: { all: { files: [], collect: command(['true']) } },
    algorithms: [{ name: 'fit', run: command(['true']) }],
  }),
);

export default defineConfig({ calibrations });
`;

/** One calibration, one function job, one algorithm, and so many iterations. */
export const iterations = (count: number): string => `${IMPORTS('defineCalibration, defineConfig, definePayload')}
import * as z from 'zod';

const Offset = definePayload('Offset', z.object({ value: z.number() }));

const offset = defineCalibration({
  name: 'offset',
  maxIterations: ${count},
  collections: { values: { files: [], collect: ({ record }) => record([1, 1], 'value', 42) } },
  algorithms: [
    {
      name: 'mean',
      run: async ({ data, commit, iteration }) => {
        let sum = 0;
        for await (const { value } of data.records<number>('value')) sum += value;
        commit(Offset, { value: sum });
        return iteration < ${count - 1} ? 'iterate' : 'ok';
      },
    },
  ],
});

export default defineConfig({ calibrations: [offset] });
`;

/** One algorithm under sequentialRunByRun over so many runs, each with data enough. */
export const runByRun = (runs: number): string => `${IMPORTS('defineCalibration, defineConfig, definePayload, sequentialRunByRun')}
import * as z from 'zod';

const Mean = definePayload('Mean', z.object({ value: z.number() }));

const means = defineCalibration({
  name: 'means',
  collections: {
    values: {
      files: [],
      collect: ({ record }) => {
        for (let run = 1; run <= ${runs}; run += 1) record([1, run], 'value', run);
      },
    },
  },
  algorithms: [
    {
      name: 'mean',
      strategy: sequentialRunByRun(),
      run: async ({ data, commit }) => {
        let sum = 0;
        for await (const { value } of data.records<number>('value')) sum += value;
        commit(Mean, { value: sum });
        return 'ok';
      },
    },
  ],
});

export default defineConfig({ calibrations: [means] });
`;

/** Calibrations without algorithms on a batch engine, each with so many jobs that run \`true\`. */
export const batchJobs = (
  calibrations: number,
  jobs: number,
  backend: string,
): string => `${IMPORTS(`command, defineCalibration, defineConfig, ${backend.split('(')[0]}`)}
const calibrations = Array.from({ length: ${calibrations} }, (_, number) =>
  defineCalibration({
    name: 'c' + number,
    collections: {
      all: {
        files: [],
        collect: command(['true']),
        split: { arguments: Array.from({ length: ${jobs} }, (_, job) => [String(job)]) },
        resources: { memory: '100 MB', time: '10 min' },
      },
    },
    algorithms: [],
  }),
);

export default defineConfig({ backend: ${backend}, calibrations });
`;

/** Iterations of so many jobs each, which note when they end; the algorithm notes in \`begun\` when it is called. */
export const latencyJobs = (
  iterations: number,
  jobs: number,
  backend: string,
  begun: string,
): string => `${IMPORTS(`command, defineCalibration, defineConfig, ${backend.split('(')[0]}`)}
import { appendFileSync } from 'node:fs';

const c = defineCalibration({
  name: 'c',
  maxIterations: ${iterations},
  collections: {
    all: {
      files: [],
      collect: command(['sh', '-c', 'date +%s%N > end']),
      split: { arguments: Array.from({ length: ${jobs} }, (_, job) => [String(job)]) },
      resources: { memory: '100 MB', time: '10 min' },
    },
  },
  algorithms: [
    {
      name: 'fit',
      run: ({ iteration }) => {
        appendFileSync('${begun}', Date.now() + '\\n');
        return iteration < ${iterations - 1} ? 'iterate' : 'ok';
      },
    },
  ],
});

export default defineConfig({ backend: ${backend}, calibrations: [c] });
`;

/** \`count\` jobs that run for an hour on a batch engine. */
export const longBatchJobs = (count: number, backend: string): string =>
  batchJobs(1, count, backend).replace("command(['true'])", "command(['sleep', '3600'])").replace('10 min', '2 h');
