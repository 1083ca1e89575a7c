// From a fitted dimuon peak to the mass resolution. Pure functions; masses and widths in GeV.
import type { Peak } from '../mass-scale/peak.ts';

export interface ResolutionValues {
  /** Standard deviation of the Gaussian part of the peak, GeV: the natural width is unfolded. */
  readonly resolution: number;
  readonly error: number;
  /** resolution / peak. */
  readonly relative: number;
  readonly relativeError: number;
  /** Full width at half maximum of the peak as seen, natural width and resolution together, GeV. */
  readonly fullWidth: number;
  /** Full width at half maximum of the line without resolution that was unfolded, GeV. */
  readonly naturalWidth: number;
}

/** The width of a Voigt profile: J. J. Olivero and R. L. Longbothum, J. Quant. Spectrosc. Radiat. Transf. 17 (1977) 233; good to 0.02 %. */
export function voigtFullWidth(sigma: number, naturalWidth: number): number {
  const gaussian = 2 * Math.sqrt(2 * Math.LN2) * sigma;
  return 0.5346 * naturalWidth + Math.sqrt(0.2166 * naturalWidth ** 2 + gaussian ** 2);
}

export function resolutionOf({ peak, resolution, resolutionError }: Peak, naturalWidth: number): ResolutionValues {
  return {
    resolution,
    error: resolutionError,
    relative: resolution / peak,
    relativeError: resolutionError / peak,
    fullWidth: voigtFullWidth(resolution, naturalWidth),
    naturalWidth,
  };
}
