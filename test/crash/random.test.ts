// The quickstart, killed at random instants: 200 times, or CAF_KILLS times. CAF_SEED repeats a series.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openJournalForReading } from '../../src/database/journal-reader.ts';
import type { JournalReads } from '../../src/database/journal-records.ts';
import { startCaf, viewIdsOf } from '../support/rig.ts';

const KILLS = Number(process.env.CAF_KILLS ?? 200);
const SEED = Number(process.env.CAF_SEED ?? 20261121);
/** Campaigns at the same time: one per core of a small machine. */
const LANES = 2;

let directory = '';
let viewIds: Readonly<Record<string, string>> = {};
/** Of an undisturbed run, in milliseconds. */
let duration = 0;

const run = (results: string) => startCaf(['run', 'examples/quickstart', '--quiet', '--output', results]);

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'caf-'));
  // The first one makes the input data, the second one is as fast as the others will be.
  for (const name of ['first', 'undisturbed']) {
    const startedAt = performance.now();
    const { code, stderr } = await run(join(directory, name)).ended;
    duration = performance.now() - startedAt;
    expect(code, stderr).toBe(0);
  }
  viewIds = await viewIdsOf(join(directory, 'undisturbed'));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** A small generator of numbers in [0, 1) with a seed: mulberry32. */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Finished work -> what shows whether it was done again: the attempt that counts, and to the microsecond how long an execution took. */
function finishedWork(results: string): ReadonlyMap<string, number> {
  let reader: ReturnType<typeof openJournalForReading>;
  try {
    reader = openJournalForReading(results);
  } catch {
    return new Map(); // killed before there was a journal
  }
  try {
    return reader.journal === null ? new Map() : new Map(workOf(reader.journal));
  } finally {
    reader.close();
  }
}

function* workOf(journal: JournalReads): Generator<readonly [string, number]> {
  for (const { calibration } of journal.calibrations()) {
    for (const { iteration, jobs } of journal.iterations(calibration)) {
      for (const collection of Object.keys(jobs)) {
        for (const [job, { finished, attempt }] of journal.jobs(calibration, iteration, collection))
          if (finished?.state === 'succeeded') yield [`job ${calibration}/${iteration}/${collection}/${job}`, attempt];
      }
      for (const algorithm of journal.algorithms(calibration, iteration)) {
        for (const { seq, seconds } of journal.algorithm(calibration, iteration, algorithm)?.executions ?? [])
          yield [`execution ${calibration}/${iteration}/${algorithm}/${seq}`, seconds];
      }
    }
  }
}

/** Kills one campaign until it ends by itself or there were enough kills; then lets it end. */
async function torment(results: string, random: () => number, count: { kills: number }): Promise<void> {
  const finished = new Map<string, number>();
  const instants: number[] = [];
  let isDone = false;
  while (!isDone && count.kills < KILLS) {
    const instant = Math.round(random() * duration);
    const caf = run(results);
    const alarm = new AbortController();
    const ended = caf.ended.finally(() => alarm.abort());
    await delay(instant, undefined, { signal: alarm.signal }).catch(() => undefined);
    caf.signal('SIGKILL');
    const { signal, code, stderr } = await ended;
    isDone = signal === null;
    if (isDone) expect(code, stderr).toBe(0);
    else {
      instants.push(instant);
      count.kills += 1;
    }
    for (const [work, mark] of finishedWork(results)) finished.set(work, finished.get(work) ?? mark);
  }
  const story = `seed ${SEED}, killed after ${instants.join(', ')} ms`;
  if (!isDone) {
    const { code, stderr } = await run(results).ended;
    expect(code, `${story}\n${stderr}`).toBe(0);
  }
  const now = finishedWork(results);
  const again = [...finished].filter(([work, mark]) => now.get(work) !== mark).map(([work]) => work);
  expect(again, `${story}: done again although it was finished`).toEqual([]);
  expect(await viewIdsOf(results), story).toEqual(viewIds);
  rmSync(results, { recursive: true });
}

test(`killed ${KILLS} times at random instants, it always ends with the databases of an undisturbed run`, async () => {
  const random = createRandom(SEED);
  const count = { kills: 0, campaigns: 0 };
  const lane = async () => {
    while (count.kills < KILLS) {
      count.campaigns += 1;
      await torment(join(directory, `campaign-${count.campaigns}`), random, count);
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  expect(count.kills).toBeGreaterThanOrEqual(KILLS);
});
