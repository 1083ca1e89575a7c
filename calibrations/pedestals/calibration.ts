// Pedestal mean and noise per channel, from random-trigger samples.
import {
  type Calibration,
  type CalibrationOptions,
  type CollectionOptions,
  defineCalibration,
  definePayload,
  type Strategy,
  sequentialRunByRun,
} from 'calibration-framework';
import * as z from 'zod';
import type { Moments } from '../moments.ts';
import { collectSamples } from './collect.ts';
import { fitPedestals } from './fit.ts';

/** Per channel, in ADC counts: mean, noise (standard deviation), number of samples. */
export const Pedestals = definePayload(
  'Pedestals',
  z.object({ mean: z.array(z.number()), noise: z.array(z.number().nonnegative()), entries: z.array(z.int().positive()) }),
);

export interface PedestalOptions
  extends Partial<Omit<CalibrationOptions, 'collections' | 'algorithms'>>,
    Pick<CollectionOptions, 'files' | 'runs' | 'split' | 'resources'> {
  /** Channels are numbered from 0 to `channels` - 1. */
  readonly channels: number;
  /** Samples that each channel needs; runs are merged until they have them. Default 100. */
  readonly minEntries?: number;
  /** Default `sequentialRunByRun()`: one set of pedestals per run. */
  readonly strategy?: Strategy;
}

/** Files: CSV with the columns experiment, run, channel and adc (ADC counts). All options of a calibration can be given too. */
export function pedestals(options: PedestalOptions): Calibration {
  const {
    files,
    runs,
    split,
    resources,
    channels,
    minEntries = 100,
    strategy = sequentialRunByRun(),
    name = 'pedestals',
    ...others
  } = options;
  return defineCalibration({
    ...others,
    name,
    collections: {
      random: {
        files,
        runs: runs ?? /e(?<experiment>\d+)r(?<run>\d+)/,
        split,
        resources,
        collect: async (job) => {
          const collected = await collectSamples(job.files, channels, job.signal);
          for (const { run, moments } of collected.entries()) job.record(run, 'adc', moments);
        },
      },
    },
    algorithms: [
      {
        name: 'means',
        strategy,
        run: async ({ data, commit, log }) => {
          const records: (readonly Moments[])[] = [];
          for await (const { value } of data.records<readonly Moments[]>('adc')) records.push(value);
          const fit = fitPedestals(records, channels, minEntries);
          if (fit.result === 'failure') throw new Error(fit.reason);
          if (fit.result === 'not-enough-data') log(fit.reason);
          else commit(Pedestals, fit.values);
          return fit.result;
        },
      },
    ],
  });
}
