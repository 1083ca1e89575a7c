// Fits the dimuon peak of the Z boson: maximum likelihood in a window that follows the peak. Pure functions; masses and widths in GeV.
import { levenbergMarquardt } from 'ml-levenberg-marquardt';
import { voigt } from './voigt.ts';

/** Mass and full width of the Z boson in GeV: the combined fit of LEP and SLD of 2006, as in the listings of the Particle Data Group (pdglive.lbl.gov). */
export const Z_MASS = 91.1876;
export const Z_WIDTH = 2.4952;

export interface PeakOptions {
  /** Where the window is centred first, GeV. */
  readonly reference: number;
  /** Half width of the window, GeV; a whole number of GeV keeps the bins of the quality test equal. */
  readonly halfWidth: number;
  /** Full width at half maximum of the line without resolution, GeV; not fitted. */
  readonly naturalWidth: number;
}

export const PEAK_DEFAULTS: PeakOptions = { reference: Z_MASS, halfWidth: 10, naturalWidth: Z_WIDTH };

/** All errors are one standard deviation, statistical. */
export interface Peak {
  /** GeV */
  readonly peak: number;
  readonly peakError: number;
  /** Standard deviation of the Gaussian resolution, natural width unfolded, GeV. */
  readonly resolution: number;
  readonly resolutionError: number;
  /** Candidates of the peak, over the whole axis; and of the background, mean per GeV of the window. */
  readonly signal: number;
  readonly background: number;
  /** Likelihood-ratio chi-square in bins of 1 GeV. */
  readonly chi2: number;
  readonly ndf: number;
  /** Entries inside the window. */
  readonly candidates: number;
  readonly window: readonly [low: number, high: number];
}

export type PeakResult = { readonly ok: true; readonly value: Peak } | { readonly ok: false; readonly reason: string };

const BIN_WIDTH = 0.1;
const BINS_OF_TEST = 10;
const MAX_PASSES = 50;
const MAX_MOVES = 20;
/** The window rests when the peak is this near to its centre, GeV: far more than statistics move it, far less than the half width. */
const REST = 1;
/** A resolution below this cannot be told from none with a line 2.5 GeV wide. */
const LEAST_RESOLUTION = 0.05;
const [SIGNAL, SHIFT, SIGMA, LEFT, RIGHT] = [0, 1, 2, 3, 4] as const;

/**
 * Extended maximum-likelihood fit of a Voigt profile on a straight background, in bins of 0.1 GeV inside a window that follows the peak.
 * The slope of the background takes up the radiative tail below the peak, which would pull the position down.
 * Fails, with a reason, where there is no peak: fewer than 20 candidates, no width, no convergence, a peak outside its window.
 */
export function fitPeak(masses: readonly number[], options: PeakOptions = PEAK_DEFAULTS): PeakResult {
  const bad = masses.findIndex((mass) => !Number.isFinite(mass));
  if (bad !== -1) return failed(`mass ${bad + 1} of ${masses.length} is ${masses[bad]}, not a finite number`);
  let centre = options.reference;
  for (let move = 0; move < MAX_MOVES; move += 1) {
    const fit = fitWindow(masses, centre, options);
    if (!fit.ok) return fit;
    const distance = fit.value.peak - centre;
    if (Math.abs(distance) < REST) return fit;
    // A peak beyond the border is a guess: go no further than the border. Whole bins, so that small moves cannot change the binning.
    const step = Math.max(-options.halfWidth, Math.min(options.halfWidth, distance));
    centre += Math.round(step / BIN_WIDTH) * BIN_WIDTH;
  }
  return failed(`no peak found: the window did not come to rest within ${MAX_MOVES} moves; last centre ${centre.toFixed(2)} GeV`);
}

function fitWindow(masses: readonly number[], centre: number, options: PeakOptions): PeakResult {
  const histogram = fill(masses, centre - options.halfWidth, centre + options.halfWidth);
  const candidates = histogram.counts.reduce((sum, count) => sum + count, 0);
  const [low, high] = histogram.window;
  const where = `between ${low.toFixed(2)} and ${high.toFixed(2)} GeV`;
  if (candidates < 20) return failed(`${candidates} candidates ${where}; a fit needs at least 20`);
  const fullest = Math.max(...histogram.counts);
  if (fullest > candidates / 2) return failed(`${fullest} of ${candidates} candidates ${where} lie in one bin of ${BIN_WIDTH} GeV`);

  const model = peakModel(candidates, centre, options);
  const fit = maximiseLikelihood(histogram, model, startValues(histogram));
  if (typeof fit === 'string') return failed(`the fit to ${candidates} candidates ${where} ${fit}`);
  const { values, errors } = fit;
  return {
    ok: true,
    value: {
      peak: centre + at(values, SHIFT),
      peakError: at(errors, SHIFT),
      resolution: at(values, SIGMA),
      resolutionError: at(errors, SIGMA),
      signal: at(values, SIGNAL) * candidates,
      background: ((at(values, LEFT) + at(values, RIGHT)) * candidates) / 2 / (high - low),
      ...quality(histogram, model, values, fit.free.length),
      candidates,
      window: [low, high],
    },
  };
}

