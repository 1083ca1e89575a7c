// Pedestal mean and noise per channel from merged moments. Pure functions; everything in ADC counts.
import { deviation, type Moments, mergeChannels } from '../moments.ts';

export interface PedestalValues {
  /** Mean of the samples, ADC counts. */
  readonly mean: number[];
  /** Standard deviation of the samples (n - 1), ADC counts. The error of the mean is noise / sqrt(entries). */
  readonly noise: number[];
  readonly entries: number[];
}

export type PedestalResult =
  | { readonly result: 'ok'; readonly values: PedestalValues }
  | { readonly result: 'not-enough-data'; readonly reason: string }
  | { readonly result: 'failure'; readonly reason: string };

/** Merges the records of some runs. Too few samples in any channel: not enough data, so that a strategy can add the next runs. */
export function fitPedestals(records: readonly (readonly Moments[])[], channels: number, minEntries: number): PedestalResult {
  const merged = mergeChannels(records, channels);
  const poor = merged.findIndex(({ n }) => n < Math.max(minEntries, 2));
  if (poor !== -1) {
    return {
      result: 'not-enough-data',
      reason: `channel ${poor} has ${merged[poor]?.n} samples; at least ${Math.max(minEntries, 2)} are needed`,
    };
  }
  const bad = merged.findIndex((moments) => !Number.isFinite(moments.mean) || !(moments.m2 >= 0) || !Number.isFinite(moments.m2));
  if (bad !== -1) return { result: 'failure', reason: `channel ${bad} has samples that are not finite numbers` };
  return {
    result: 'ok',
    values: { mean: merged.map(({ mean }) => mean), noise: merged.map(deviation), entries: merged.map(({ n }) => n) },
  };
}
