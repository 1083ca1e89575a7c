// Seeded random numbers for toys: the same on every machine.

export interface Random {
  /** Uniform in (0, 1). */
  uniform(): number;
  /** Mean 0, standard deviation 1. */
  gauss(): number;
  /** Full width at half maximum 1, centred at 0. */
  lorentz(): number;
}

/** mulberry32 and the Box-Muller transform. */
export function random(seed: number): Random {
  let state = seed >>> 0;
  const uniform = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (((t ^ (t >>> 14)) >>> 0) + 0.5) / 4294967296;
  };
  return {
    uniform,
    gauss: () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform()),
    lorentz: () => 0.5 * Math.tan(Math.PI * (uniform() - 0.5)),
  };
}

export const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

export function standardDeviation(values: readonly number[]): number {
  const centre = mean(values);
  return Math.sqrt(values.reduce((sum, value) => sum + (value - centre) ** 2, 0) / (values.length - 1));
}
