// Sizes and durations as users write them ('2 GB', '1 h') and as messages show them.

// Decimal units, as schedulers and disk vendors mean them; the binary ones have an i.
const SIZE_UNITS: ReadonlyMap<string, number> = new Map([
  ['b', 1],
  ['kb', 1e3],
  ['mb', 1e6],
  ['gb', 1e9],
  ['tb', 1e12],
  ['kib', 2 ** 10],
  ['mib', 2 ** 20],
  ['gib', 2 ** 30],
  ['tib', 2 ** 40],
]);

const DURATION_UNITS: ReadonlyMap<string, number> = new Map([
  ['ms', 1],
  ['s', 1e3],
  ['min', 60e3],
  ['m', 60e3],
  ['h', 3600e3],
  ['d', 86_400e3],
]);

const QUANTITY = /^(\d+(?:\.\d+)?) *([A-Za-z]+)$/;

function parseQuantity(text: string, units: ReadonlyMap<string, number>): number | null {
  const match = QUANTITY.exec(text.trim());
  const factor = units.get(match?.[2]?.toLowerCase() ?? '');
  if (match === null || factor === undefined) return null;
  const value = Math.round(Number(match[1]) * factor);
  return Number.isSafeInteger(value) ? value : null;
}

/** `'2 GB'` -> 2e9 bytes. Units B, KB, MB, GB, TB (powers of 1000) and KiB, MiB, GiB, TiB, in any case. Null when it is not a size. */
export const parseSize = (text: string): number | null => parseQuantity(text, SIZE_UNITS);

/** `'1 h'` -> 3,600,000 ms. Units ms, s, min (or m), h, d; several may follow each other: `'1 h 30 min'`. Null when it is not a duration. */
export function parseDuration(text: string): number | null {
  const parts = text.trim().match(/\d+(?:\.\d+)? *[A-Za-z]+/g);
  if (parts === null || parts.join('').replaceAll(' ', '') !== text.replaceAll(' ', '')) return null;
  let total = 0;
  for (const part of parts) {
    const value = parseQuantity(part, DURATION_UNITS);
    if (value === null) return null;
    total += value;
  }
  return Number.isSafeInteger(total) ? total : null;
}

/** Three digits are enough to recognise a size: 2_000_000_000 -> `2 GB`. */
export function formatSize(bytes: number): string {
  const [unit, factor] =
    bytes >= 1e12 ? ['TB', 1e12] : bytes >= 1e9 ? ['GB', 1e9] : bytes >= 1e6 ? ['MB', 1e6] : bytes >= 1e3 ? ['KB', 1e3] : ['B', 1];
  return `${Number((bytes / factor).toPrecision(3))} ${unit}`;
}

/** The two largest units: 5_400_000 -> `1 h 30 min`, 90_000 -> `1 min 30 s`, 1500 -> `1.5 s`. */
export function formatDuration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60e3) return `${Number((ms / 1000).toPrecision(3))} s`;
  const seconds = Math.round(ms / 1000);
  const parts: readonly [number, string][] = [
    [Math.floor(seconds / 86_400), 'd'],
    [Math.floor(seconds / 3600) % 24, 'h'],
    [Math.floor(seconds / 60) % 60, 'min'],
    [seconds % 60, 's'],
  ];
  const first = parts.findIndex(([count]) => count > 0);
  return parts
    .slice(first, first + 2)
    .filter(([count]) => count > 0)
    .map(([count, unit]) => `${count} ${unit}`)
    .join(' ');
}
