// Directories follow the rows: what a kill left in between is put aside or removed, and nothing that counts is touched.
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { removeHalfStored } from '../../src/payloads/store.ts';
import { tidyDirectory } from '../../src/runners/tidy-directory.ts';
import { ENTRIES, entriesUpTo, openForTest, temporaryDirectory } from '../database/journal-support.ts';

const OLD = '0'.repeat(64);
const HALF = 'tmp-0123456789ab';

/** Iterations 0 and 1, a result, and what was half-made in every place, with the rows up to an entry. */
function campaign(upTo: Parameters<typeof entriesUpTo>[0]) {
  const directory = temporaryDirectory();
  const journal = openForTest(directory);
  for (const entry of entriesUpTo(upTo)) journal.append(entry);
  const home = join(directory, 'pedestals');
  const write = (path: string, text = '') => {
    mkdirSync(dirname(join(home, path)), { recursive: true });
    writeFileSync(join(home, path), text);
  };
  for (const database of ['localdb', '0/localdb', '1/localdb']) {
    write(`${database}/VERSION`, `version ${OLD}`);
    write(`${database}.${HALF}/VERSION`);
  }
  for (const iteration of [0, 1]) {
    write(`${iteration}/collector/random/0/result.json`);
    write(`${iteration}/collector/.conditions.${HALF}/index.json`);
    write(`${iteration}/algorithms/means/stdout`);
    write(`${iteration}/algorithms/means/.conditions.${HALF}/index.json`);
    write(`${iteration}/algorithms/.draft-abc.${HALF}/VERSION`);
  }
  return { journal, home, in: (path: string) => readdirSync(join(home, path)).sort() };
}

test('what is half-made goes, everywhere; what rows know of a completed calibration stays', () => {
  const { journal, home, in: list } = campaign('calibration.completed');
  tidyDirectory(home, 'pedestals', journal);
  expect((readdirSync(home, { recursive: true }) as string[]).filter((path) => path.includes(HALF))).toEqual([]);
  expect(list('')).toEqual(['0', '1', 'localdb']);
  expect(list('0')).toEqual(['algorithms', 'collector', 'localdb']);
  expect(existsSync(join(home, '0/algorithms/means/stdout'))).toBe(true);
});

test('a result without completion and iterations without rows make room; their databases are kept under their versions', () => {
  const { journal, home, in: list } = campaign('algorithm.started');
  tidyDirectory(home, 'pedestals', journal);
  expect(list('')).toEqual(['0', '1', `localdb.${OLD}`]);
  expect(list('1')).toEqual([`localdb.${OLD}`]);
  expect(list('0'), 'an iteration at work keeps what it has').toEqual(['algorithms', 'collector', 'localdb']);
});

test('before the first algorithm has begun, the collected data stay and what earlier algorithms made goes', () => {
  const { journal, home, in: list } = campaign('job.finished');
  tidyDirectory(home, 'pedestals', journal);
  expect(list('0')).toEqual(['collector', `localdb.${OLD}`]);
  expect(list('0/collector/random/0')).toEqual(['result.json']);
});

test('after a reset nothing of it is left in the way', () => {
  const { journal, home, in: list } = campaign('calibration.completed');
  journal.append(ENTRIES['calibration.reset']);
  tidyDirectory(home, 'pedestals', journal);
  expect([list(''), list('0'), list('1')]).toEqual([['0', '1', `localdb.${OLD}`], [`localdb.${OLD}`], [`localdb.${OLD}`]]);
});

test('done twice, and where there is no directory, it changes nothing more', () => {
  const { journal, home } = campaign('algorithm.started');
  tidyDirectory(home, 'pedestals', journal);
  const before = readdirSync(home, { recursive: true });
  tidyDirectory(home, 'pedestals', journal);
  expect(readdirSync(home, { recursive: true })).toEqual(before);
  tidyDirectory(join(home, 'nowhere'), 'pedestals', journal);
  expect(existsSync(join(home, 'nowhere'))).toBe(false);
});

test('objects that were about to be stored go, stored ones stay', () => {
  const objects = temporaryDirectory();
  for (const path of ['tmp-0123456789abcdef', 'ab/cdef']) {
    mkdirSync(dirname(join(objects, path)), { recursive: true });
    writeFileSync(join(objects, path), '');
  }
  removeHalfStored(objects);
  expect(readdirSync(objects)).toEqual(['ab']);
  removeHalfStored(join(objects, 'nowhere'));
});
