// Gain per channel from the line of a calibration source of known energy; iterates until the windows sit on the line.
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
import { Pedestals } from '../pedestals/calibration.ts';
import { collectLine } from './collect.ts';
import { fitGains } from './fit.ts';

/** Per channel, in ADC counts per keV: gain and its statistical error. The conditions must hold nominal gains to start from. */
export const Gains = definePayload('Gains', z.object({ gain: z.array(z.number().positive()), error: z.array(z.number().nonnegative()) }));

/** Energy of the line of the source, keV. */
export const SourceLine = definePayload('SourceLine', z.object({ energy: z.number().positive(), nuclide: z.string().optional() }));

export interface GainCalibrationOptions
  extends Partial<Omit<CalibrationOptions, 'collections' | 'algorithms'>>,
    Pick<CollectionOptions, 'files' | 'runs' | 'split' | 'resources'> {
  /** Channels are numbered from 0 to `channels` - 1. */
  readonly channels: number;
  /** Half width of the window around the line, as a fraction of its energy; about two standard deviations of the line. Default 0.08. */
  readonly window?: number;
  /** Entries in the window that each channel needs; runs are merged until they have them. Default 200. */
  readonly minEntries?: number;
  /** Converged when no gain changed by more than this fraction. Default 0.001. */
  readonly tolerance?: number;
  /** Default `sequentialRunByRun()`: one set of gains per run. */
  readonly strategy?: Strategy;
}

/**
 * Files: CSV with the columns experiment, run, channel and adc (ADC counts). Reads `Pedestals`, `SourceLine` and the previous `Gains` from the
 * conditions, so it depends on a calibration of pedestals or on a database with them. All options of a calibration can be given too; maxIterations is 10.
 */
export function gains(options: GainCalibrationOptions): Calibration {
  const { files, runs, split, resources, channels, window = 0.08, minEntries = 200, tolerance = 1e-3, ...rest } = options;
  const { strategy = sequentialRunByRun(), name = 'gains', maxIterations = 10, ...others } = rest;
  return defineCalibration({
    ...others,
    name,
    maxIterations,
    collections: {
      source: {
        files,
        runs: runs ?? /e(?<experiment>\d+)r(?<run>\d+)/,
        split,
        resources,
        collect: async ({ conditions, record, ...job }) => {
          const conditionsOf = async (experiment: number, run: number) => ({
            pedestals: (await conditions.get(Pedestals, [experiment, run])).mean,
            gains: (await conditions.get(Gains, [experiment, run])).gain,
            energy: (await conditions.get(SourceLine, [experiment, run])).energy,
          });
          const collected = await collectLine(job.files, channels, window, conditionsOf, job.signal);
          for (const { run, moments } of collected.entries()) record(run, 'line', moments);
        },
      },
    },
    algorithms: [
      {
        name: 'line',
        strategy,
        run: async ({ data, runs: used, conditions, commit, log }) => {
          const [first = [0, 0]] = used;
          const records: (readonly Moments[])[] = [];
          for await (const { value } of data.records<readonly Moments[]>('line')) records.push(value);
          const previous = await conditions.get(Gains, first);
          const fit = fitGains(records, previous.gain, { channels, window, minEntries, tolerance });
          if (fit.result === 'failure') throw new Error(fit.reason);
          if (fit.result === 'not-enough-data') {
            log(fit.reason);
            return fit.result;
          }
          log(`largest change of a gain: ${(100 * fit.change).toFixed(3)} %`, { change: fit.change });
          commit(Gains, fit.values);
          return fit.result;
        },
      },
    ],
  });
}
