// Entries with where each answers, and the view of a chain by its sources: against brute force over every run.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { describeDatabase } from '../../src/database/chain.ts';
import { listEntries, viewChain } from '../../src/database/list-intervals.ts';
import { contains, type Iov, type Run } from '../../src/domain/iov.ts';
import { Bench, type Row } from './support.ts';

const RUNS = Array.from({ length: 3 * 8 }, (_, n): Run => [Math.floor(n / 8), n % 8]);
const iovText = fc
  .tuple(fc.integer({ min: 0, max: 23 }), fc.integer({ min: 0, max: 23 }), fc.constantFrom('closed', 'experiment', 'for ever'))
  .map(([a, b, end]) => {
    const [low, high] = [RUNS[Math.min(a, b)]!, RUNS[Math.max(a, b)]!];
    const last = end === 'for ever' ? '-1,-1' : end === 'experiment' ? `${high[0]},-1` : high.join();
    return `${low.join()},${last}`;
  });
const rows = fc.array(
  fc.tuple(fc.constantFrom('A', 'B'), fc.constantFrom('x', 'y', 'z'), iovText).map((row): Row => row),
  { minLength: 1, maxLength: 6 },
);
const holds = (iovs: readonly Iov[], run: Run): boolean => iovs.some((iov) => contains(iov, run));

test('an entry answers for the runs for which it is the last of its name, and no others', async () => {
  const bench = new Bench();
  let number = 0;
  await fc.assert(
    fc.asyncProperty(rows, async (drawn) => {
      const { directory } = await bench.publish(`db${number++}`, drawn);
      const { entries } = listEntries(directory);
      expect(entries.map(({ seq }) => seq)).toEqual(drawn.map((_, at) => at + 1));
      for (const run of RUNS) {
        for (const name of ['A', 'B']) {
          const holding = entries.filter((entry) => entry.name === name && contains(entry.iov, run));
          const answering = entries.filter((entry) => entry.name === name && holds(entry.answers, run));
          expect(answering.map(({ seq }) => seq)).toEqual(holding.slice(-1).map(({ seq }) => seq));
          if (entries.some((entry) => entry.name === name)) expect(listEntries(directory, { name, run }).entries).toEqual(holding);
        }
      }
      expect(listEntries(directory, { shadowed: true }).entries).toEqual(entries.filter(({ answers }) => answers.length === 0));
    }),
    { numRuns: 40 },
  );
});

test('each run of a chain has one source, the highest database that holds it', async () => {
  const bench = new Bench();
  let number = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(rows, { minLength: 1, maxLength: 4 }), async (drawn) => {
      const databases = [];
      for (const one of drawn) databases.push(describeDatabase((await bench.publish(`db${number++}`, one)).directory));
      const { segments, sources } = viewChain({ v: 1, databases });
      expect(sources.map(({ path }) => path)).toEqual(databases.map(({ path }) => path));
      for (const run of RUNS) {
        for (const name of ['A', 'B']) {
          const answering = sources.flatMap((source, at) =>
            holds(
              source.segments.flatMap((one) => (one.name === name ? [one.iov] : [])),
              run,
            )
              ? [at]
              : [],
          );
          const highest = databases.findIndex(({ path }) =>
            listEntries(path).entries.some((entry) => entry.name === name && contains(entry.iov, run)),
          );
          expect(answering).toEqual(highest === -1 ? [] : [highest]);
          expect(segments.filter((one) => one.name === name && contains(one.iov, run)).length).toBe(answering.length);
        }
      }
    }),
    { numRuns: 15 },
  );
});
