// Fails on purpose: one of six input files has a line that is not a number. The README walks through mending it.
import { readFile } from 'node:fs/promises';
import { defineCalibration, defineConfig, definePayload, local } from 'calibration-framework';
import * as z from 'zod';

const Charge = definePayload('Charge', z.object({ mean: z.number(), entries: z.int() }));

const charge = defineCalibration({
  name: 'charge',
  collections: {
    hits: {
      files: ['data/e*r*.csv'],
      runs: /e(?<experiment>\d+)r(?<run>\d+)/,
      split: { maxFilesPerJob: 1 },
      // A line that cannot be read today cannot be read in a minute either.
      retries: 0,
      collect: async ({ files, record }) => {
        for (const file of files) {
          const lines = (await readFile(file, 'utf8')).trim().split('\n');
          for (const [index, line] of lines.entries()) {
            if (index === 0) continue;
            const [experiment = Number.NaN, run = Number.NaN, value = Number.NaN] = line.split(',').map(Number);
            if (!Number.isFinite(value)) throw new Error(`${file}:${index + 1}: the charge is ${line.split(',')[2]}, not a number`);
            record([experiment, run], 'charge', value);
          }
        }
      },
    },
  },
  algorithms: [
    {
      name: 'mean',
      run: async ({ data, commit }) => {
        let sum = 0;
        let entries = 0;
        for await (const { value } of data.records<number>('charge')) {
          sum += value;
          entries += 1;
        }
        if (entries < 10) return 'not-enough-data';
        commit(Charge, { mean: sum / entries, entries });
        return 'ok';
      },
    },
  ],
});

export default defineConfig({ backend: local({ slots: 2 }), calibrations: [charge] });