interface Histogram {
  readonly centres: readonly number[];
  readonly counts: readonly number[];
  readonly window: readonly [low: number, high: number];
}

function fill(masses: readonly number[], low: number, high: number): Histogram {
  const bins = Math.round((high - low) / BIN_WIDTH);
  const counts = new Array<number>(bins).fill(0);
  for (const mass of masses) {
    const bin = Math.floor((mass - low) / BIN_WIDTH);
    if (bin >= 0 && bin < bins) counts[bin] = (counts[bin] ?? 0) + 1;
  }
  return { centres: counts.map((_, bin) => low + (bin + 0.5) * BIN_WIDTH), counts, window: [low, high] };
}

/** Expected count of a bin and its derivatives by the parameters [signal / n, peak - centre, sigma, background / n at the left and at the right border]: all of order 1. */
interface Model {
  expected(values: readonly number[], mass: number): number;
  gradient(values: readonly number[], mass: number): readonly number[];
}

function peakModel(candidates: number, centre: number, options: PeakOptions): Model {
  const flat = (candidates * BIN_WIDTH) / (2 * options.halfWidth);
  const perBin = candidates * BIN_WIDTH;
  /** 0 at the left border of the window, 1 at the right. */
  const toRight = (mass: number): number => (mass - centre) / (2 * options.halfWidth) + 0.5;
  const profile = (values: readonly number[], mass: number) =>
    voigt(mass - centre - at(values, SHIFT), Math.max(at(values, SIGMA), LEAST_RESOLUTION), options.naturalWidth);
  return {
    expected: (values, mass) => {
      const right = toRight(mass);
      return (
        perBin * at(values, SIGNAL) * profile(values, mass).value + flat * ((1 - right) * at(values, LEFT) + right * at(values, RIGHT))
      );
    },
    gradient: (values, mass) => {
      const { value, byX, bySigma } = profile(values, mass);
      const signal = perBin * at(values, SIGNAL);
      const right = toRight(mass);
      return [perBin * value, -signal * byX, signal * bySigma, flat * (1 - right), flat * right];
    },
  };
}

/** Start on the densest GeV of the window, with a resolution of the size of the natural width. */
function startValues({ counts, window: [low, high] }: Histogram): readonly number[] {
  let densest = 0;
  let most = -1;
  for (let bin = 0; bin + BINS_OF_TEST <= counts.length; bin += 1) {
    let sum = 0;
    for (let next = bin; next < bin + BINS_OF_TEST; next += 1) sum += at(counts, next);
    if (sum > most) [densest, most] = [bin, sum];
  }
  return [1, low + (densest + BINS_OF_TEST / 2) * BIN_WIDTH - (low + high) / 2, 1.5, 0.1, 0.1];
}

interface Likelihood {
  readonly values: readonly number[];
  /** 0 for a parameter that ended at its bound. */
  readonly errors: readonly number[];
  readonly free: readonly number[];
}

/**
 * Poisson maximum likelihood by iteratively reweighted least squares: with weights 1 / expected, taken from the pass before, the normal equations
 * at the fixed point are the likelihood equations (A. Charnes, E. L. Frome and P. L. Yu, J. Am. Stat. Assoc. 71 (1976) 169), so bins with few entries or none
 * bias nothing. The data are whitened here, and the library fits with unit weights. Errors: inverse of the Fisher information.
 * A background that wants to be negative at a border is fixed at none there, and the fit is done again with the others. Gives a reason where it fails.
 */
function maximiseLikelihood(histogram: Histogram, model: Model, start: readonly number[]): Likelihood | string {
  let free: readonly number[] = [SIGNAL, SHIFT, SIGMA, LEFT, RIGHT];
  while (true) {
    const values = reweightedFit(histogram, model, start, free);
    if (values === null) return 'does not converge';
    if (at(values, SIGNAL) <= 0) return 'finds no signal';
    if (at(values, SIGMA) <= LEAST_RESOLUTION) return 'finds a line narrower than its natural width';
    const inside = free.filter((parameter) => (parameter !== LEFT && parameter !== RIGHT) || at(values, parameter) > 0);
    if (inside.length < free.length) {
      free = inside;
      continue;
    }
    const covariance = invert(information(histogram, model, values, free));
    if (covariance === null) return 'leaves a parameter undetermined';
    const errors = values.map((_, parameter) => {
      const index = free.indexOf(parameter);
      return index === -1 ? 0 : Math.sqrt(at(covariance[index] ?? [], index));
    });
    return errors.every(Number.isFinite) ? { values, errors, free } : 'leaves a parameter undetermined';
  }
}

