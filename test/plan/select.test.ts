// Which input files are collected, and how a file tells its runs.
import { describe, expect, test } from 'vitest';
import type { RunsOfFile } from '../../src/domain/calibration.ts';
import type { Iov, Run } from '../../src/domain/iov.ts';
import { type FileRuns, runsOfFile, selectFiles } from '../../src/plan/select.ts';

describe('selectFiles', () => {
  const file = (path: string, runs: FileRuns) => ({ path, runs });
  const oneRunEach = Array.from({ length: 10 }, (_, index) => file(`r${index + 1}`, [0, index + 1] as Run));

  test.each<{
    what: string;
    files: readonly ReturnType<typeof file>[];
    iov: Iov | null;
    ignored: Run[];
    kept: string[];
    dropped: string[];
  }>([
    {
      what: 'a file of one ignored run is dropped, one that holds others, too, is kept',
      files: [file('A', [0, 2]), file('B', [0, 1, 0, 3])],
      iov: null,
      ignored: [[0, 2]],
      kept: ['B'],
      dropped: ['A: only ignored runs'],
    },
    {
      what: 'of one run per file those inside the requested IoV are kept',
      files: oneRunEach,
      iov: [0, 3, 0, 9],
      ignored: [],
      kept: ['r3', 'r4', 'r5', 'r6', 'r7', 'r8', 'r9'],
      dropped: ['r1: outside the requested IoV', 'r2: outside the requested IoV', 'r10: outside the requested IoV'],
    },
    { what: 'a file that overlaps is kept', files: [file('A', [0, 2, 0, 4])], iov: [0, 3, 0, 3], ignored: [], kept: ['A'], dropped: [] },
    {
      what: 'a requested IoV that matches nothing drops all',
      files: [file('A', [0, 2])],
      iov: [1, 0, 1, -1],
      ignored: [],
      kept: [],
      dropped: ['A: outside the requested IoV'],
    },
    {
      what: 'an interval all of whose runs are ignored is dropped',
      files: [file('A', [0, 2, 0, 4]), file('B', [0, 2, 0, 5]), file('C', [0, 2, 0, -1])],
      iov: null,
      ignored: [
        [0, 4],
        [0, 2],
        [0, 3],
        [0, 3],
      ],
      kept: ['B', 'C'],
      dropped: ['A: only ignored runs'],
    },
    {
      what: 'what is left inside the requested IoV counts',
      files: [file('A', [0, 2, 0, 4])],
      iov: [0, 3, 0, 3],
      ignored: [[0, 3]],
      kept: [],
      dropped: ['A: only ignored runs'],
    },
    { what: 'files of unknown runs are kept', files: [file('A', null)], iov: [1, 0, 1, 1], ignored: [[1, 0]], kept: ['A'], dropped: [] },
  ])('$what', ({ files, iov, ignored, kept, dropped }) => {
    const selection = selectFiles(files, iov, ignored);
    expect(selection.kept.map(({ path }) => path)).toEqual(kept);
    expect(selection.dropped.map((drop) => `${drop.file.path}: ${drop.reason}`)).toEqual(dropped);
  });
});

describe('runsOfFile', () => {
  const regexp = (pattern: RegExp): RunsOfFile => ({ by: 'regexp', regexp: pattern });
  const byFunction = (answer: () => unknown): RunsOfFile => ({ by: 'function', function: answer as () => Run });
  const map: RunsOfFile = { by: 'map', map: { 'data/a.csv': [7, 1], './data/b.csv': [7, 2, 7, -1], 'data//c.csv': [7, 9] } };

  test.each<{ spec: RunsOfFile | null; path: string; runs: FileRuns }>([
    { spec: null, path: 'x', runs: null },
    { spec: regexp(/e(?<experiment>\d+)r(?<run>\d+)/), path: 'data/e0007r012.csv', runs: [7, 12] },
    { spec: map, path: 'data/a.csv', runs: [7, 1] },
    { spec: map, path: './data/a.csv', runs: [7, 1] },
    { spec: map, path: 'data/b.csv', runs: [7, 2, 7, -1] },
    { spec: map, path: 'data/c.csv', runs: [7, 9] },
    { spec: byFunction(() => [3, 1, 3, 4]), path: 'x', runs: [3, 1, 3, 4] },
    { spec: byFunction(() => null), path: 'x', runs: null },
  ])('$path is told by $spec to hold $runs', ({ spec, path, runs }) => {
    expect(runsOfFile(spec, path)).toEqual({ ok: true, value: runs });
  });

  test('a function sees the path as it is given', () => {
    expect(runsOfFile({ by: 'function', function: (path) => [1, path.length] }, 'data/x')).toEqual({ ok: true, value: [1, 6] });
  });

  test('a global or sticky RegExp matches every file alike', () => {
    for (const flags of ['g', 'gy']) {
      const spec = regexp(new RegExp('e(?<experiment>\\d+)r(?<run>\\d+)', flags));
      for (const run of [1, 2, 3]) expect(runsOfFile(spec, `e1r${run}`)).toEqual({ ok: true, value: [1, run] });
    }
  });

  test.each<{ spec: RunsOfFile; path: string; message: RegExp }>([
    { spec: regexp(/e(?<experiment>\d+)/), path: 'other.csv', message: /'other\.csv' cannot be told: \/e\(.*\/ does not match/ },
    { spec: regexp(/e(\d+)r(\d+)/), path: 'e1r2', message: /needs the named groups/ },
    { spec: regexp(/e(?<experiment>\w+)_(?<run>\w+)/), path: 'ex_2', message: /experiment 'x' and run '2'/ },
    { spec: regexp(/e(?<experiment>\d+)r(?<run>\d+)/), path: 'e1r99999999999', message: /99999999999/ },
    { spec: map, path: 'data/aa.csv', message: /map does not have it; did you mean 'data\/a\.csv'\?/ },
    { spec: map, path: 'toString', message: /map has 3 other paths/ },
    { spec: byFunction(() => undefined), path: 'p.csv', message: /fails for 'p\.csv': it returns nothing/ },
    { spec: byFunction(() => 'e1r2'), path: 'p.csv', message: /'e1r2'/ },
    { spec: byFunction(() => [3, 4, 2, 1]), path: 'p.csv', message: /3,4,2,1/ },
    {
      spec: byFunction(() => {
        throw new TypeError('no such table');
      }),
      path: 'p.csv',
      message: /fails for 'p\.csv': no such table/,
    },
  ])('$path: $message', ({ spec, path, message }) => {
    const told = runsOfFile(spec, path);
    expect(told.ok).toBe(false);
    if (!told.ok) {
      expect(told.error.path).toBe(path);
      expect(told.error.message).toMatch(message);
    }
  });
});
