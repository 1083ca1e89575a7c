// Collectors and algorithms as programs: Python (standard library only) and shell.
import { command, defineCalibration, defineConfig, definePayload, local } from 'calibration-framework';
import * as z from 'zod';

// Names and checks of what the programs commit. The payload named `parameters` is given to programs: in job.json, and as {parameters.NAME}.
definePayload('parameters', z.object({ mean: z.number(), spread: z.number(), low: z.number(), high: z.number(), readings: z.int() }));
definePayload('Outliers', z.object({ readings: z.int(), outside: z.int() }));

const files = ['data/temperature-*.csv'];
const runs = /e(?<experiment>\d+)r(?<run>\d+)/;

const temperature = defineCalibration({
  name: 'temperature',
  maxIterations: 10,
  collections: { readings: { files, runs, split: { maxFilesPerJob: 2 }, collect: command(['python3', '{config}/collect.py']) } },
  algorithms: [{ name: 'clipped-mean', run: command(['python3', '{config}/fit.py']) }],
});

const outliers = defineCalibration({
  name: 'outliers',
  dependsOn: [temperature],
  collections: {
    counts: {
      files,
      runs,
      split: { maxFilesPerJob: 1 },
      outputs: ['counts.txt'],
      collect: command(['sh', '{config}/count.sh', '{parameters.low}', '{parameters.high}', '{files}']),
    },
  },
  algorithms: [{ name: 'sum', run: command(['sh', '{config}/sum.sh', '{files}']) }],
});

export default defineConfig({ backend: local({ slots: 2 }), calibrations: [temperature, outliers] });
