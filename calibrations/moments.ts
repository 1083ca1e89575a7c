// Number of entries, mean and sum of squared deviations of a sample: computed stably, and mergeable.

export interface Moments {
  readonly n: number;
  readonly mean: number;
  /** Sum of squared deviations from the mean. */
  readonly m2: number;
}

export const NO_ENTRIES: Moments = { n: 0, mean: 0, m2: 0 };

/**
 * One more entry: B. P. Welford, Technometrics 4 (1962) 419. Sums of squares would lose all digits of the variance
 * where the mean is much larger than the spread, as with pedestals.
 */
export function addEntry({ n, mean, m2 }: Moments, value: number): Moments {
  const difference = value - mean;
  const next = mean + difference / (n + 1);
  return { n: n + 1, mean: next, m2: m2 + difference * (value - next) };
}

/** Both samples together: T. F. Chan, G. H. Golub and R. J. LeVeque, Am. Stat. 37 (1983) 242. */
export function merge(a: Moments, b: Moments): Moments {
  if (a.n === 0) return b;
  if (b.n === 0) return a;
  const n = a.n + b.n;
  const difference = b.mean - a.mean;
  return { n, mean: a.mean + (difference * b.n) / n, m2: a.m2 + b.m2 + (difference * difference * a.n * b.n) / n };
}

/** Standard deviation with n - 1; NaN for fewer than two entries. */
export const deviation = ({ n, m2 }: Moments): number => (n < 2 ? Number.NaN : Math.sqrt(m2 / (n - 1)));

/** Channel by channel. Throws where the numbers of channels differ. */
export function mergeChannels(samples: readonly (readonly Moments[])[], channels: number): readonly Moments[] {
  const total = new Array<Moments>(channels).fill(NO_ENTRIES);
  for (const sample of samples) {
    if (sample.length !== channels) throw new Error(`A record has ${sample.length} channels; expected ${channels}`);
    sample.forEach((moments, channel) => {
      total[channel] = merge(total[channel] ?? NO_ENTRIES, moments);
    });
  }
  return total;
}

/** Moments per data run and channel, filled entry by entry. */
export class RunMoments {
  readonly #channels: number;
  readonly #runs = new Map<string, { readonly run: readonly [number, number]; readonly moments: Moments[] }>();

  constructor(channels: number) {
    this.#channels = channels;
  }

  /** Makes the run known, even if none of its entries will be accepted. */
  see(experiment: number, run: number): Moments[] {
    const key = `${experiment},${run}`;
    const known = this.#runs.get(key);
    if (known !== undefined) return known.moments;
    const moments = new Array<Moments>(this.#channels).fill(NO_ENTRIES);
    this.#runs.set(key, { run: [experiment, run], moments });
    return moments;
  }

  add(experiment: number, run: number, channel: number, value: number): void {
    const moments = this.see(experiment, run);
    moments[channel] = addEntry(moments[channel] ?? NO_ENTRIES, value);
  }

  /** In the order in which the runs were first seen. */
  entries(): readonly { readonly run: readonly [number, number]; readonly moments: readonly Moments[] }[] {
    return [...this.#runs.values()];
  }
}
