// Momentum scale from the mass peak of Z -> mu mu; iterates until the scale stands still.
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
import { collectDimuons, type DimuonSelection, SELECTION } from './collect.ts';
import { type Dimuons, mergeDimuons, momentumScale, scaleConverged } from './fit.ts';
import { fitPeak, PEAK_DEFAULTS, type PeakOptions } from './peak.ts';

/** Multiply measured momenta by `scale`. Masses and momenta in GeV; errors are statistical, one standard deviation. */
export const MomentumScale = definePayload(
  'MomentumScale',
  z.object({
    scale: z.number().positive(),
    error: z.number().nonnegative(),
    /** Position of the peak with the previous scale applied, and its error. */
    peak: z.number(),
    peakError: z.number().nonnegative(),
    chi2: z.number(),
    ndf: z.int(),
    candidates: z.int().nonnegative(),
    /** Mean transverse momentum of the muons: where the scale was measured. */
    meanPt: z.number(),
  }),
);

export interface MassScaleOptions
  extends Partial<Omit<CalibrationOptions, 'collections' | 'algorithms'>>,
    Pick<CollectionOptions, 'files' | 'runs' | 'split' | 'resources'> {
  /** The experiment number of the files' runs. */
  readonly experiment: number;
  /** Candidates that an interval needs; runs are merged until they have them. Default 400. */
  readonly minCandidates?: number;
  readonly selection?: Partial<DimuonSelection>;
  /** The fit: reference mass, half width of the window and natural width in GeV. Defaults: 91.1876, 10, 2.4952. */
  readonly peak?: Partial<PeakOptions>;
  /** Converged when the scale moved by less than this fraction of its statistical error. Default 0.1. */
  readonly tolerance?: number;
  /** Default `sequentialRunByRun()`. */
  readonly strategy?: Strategy;
}

/**
 * Files: CSV with the columns of the CMS open data, Run, pt1, eta1, phi1, Q1, pt2, eta2, phi2, Q2 (momenta in GeV).
 * Starts from `MomentumScale` in the conditions, or from 1 where there is none. All options of a calibration can be given too; maxIterations is 10.
 */
export function massScale(options: MassScaleOptions): Calibration {
  const { files, runs, split, resources, experiment, minCandidates = 400, selection, peak, tolerance = 0.1, ...rest } = options;
  const { strategy = sequentialRunByRun(), name = 'mass-scale', maxIterations = 10, ...others } = rest;
  const fitOptions: PeakOptions = { ...PEAK_DEFAULTS, ...peak };
  return defineCalibration({
    ...others,
    name,
    maxIterations,
    collections: { dimuons: dimuonCollection({ files, runs, split, resources, experiment, selection }) },
    algorithms: [
      {
        name: 'peak',
        strategy,
        run: async ({ data, commit, log }) => {
          const records: Dimuons[] = [];
          for await (const { value } of data.records<Dimuons>('dimuons')) records.push(value);
          const { scale: previous, mass, pt } = mergeDimuons(records);
          if (mass.length < minCandidates) {
            log(`${mass.length} candidates; at least ${minCandidates} are needed`);
            return 'not-enough-data';
          }
          const fit = fitPeak(mass, fitOptions);
          if (!fit.ok) throw new Error(fit.reason);
          const { peak: position, peakError, chi2, ndf } = fit.value;
          const next = momentumScale(previous, fit.value, fitOptions.reference);
          const meanPt = pt.flat().reduce((sum, value) => sum + value, 0) / (2 * pt.length);
          commit(MomentumScale, { ...next, peak: position, peakError, chi2, ndf, candidates: mass.length, meanPt });
          log(
            `peak at ${position.toFixed(3)} ± ${peakError.toFixed(3)} GeV, chi2/ndf ${chi2.toFixed(1)}/${ndf}, scale ${next.scale.toFixed(5)}`,
          );
          return scaleConverged(previous, next, tolerance) ? 'ok' : 'iterate';
        },
      },
    ],
  });
}

export interface DimuonCollectionOptions extends Pick<CollectionOptions, 'files' | 'runs' | 'split' | 'resources'> {
  readonly experiment: number;
  readonly selection?: Partial<DimuonSelection> | undefined;
}

/** Candidates per run with the scale of the conditions applied: the collection of this calibration and of mass-resolution. */
export function dimuonCollection({ experiment, selection, runs, ...options }: DimuonCollectionOptions): CollectionOptions {
  return {
    ...options,
    runs: runs ?? (() => [experiment, 0, experiment, -1]),
    collect: async ({ files, conditions, record, signal }) => {
      const scaleOf = async (run: number) => (await conditions.find(MomentumScale, [experiment, run]))?.scale ?? 1;
      const collected = await collectDimuons(files, { ...SELECTION, ...selection }, scaleOf, signal);
      for (const [run, dimuons] of collected) record([experiment, run], 'dimuons', dimuons);
    },
  };
}
