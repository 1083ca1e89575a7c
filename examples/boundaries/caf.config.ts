// Light yield with intervals that begin where it steps: the algorithm itself says where.
import { readFile } from 'node:fs/promises';
import { defineCalibration, defineConfig, definePayload, local, type Run, sequentialBoundaries } from 'calibration-framework';
import * as z from 'zod';

/** Arbitrary units; the error is statistical, one standard deviation. */
const LightYield = definePayload('LightYield', z.object({ mean: z.number(), error: z.number(), readings: z.int() }));

/** A run whose mean is this far from that of the interval so far begins a new interval; the mean of a run has an error of about 0.25. */
const STEP = 2;

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

const lightYield = defineCalibration({
  name: 'light-yield',
  collections: {
    light: {
      files: ['data/light.csv'],
      runs: () => [3, 1, 3, 20],
      collect: async ({ files, record }) => {
        const byRun = new Map<string, { run: Run; light: number[] }>();
        for (const file of files) {
          const [, ...lines] = (await readFile(file, 'utf8')).trim().split('\n');
          for (const line of lines) {
            const [experiment = Number.NaN, run = Number.NaN, light = Number.NaN] = line.split(',').map(Number);
            const known = byRun.get(`${experiment},${run}`) ?? { run: [experiment, run], light: [] };
            byRun.set(`${experiment},${run}`, known);
            known.light.push(light);
          }
        }
        for (const { run, light } of byRun.values()) record(run, 'light', light);
      },
    },
  },
  algorithms: [
    {
      name: 'mean',
      strategy: sequentialBoundaries(),
      findBoundaries: async ({ data }) => {
        const boundaries: Run[] = [];
        let interval: number[] = [];
        for await (const { run, value } of data.records<number[]>('light')) {
          if (interval.length === 0 || Math.abs(mean(value) - mean(interval)) > STEP) {
            boundaries.push(run);
            interval = [];
          }
          interval.push(...value);
        }
        return boundaries;
      },
      run: async ({ data, commit }) => {
        const light: number[] = [];
        for await (const { value } of data.records<number[]>('light')) light.push(...value);
        if (light.length < 30) return 'not-enough-data';
        const centre = mean(light);
        const variance = light.reduce((sum, value) => sum + (value - centre) ** 2, 0) / (light.length - 1);
        commit(LightYield, { mean: centre, error: Math.sqrt(variance / light.length), readings: light.length });
        return 'ok';
      },
    },
  ],
});

export default defineConfig({ backend: local({ slots: 1 }), calibrations: [lightYield] });
