// Gain per channel from the line of a calibration source, by a truncated mean. Pure functions; energies in keV.
import { deviation, type Moments, mergeChannels } from '../moments.ts';

export interface GainValues {
  /** ADC counts per keV. */
  readonly gain: number[];
  /** One standard deviation, statistical, ADC counts per keV. */
  readonly error: number[];
}

export type GainResult =
  | {
      readonly result: 'ok' | 'iterate';
      readonly values: GainValues;
      /** Largest |new / old - 1| of all channels. */
      readonly change: number;
    }
  | { readonly result: 'not-enough-data'; readonly reason: string }
  | { readonly result: 'failure'; readonly reason: string };

export interface GainOptions {
  readonly channels: number;
  /** Half width of the window, as a fraction of the line's energy. */
  readonly window: number;
  readonly minEntries: number;
  /** Converged when no gain changed by more than this fraction. */
  readonly tolerance: number;
}

/**
 * The gain of an entry, (adc - pedestal) / energy of the line, or null where it lies outside the window, which is
 * centred where the previous gain expects the line.
 */
export function gainOfEntry(adc: number, pedestal: number, energy: number, previousGain: number, window: number): number | null {
  const gain = (adc - pedestal) / energy;
  return Math.abs(gain / previousGain - 1) < window ? gain : null;
}

/**
 * New gains: the mean of the entries inside the window. Once it lies in the centre of its window it is the position of a symmetric line.
 * Any channel with too few entries: not enough data. A channel whose entries are spread evenly over the window shows no line: failure.
 */
export function fitGains(records: readonly (readonly Moments[])[], previous: readonly number[], options: GainOptions): GainResult {
  if (previous.length !== options.channels) {
    return { result: 'failure', reason: `the previous gains have ${previous.length} channels; expected ${options.channels}` };
  }
  const merged = mergeChannels(records, options.channels);
  const gain: number[] = [];
  const error: number[] = [];
  let change = 0;
  for (const [channel, moments] of merged.entries()) {
    const old = previous[channel] ?? Number.NaN;
    if (!(old > 0)) return { result: 'failure', reason: `the previous gain of channel ${channel} is ${old}` };
    if (moments.n < Math.max(options.minEntries, 2)) {
      return {
        result: 'not-enough-data',
        reason: `channel ${channel} has ${moments.n} entries in its window; at least ${Math.max(options.minEntries, 2)} are needed`,
      };
    }
    const spread = deviation(moments);
    const kept = keptInformation((options.window * old) / spread);
    if (kept === null) {
      return {
        result: 'failure',
        reason: `channel ${channel} shows no line: its ${moments.n} entries have a spread of ${((100 * spread) / old).toFixed(2)} % in a window of ±${100 * options.window} %`,
      };
    }
    gain.push(moments.mean);
    error.push(spread / Math.sqrt(moments.n) / kept);
    change = Math.max(change, Math.abs(moments.mean / old - 1));
  }
  return { result: change < options.tolerance ? 'ok' : 'iterate', values: { gain, error }, change };
}

/**
 * 1 - lambda, where lambda = 2 k phi(k) / (2 Phi(k) - 1) is how far a truncated mean follows its window, for a Gaussian line cut at
 * k standard deviations on either side. A window that is off by d leaves a mean that is off by lambda d, so iterations
 * converge by this factor; and the fixed point has the error of the truncated mean / (1 - lambda) (the metrically trimmed mean:
 * P. J. Huber, Robust Statistics, Wiley 1981, chapter 3: variance E psi^2 / (E psi')^2).
 * `ratio` = half width / standard deviation inside the window = k / sqrt(1 - lambda); k is found by bisection.
 * Null for a ratio up to that of an even spread, sqrt 3: there is no line.
 */
export function keptInformation(ratio: number): number | null {
  const kept = (k: number): number => 1 - (Math.sqrt(2 / Math.PI) * k * Math.exp((-k * k) / 2)) / erf(k / Math.SQRT2);
  let [low, high] = [0.3, 20];
  if (Number.isNaN(ratio) || ratio <= low / Math.sqrt(kept(low))) return null;
  if (ratio >= high) return 1;
  for (let step = 0; step < 60; step += 1) {
    const k = (low + high) / 2;
    if (k / Math.sqrt(kept(k)) < ratio) low = k;
    else high = k;
  }
  return kept(low);
}

/** Error function by the series 2 / sqrt(pi) exp(-x^2) sum 2^n x^(2n+1) / (2n+1)!!, all of one sign: Abramowitz and Stegun 7.1.6. */
export function erf(x: number): number {
  if (Math.abs(x) > 6) return Math.sign(x);
  let term = x;
  let sum = x;
  for (let n = 1; Math.abs(term) > 1e-17 * Math.abs(sum); n += 1) {
    term *= (2 * x * x) / (2 * n + 1);
    sum += term;
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
}
