// Mass resolution at the Z peak, measured with the momentum scale applied; the natural width of the Z is unfolded.
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
import type { DimuonSelection } from '../mass-scale/collect.ts';
import type { Dimuons } from '../mass-scale/fit.ts';
import { fitPeak, PEAK_DEFAULTS, type PeakOptions } from '../mass-scale/peak.ts';
import { dimuonCollection } from './collect.ts';
import { resolutionOf } from './fit.ts';

/** `resolution` has the natural width unfolded; `fullWidth` has not. GeV; errors are statistical, one standard deviation. */
export const MassResolution = definePayload(
  'MassResolution',
  z.object({
    resolution: z.number().positive(),
    error: z.number().nonnegative(),
    relative: z.number().positive(),
    relativeError: z.number().nonnegative(),
    fullWidth: z.number().positive(),
    naturalWidth: z.number().nonnegative(),
    peak: z.number(),
    peakError: z.number().nonnegative(),
    chi2: z.number(),
    ndf: z.int(),
    candidates: z.int().nonnegative(),
  }),
);

export interface MassResolutionOptions
  extends Partial<Omit<CalibrationOptions, 'collections' | 'algorithms'>>,
    Pick<CollectionOptions, 'files' | 'runs' | 'split' | 'resources'> {
  /** The experiment number of the files' runs. */
  readonly experiment: number;
  /** Candidates that an interval needs; runs are merged until they have them. Default 2000: widths need more than positions. */
  readonly minCandidates?: number;
  readonly selection?: Partial<DimuonSelection>;
  /** The fit: reference mass, half width of the window and natural width in GeV. Defaults: 91.1876, 10, 2.4952. */
  readonly peak?: Partial<PeakOptions>;
  /** Default `sequentialRunByRun()`. */
  readonly strategy?: Strategy;
}

/** Files as for `massScale`, on which it should depend: without it, runs with different scales widen the peak. Never iterates. */
export function massResolution(options: MassResolutionOptions): Calibration {
  const { files, runs, split, resources, experiment, minCandidates = 2000, selection, peak: fitOptions, ...rest } = options;
  const { strategy = sequentialRunByRun(), name = 'mass-resolution', ...others } = rest;
  const peakOptions: PeakOptions = { ...PEAK_DEFAULTS, ...fitOptions };
  return defineCalibration({
    ...others,
    name,
    collections: { dimuons: dimuonCollection({ files, runs, split, resources, experiment, selection }) },
    algorithms: [
      {
        name: 'width',
        strategy,
        run: async ({ data, commit, log }) => {
          const masses: number[] = [];
          // Each run keeps the scale it was collected with: that is the scale whose resolution is measured.
          for await (const { value } of data.records<Dimuons>('dimuons')) masses.push(...value.mass);
          if (masses.length < minCandidates) {
            log(`${masses.length} candidates; at least ${minCandidates} are needed`);
            return 'not-enough-data';
          }
          const fit = fitPeak(masses, peakOptions);
          if (!fit.ok) throw new Error(fit.reason);
          const { peak, peakError, chi2, ndf } = fit.value;
          const values = resolutionOf(fit.value, peakOptions.naturalWidth);
          commit(MassResolution, { ...values, peak, peakError, chi2, ndf, candidates: masses.length });
          log(`resolution ${values.resolution.toFixed(3)} ± ${values.error.toFixed(3)} GeV, chi2/ndf ${chi2.toFixed(1)}/${ndf}`);
          return 'ok';
        },
      },
    ],
  });
}
