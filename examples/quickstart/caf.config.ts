// Pedestals, then gains that iterate to convergence, for a small simulated detector with runs in two experiments.
import { join } from 'node:path';
import { defineConfig, local, sequentialRunByRun } from 'calibration-framework';
import { gains } from 'calibration-framework/calibrations/gains';
import { pedestals } from 'calibration-framework/calibrations/pedestals';
import { CHANNELS, generate } from './generate.ts';

generate(join(import.meta.dirname, 'data'));

const pedestalsOfRuns = pedestals({
  files: ['data/random-*.csv'],
  channels: CHANNELS,
  split: { maxFilesPerJob: 2 },
});

const gainsOfRuns = gains({
  files: ['data/source-*.csv'],
  channels: CHANNELS,
  split: { maxFilesPerJob: 2 },
  // More than one run has: the strategy merges runs until there is enough, and never across experiments.
  minEntries: 250,
  strategy: sequentialRunByRun(),
  dependsOn: [pedestalsOfRuns],
});

export default defineConfig({
  backend: local({ slots: 2 }),
  // Nominal gains to start from, and the energy of the line.
  databases: ['../../localdb/base'],
  calibrations: [pedestalsOfRuns, gainsOfRuns],
});
