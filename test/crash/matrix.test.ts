// The crash matrix: SIGKILL right after every kind of journal entry. Continued, the campaign ends as if nothing had happened.
import { readdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { JOURNAL_KINDS, type JournalKind } from '../../src/domain/journal.ts';
import { outcomeOf, type Rig, readJournal, viewIdsOf } from '../support/rig.ts';
import { configWith, createCampaign, finishedWork } from './campaign.ts';

interface Undisturbed {
  readonly viewIds: Readonly<Record<string, string>>;
  readonly outcome: unknown;
  readonly effects: readonly string[];
  /** How many entries of each kind it wrote. */
  readonly entries: ReadonlyMap<JournalKind, number>;
}

let undisturbed: Undisturbed;
const rigs: Rig[] = [];
function createRigForTest(maxIterations?: number): Rig {
  const rig = createCampaign(maxIterations);
  rigs.push(rig);
  return rig;
}

beforeAll(async () => {
  const rig = createRigForTest();
  const { code, stdout, stderr } = await rig.run(['run', '--json']);
  expect(code, stderr + stdout).toBe(1);
  undisturbed = {
    viewIds: await viewIdsOf(rig.results),
    outcome: await outcomeOf(rig.results),
    effects: [...rig.effects()].sort(),
    entries: countEntries(rig, stdout),
  };
});
afterAll(() => {
  for (const rig of rigs) rig.remove();
});

interface Disturbance {
  readonly rig?: Rig;
  /** Of the first, killed `caf run`. */
  readonly args?: readonly string[];
  /** Calibrations that are done again because one they depend on is. */
  readonly mayRedo?: readonly string[];
}

const finishedOutside = (rig: Rig, mayRedo: readonly string[]): ReadonlySet<string> =>
  new Set(finishedWork(rig.results).filter((line) => !mayRedo.some((name) => line.split(' ')[1]?.startsWith(`${name}/`))));

/** Runs caf, which is killed on its way; then it is run again, killed again where more crash points are given, until it ends by itself. */
async function killAndContinue(
  crashes: readonly string[],
  { rig = createRigForTest(), args = [], mayRedo = [] }: Disturbance = {},
): Promise<Rig> {
  const again: string[] = [];
  const check: (() => void)[] = [];
  for (const [number, crash] of crashes.entries()) {
    const killed = await rig.run(number === 0 ? ['run', ...args] : ['run'], { CAF_CRASH_AFTER: crash });
    expect(killed.signal, `${crash}: ${killed.code} ${killed.stdout}${killed.stderr}`).toBe('SIGKILL');
    const finished = finishedOutside(rig, mayRedo);
    const told = rig.effects().length;
    check.push(() =>
      again.push(
        ...rig
          .effects()
          .slice(told)
          .filter((line) => finished.has(line)),
      ),
    );
  }
  const ended = await rig.run(['run']);
  for (const look of check) look();
  expect(ended.code, `${crashes}: ${ended.stdout}${ended.stderr}`).toBe(1);
  expect(again, `${crashes}: done again although it was finished`).toEqual([]);
  return rig;
}

async function expectAsUndisturbed(rig: Rig, crashes: readonly string[]): Promise<void> {
  expect(await viewIdsOf(rig.results), String(crashes)).toEqual(undisturbed.viewIds);
  expect(await outcomeOf(rig.results), String(crashes)).toEqual(undisturbed.outcome);
  expect(leftovers(rig.results), String(crashes)).toEqual([]);
}

/** The first two entries of a kind, and the last. */
const pointsOf = (kind: JournalKind): readonly number[] => {
  const count = undisturbed.entries.get(kind) ?? 0;
  return [...new Set([1, 2, count])].filter((n) => n >= 1 && n <= count);
};

/** Kinds that a plain `caf run` does not write: they have scenarios of their own below. */
const ELSEWHERE: readonly JournalKind[] = ['calibration.reset'];

describe('killed right after an entry and continued, everything is as if nothing had happened:', () => {
  test.for(JOURNAL_KINDS.filter((kind) => !ELSEWHERE.includes(kind)))('%s', async (kind) => {
    const points = pointsOf(kind);
    expect(points.length, `no scenario writes ${kind}`).toBeGreaterThan(0);
    await Promise.all(
      points.map(async (n) => {
        const crashes = [`${kind}:${n}`];
        await expectAsUndisturbed(await killAndContinue(crashes), crashes);
      }),
    );
  });
});

describe('killed again while it recovers', () => {
  const RECOVERIES = ['*:1', '*:7', 'calibration.state:1', 'attempt.finished:1', 'algorithm.started:1', 'job.finished:1'];
  test.for([
    'attempt.started:2',
    'attempt.spawned:4',
    'attempt.finished:3',
    'execution.finished:2',
    'result.reported:2',
    'calibration.state:12',
  ])('after %s', async (first) => {
    await Promise.all(
      RECOVERIES.map(async (second) => {
        const crashes = [first, second];
        await expectAsUndisturbed(await killAndContinue(crashes), crashes);
      }),
    );
  });

  test('five times in a row', async () => {
    const crashes = ['*:20', '*:15', '*:20', '*:12', '*:25'];
    await expectAsUndisturbed(await killAndContinue(crashes), crashes);
  });
});

describe('what was done is put back', () => {
  const complete = async (): Promise<Rig> => {
    const rig = createRigForTest();
    expect((await rig.run(['run'])).code).toBe(1);
    return rig;
  };

  test('calibration.reset: killed in between, a run does again what was reset, and nothing else', async () => {
    await Promise.all(
      [1, 2].map(async (n) => {
        const rig = await complete();
        const killed = await rig.run(['reset', 'looped', '--iteration', '1'], { CAF_CRASH_AFTER: `calibration.reset:${n}` });
        expect(killed.signal, killed.stderr).toBe('SIGKILL');
        const finished = finishedOutside(rig, ['looped', 'after']);
        const told = rig.effects().length;
        expect((await rig.run(['run'])).code).toBe(1);
        const done = rig.effects().slice(told);
        expect(done.filter((line) => finished.has(line))).toEqual([]);
        expect(done).toContain('execution looped/1/scale [[1,1],[1,2],[1,3]]');
        await expectAsUndisturbed(rig, [`calibration.reset:${n}`]);
      }),
    );
  });

  test('--fresh: killed while the plan is written down, what was dropped is done again and what was not is kept', async () => {
    await Promise.all(
      [1, 2, 5].map(async (n) => {
        const crashes = [`calibration.planned:${n}`];
        const rig = await killAndContinue(crashes, { rig: await complete(), args: ['--fresh'], mayRedo: ['looped', 'after'] });
        await expectAsUndisturbed(rig, crashes);
      }),
    );
  });

  test('a raised maxIterations: killed after the plan is written down, the calibration still goes on from its end', async () => {
    await Promise.all(
      [1, 2, 5].map(async (n) => {
        const rig = createRigForTest(2);
        expect((await rig.run(['run'])).code).toBe(1);
        rig.write('caf.config.ts', configWith(4));
        const crashes = [`calibration.planned:${n}`];
        await expectAsUndisturbed(await killAndContinue(crashes, { rig, mayRedo: ['after'] }), crashes);
      }),
    );
  });

  test('--fresh: killed in the middle of the second round', async () => {
    const crashes = ['job.finished:5', 'iteration.committed:2'];
    await expectAsUndisturbed(
      await killAndContinue(crashes, { rig: await complete(), args: ['--fresh'], mayRedo: ['looped', 'after'] }),
      crashes,
    );
  });
});

/** Half-made directories and files: nobody would ever look at them again. */
const leftovers = (results: string): readonly string[] =>
  (readdirSync(results, { recursive: true }) as string[]).filter((path) => /\.tmp-|(^|\/)tmp-|\.new/.test(path)).sort();

/** Most entries have an event of their own; attempts are rows. */
function countEntries(rig: Rig, json: string): ReadonlyMap<JournalKind, number> {
  const events = json
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { readonly type: string; readonly calibrations?: readonly unknown[] });
  const of = (...types: readonly string[]) => events.filter(({ type }) => types.includes(type)).length;
  const attempts = readJournal(rig.results, (journal) =>
    journal
      .calibrations()
      .flatMap(({ calibration }) => journal.iterations(calibration))
      .flatMap(({ calibration, iteration, jobs }) =>
        Object.entries(jobs).flatMap(([collection, count]) =>
          Array.from({ length: count }, (_, job) => journal.attempts({ calibration, iteration, collection, job })),
        ),
      )
      .flat(),
  ).length;
  const special: Partial<Record<JournalKind, number>> = {
    'invocation.started': 1,
    'invocation.ended': 1,
    'calibration.planned': events.find(({ type }) => type === 'campaign.started')?.calibrations?.length ?? 0,
    'calibration.state': of('calibration.state', 'calibration.blocked'),
    'attempt.started': attempts,
    'attempt.spawned': attempts,
    'attempt.finished': attempts,
  };
  return new Map(JOURNAL_KINDS.map((kind) => [kind, special[kind] ?? of(kind)]));
}
