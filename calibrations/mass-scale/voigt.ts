// The Voigt profile, a Lorentz line seen with Gaussian resolution, and its derivatives, through the Faddeeva function.

type Complex = readonly [real: number, imaginary: number];

const TERMS = 32;
const LENGTH = Math.sqrt(TERMS / Math.SQRT2);
const COEFFICIENTS = weidemanCoefficients();

/**
 * Faddeeva function w(z) = exp(-z^2) erfc(-iz) for Im z >= 0.
 * Rational approximation of J. A. C. Weideman, SIAM J. Numer. Anal. 31 (1994) 1497, with 32 terms: absolute error below 1e-11.
 */
export function faddeeva(real: number, imaginary: number): Complex {
  const denominator: Complex = [LENGTH + imaginary, -real];
  const ratio = divide([LENGTH - imaginary, real], denominator);
  let sum: Complex = [0, 0];
  for (const coefficient of COEFFICIENTS) {
    const next = multiply(sum, ratio);
    sum = [next[0] + coefficient, next[1]];
  }
  const first = divide([2 * sum[0], 2 * sum[1]], multiply(denominator, denominator));
  const second = divide([1 / Math.sqrt(Math.PI), 0], denominator);
  return [first[0] + second[0], first[1] + second[1]];
}

export interface VoigtPoint {
  /** Density, normalised to 1 over the whole axis, in 1 / unit of x. */
  readonly value: number;
  /** d value / d x */
  readonly byX: number;
  /** d value / d sigma */
  readonly bySigma: number;
}

/**
 * Lorentz line of full width at half maximum `width`, centred at 0, convolved with a Gaussian of standard deviation `sigma` > 0.
 * V(x) = Re w(z) / (sigma sqrt(2 pi)) with z = (x + i width / 2) / (sigma sqrt 2); the derivatives follow from w' = -2 z w + 2i / sqrt(pi).
 */
export function voigt(x: number, sigma: number, width: number): VoigtPoint {
  const scale = 1 / (sigma * Math.SQRT2);
  const z: Complex = [x * scale, (width / 2) * scale];
  const w = faddeeva(z[0], z[1]);
  const zw = multiply(z, w);
  const slope: Complex = [-2 * zw[0], -2 * zw[1] + 2 / Math.sqrt(Math.PI)];
  const norm = scale / Math.sqrt(Math.PI);
  return {
    value: norm * w[0],
    byX: norm * scale * slope[0],
    bySigma: (-norm * (w[0] + multiply(slope, z)[0])) / sigma,
  };
}

/** Highest power first, as Horner's scheme wants them: the Fourier coefficients of exp(-t^2) (L^2 + t^2) with t = L tan(theta / 2). */
function weidemanCoefficients(): readonly number[] {
  const points = 2 * TERMS;
  return Array.from({ length: TERMS }, (_, index) => {
    const order = TERMS - index;
    let sum = 0;
    for (let k = 1 - points; k < points; k += 1) {
      const theta = (k * Math.PI) / points;
      const t = LENGTH * Math.tan(theta / 2);
      sum += Math.exp(-t * t) * (LENGTH * LENGTH + t * t) * Math.cos(order * theta);
    }
    return sum / (2 * points);
  });
}

function multiply(a: Complex, b: Complex): Complex {
  return [a[0] * b[0] - a[1] * b[1], a[0] * b[1] + a[1] * b[0]];
}

function divide(a: Complex, b: Complex): Complex {
  const norm = b[0] * b[0] + b[1] * b[1];
  return [(a[0] * b[0] + a[1] * b[1]) / norm, (a[1] * b[0] - a[0] * b[1]) / norm];
}