function reweightedFit(
  { centres, counts }: Histogram,
  model: Model,
  start: readonly number[],
  free: readonly number[],
): readonly number[] | null {
  const whole = (part: readonly number[]) =>
    start.map((_, parameter) => {
      const index = free.indexOf(parameter);
      return index === -1 ? 0 : at(part, index);
    });
  const bins = counts.map((_, bin) => bin);
  let part = free.map((parameter) => at(start, parameter));
  for (let pass = 0; pass < MAX_PASSES; pass += 1) {
    const values = whole(part);
    // An expectation near 0 would let one entry decide; a hundredth of an entry is far below any density the window can have.
    const norm = centres.map((mass) => 1 / Math.sqrt(Math.max(model.expected(values, mass), 0.01)));
    const fitted = levenbergMarquardt(
      { x: bins, y: counts.map((count, bin) => count * at(norm, bin)) },
      (tried) => {
        const current = whole(tried);
        return (bin) => model.expected(current, at(centres, bin)) * at(norm, bin);
      },
      {
        initialValues: part,
        minValues: free.map((parameter) => at([0, -Infinity, LEAST_RESOLUTION, 0, 0], parameter)),
        maxValues: free.map((parameter) => at([Infinity, Infinity, 50, Infinity, Infinity], parameter)),
        maxIterations: 8,
        jacobianFunction: (tried) => {
          const current = whole(tried);
          return (bin) => {
            const gradient = model.gradient(current, at(centres, bin));
            return free.map((parameter) => at(gradient, parameter) * at(norm, bin));
          };
        },
      },
    ).parameterValues;
    if (!fitted.every(Number.isFinite)) return null;
    const change = Math.max(...fitted.map((value, index) => Math.abs(value - at(part, index))));
    part = fitted;
    if (change < 1e-7) return whole(part);
  }
  return null;
}

/** Fisher information of Poisson counts: sum over bins of (d expected / d a) (d expected / d b) / expected. */
function information({ centres }: Histogram, model: Model, values: readonly number[], free: readonly number[]): number[][] {
  const matrix = free.map(() => free.map(() => 0));
  for (const mass of centres) {
    const expected = model.expected(values, mass);
    const gradient = model.gradient(values, mass);
    matrix.forEach((row, a) => {
      free.forEach((parameter, b) => {
        row[b] = at(row, b) + (at(gradient, at(free, a)) * at(gradient, parameter)) / expected;
      });
    });
  }
  return matrix;
}

/** chi2 = 2 sum (expected - n + n ln(n / expected)): Baker and Cousins, Nucl. Instrum. Meth. 221 (1984) 437. Bins of 1 GeV, since it needs a few entries per bin. */
function quality(
  { centres, counts }: Histogram,
  model: Model,
  values: readonly number[],
  parameters: number,
): { readonly chi2: number; readonly ndf: number } {
  let chi2 = 0;
  let bins = 0;
  for (let first = 0; first < counts.length; first += BINS_OF_TEST) {
    const inside = centres.slice(first, first + BINS_OF_TEST);
    const expected = inside.reduce((sum, mass) => sum + model.expected(values, mass), 0);
    const count = inside.reduce((sum, _, bin) => sum + at(counts, first + bin), 0);
    chi2 += 2 * (expected - count + (count === 0 ? 0 : count * Math.log(count / expected)));
    bins += 1;
  }
  return { chi2, ndf: bins - parameters };
}

/** Inverse by Gauss-Jordan elimination with pivoting; null for a singular matrix. */
function invert(matrix: readonly (readonly number[])[]): number[][] | null {
  const size = matrix.length;
  const rows = matrix.map((row, index) => [...row, ...row.map((_, column) => (column === index ? 1 : 0))]);
  for (let column = 0; column < size; column += 1) {
    let pivot = column;
    for (let row = column + 1; row < size; row += 1)
      if (Math.abs(at(rows[row] ?? [], column)) > Math.abs(at(rows[pivot] ?? [], column))) pivot = row;
    const chosen = rows[pivot];
    const replaced = rows[column];
    if (chosen === undefined || replaced === undefined || Math.abs(at(chosen, column)) < 1e-12) return null;
    rows[pivot] = replaced;
    const unit = chosen.map((value) => value / at(chosen, column));
    rows[column] = unit;
    rows.forEach((row, index) => {
      if (index !== column) rows[index] = row.map((value, k) => value - at(row, column) * at(unit, k));
    });
  }
  return rows.map((row) => row.slice(size));
}

const failed = (reason: string): PeakResult => ({ ok: false, reason });

/** Index arithmetic stays inside the arrays; a slip shows as NaN, which every caller checks. */
const at = (values: readonly number[], index: number): number => values[index] ?? Number.NaN;
