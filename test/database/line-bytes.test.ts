// Lines as bytes: the same text as when they are formatted one by one, whatever the piece they fall into.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createLineWriter } from '../../src/database/line-bytes.ts';
import { FOREVER, formatIov, keysToIov, MAX_EXPERIMENT, MAX_RUN, RUNS_PER_EXPERIMENT } from '../../src/domain/iov.ts';

const written = (lines: readonly (readonly [beginning: string, lo: number, hi: number])[]): string => {
  const pieces: Buffer[] = [];
  const writer = createLineWriter((piece) => void pieces.push(Buffer.from(piece)));
  for (const [beginning, lo, hi] of lines) writer.add(Buffer.from(beginning), lo, hi);
  writer.finish();
  return Buffer.concat(pieces).toString();
};
const formatted = (lines: readonly (readonly [beginning: string, lo: number, hi: number])[]): string =>
  lines.map(([beginning, lo, hi]) => `${beginning}${formatIov(keysToIov(lo, hi))}\n`).join('');

const key = fc.tuple(
  fc.oneof(fc.integer({ min: 0, max: 120 }), fc.integer({ min: 0, max: MAX_EXPERIMENT })),
  fc.oneof(fc.integer({ min: 0, max: 120 }), fc.integer({ min: 0, max: MAX_RUN })),
);
const end = fc.oneof(
  key.map(([experiment, run]) => experiment * RUNS_PER_EXPERIMENT + run),
  key.map(([experiment]) => experiment * RUNS_PER_EXPERIMENT + RUNS_PER_EXPERIMENT - 1),
  fc.constant(FOREVER),
);

test('a line says the interval as formatIov does', () => {
  const line = fc.tuple(fc.string({ unit: 'grapheme-ascii', maxLength: 30 }), key, end);
  fc.assert(
    fc.property(fc.array(line, { maxLength: 20 }), (drawn) => {
      const lines = drawn.map(([beginning, [experiment, run], hi]) => [beginning, experiment * RUNS_PER_EXPERIMENT + run, hi] as const);
      expect(written(lines)).toBe(formatted(lines));
    }),
  );
});

test('lines are whole where one piece ends and the next begins', () => {
  const last = MAX_EXPERIMENT * RUNS_PER_EXPERIMENT + MAX_RUN;
  const lines = Array.from({ length: 5000 }, (_, n) => ['x'.repeat(n % 97), last, n % 2 === 0 ? FOREVER : last] as const);
  expect(written(lines)).toBe(formatted(lines));
  const [long, after] = [['y'.repeat(70_000), 0, 0] as const, ['z', 0, 9] as const];
  expect(written([after, long, after])).toBe(formatted([after, long, after]));
});

test('two writers at work at once do not disturb each other', () => {
  const [a, b]: [string[], string[]] = [[], []];
  const first = createLineWriter((piece) => void a.push(Buffer.from(piece).toString()));
  const second = createLineWriter((piece) => void b.push(Buffer.from(piece).toString()));
  for (let n = 0; n < 3; n++) {
    first.add(Buffer.from('a '), n, n);
    second.add(Buffer.from('b '), n, n);
  }
  first.finish();
  second.finish();
  expect(a.join('')).toBe('a 0,0,0,0\na 0,1,0,1\na 0,2,0,2\n');
  expect(b.join('')).toBe('b 0,0,0,0\nb 0,1,0,1\nb 0,2,0,2\n');
});
