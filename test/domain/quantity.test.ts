// Sizes and durations: what is read, what is refused, what is shown.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatDuration, formatSize, parseDuration, parseSize } from '../../src/domain/quantity.ts';

describe('sizes', () => {
  test.each([
    ['2 GB', 2e9],
    ['2GB', 2e9],
    ['1.5 gb', 1.5e9],
    ['512 MiB', 512 * 2 ** 20],
    ['1 KB', 1000],
    ['7 B', 7],
    [' 3 TB ', 3e12],
  ])('%j is %d bytes', (text, bytes) => {
    expect(parseSize(text)).toBe(bytes);
  });

  test.each(['', '2', 'GB', '-2 GB', '2 GB 1 MB', '2 GX', '1e9 B', '2,5 GB', 'NaN GB', '99999999 TB'])('%j is not a size', (text) => {
    expect(parseSize(text)).toBeNull();
  });

  test('a size that is shown is read as the same size, to three digits', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1e15 }), (bytes) => {
        const again = parseSize(formatSize(bytes)) ?? Number.NaN;
        expect(Math.abs(again - bytes) / bytes).toBeLessThanOrEqual(0.005);
      }),
    );
  });
});

describe('durations', () => {
  test.each([
    ['1 h', 3_600_000],
    ['90 s', 90_000],
    ['1 h 30 min', 5_400_000],
    ['1h30m', 5_400_000],
    ['250 ms', 250],
    ['2 d', 172_800_000],
    ['0.5 h', 1_800_000],
  ])('%j is %d ms', (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });

  test.each(['', '1', 'h', '1 hour', '-1 h', '1 h x', 'x 1 h', '1:30', '1 h, 2 s'])('%j is not a duration', (text) => {
    expect(parseDuration(text)).toBeNull();
  });

  test.each([
    [0, '0 ms'],
    [999, '999 ms'],
    [1500, '1.5 s'],
    [60_000, '1 min'],
    [90_000, '1 min 30 s'],
    [3_600_000, '1 h'],
    [5_400_000, '1 h 30 min'],
    [90_061_000, '1 d 1 h'],
  ])('%d ms is shown as %j', (ms, text) => {
    expect(formatDuration(ms)).toBe(text);
  });
});
