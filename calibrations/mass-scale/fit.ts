// From a fitted dimuon peak to a momentum scale: merging runs, the scale itself, convergence. Pure functions; energies in GeV.
import { type Peak, Z_MASS } from './peak.ts';

/** What collectors record of one data run: masses with `scale` already applied. */
export interface Dimuons {
  readonly scale: number;
  /** GeV */
  readonly mass: readonly number[];
  /** Transverse momenta of both muons, one pair per candidate, GeV. */
  readonly pt: readonly (readonly [number, number])[];
}

export interface Momentum {
  /** Factor on measured momenta; 1 = as reconstructed. */
  readonly scale: number;
  readonly error: number;
}

/**
 * Masses of all runs under one common scale. Runs merged into one interval may have been collected with different scales;
 * the mass of a pair of massless muons is proportional to the scale, so each is brought to the mean, weighted with the candidates.
 */
export function mergeDimuons(runs: readonly Dimuons[]): Dimuons {
  const candidates = runs.reduce((sum, run) => sum + run.mass.length, 0);
  const scale = candidates === 0 ? 1 : runs.reduce((sum, run) => sum + run.scale * run.mass.length, 0) / candidates;
  return {
    scale,
    mass: runs.flatMap((run) => (run.scale === scale ? run.mass : run.mass.map((mass) => (mass / run.scale) * scale))),
    pt: runs.flatMap((run) => run.pt),
  };
}

/** The scale that puts the peak at `reference`: previous scale x reference / peak, with the error of the peak. */
export function momentumScale(previous: number, peak: Pick<Peak, 'peak' | 'peakError'>, reference = Z_MASS): Momentum {
  const scale = (previous * reference) / peak.peak;
  return { scale, error: (scale * peak.peakError) / peak.peak };
}

/** Converged when one more iteration moved the scale by less than `fraction` of its statistical error. */
export function scaleConverged(previous: number, next: Momentum, fraction = 0.1): boolean {
  return Math.abs(next.scale - previous) < fraction * next.error;
}
