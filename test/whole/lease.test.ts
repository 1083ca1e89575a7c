// One caf per results directory: the second is refused, a killed one is followed, and one that was stopped and taken over writes no more.
import { existsSync, readdirSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, expect, test } from 'vitest';
import { ask, type Caf, readJournal, statusOf, until, viewIdsOf } from '../support/rig.ts';
import { countsOf, createSteered, type Steered } from '../support/steered.ts';

let rig: Steered | null = null;
const steer = (...given: Parameters<typeof createSteered>): Steered => {
  rig = createSteered(...given);
  return rig;
};
afterEach(() => {
  rig?.remove();
  rig = null;
});

const BEGUN = ['begin function 0', 'begin function 1', 'begin function 2'];

test('a second caf run is refused with host, pid and age of the first, changes nothing, and ends with 3', async () => {
  const campaign = steer(['functions'], 3);
  const first = campaign.start(['run']);
  await campaign.saw(...BEGUN);
  const refused = await campaign.run(['run']);
  expect(refused.code).toBe(3);
  expect(refused.stderr).toMatch(
    new RegExp(`in use by ${hostname()} pid ${first.pid} \\(caf run[^)]*\\), started \\d+ s ago, last sign of life \\d+ s ago`),
  );
  expect(refused.stderr).toContain('CAF_RESULTS_LOCKED');
  expect(refused.stderr).toMatch(/hint: .*caf status.*caf cancel/);
  campaign.gates.functions();
  const { code, stderr } = await first.ended;
  expect(code, stderr).toBe(0);
  expect(readJournal(campaign.results, (journal) => journal.lastInvocation())).toMatchObject({ invocation: 1, outcome: 'completed' });
  expect(Object.values(countsOf(campaign.effects()))).toEqual([1, 1, 1, 1, 1, 1]);
});

test('the lease of a killed caf is taken over at once', async () => {
  const campaign = steer(['functions'], 3);
  const first = campaign.start(['run']);
  await campaign.saw(...BEGUN);
  first.signal('SIGKILL');
  await first.ended;
  campaign.gates.functions();
  const { code, stderr } = await campaign.run(['run']);
  expect(code, stderr).toBe(0);
  expect(readJournal(campaign.results, (journal) => journal.lastInvocation())).toMatchObject({ invocation: 2 });
});

/**
 * Stops a caf, and makes it look as if it were on another machine, where its process cannot be looked at: only the age of its last sign of
 * life counts. Stopped in the middle of a transaction it would keep everybody from the journal: then it goes on, and is stopped again.
 */
async function stopElsewhere(campaign: Steered, caf: Caf): Promise<void> {
  const db = new Database(join(campaign.results, 'caf.db'), { timeout: 100 });
  try {
    await until('it is stopped between two transactions', () => {
      caf.signal('SIGSTOP');
      try {
        return db.prepare("UPDATE owner SET host = 'login99', beat_at = '2020-01-01T00:00:00.000Z'").run();
      } catch (error) {
        if ((error as { readonly code?: string }).code !== 'SQLITE_BUSY') throw error;
        caf.signal('SIGCONT');
        return null;
      }
    });
  } finally {
    db.close();
  }
}

test.for([
  ['while jobs run', 'functions'],
  ['while an algorithm runs', 'fits'],
] as const)('one that was stopped and taken over writes no more when it wakes: %s', async ([, name]) => {
  const campaign = steer([name], 3);
  const first = campaign.start(['run']);
  await campaign.saw(...(name === 'functions' ? BEGUN : ['begin execution [[1,2]]']));
  await stopElsewhere(campaign, first);
  const second = campaign.start(['run', '--verbose'], { CAF_LEASE_STALE_MS: '1000' });
  await second.says(name === 'functions' ? 'adopted' : 'fits/0/slow started');
  campaign.gates[name]();
  const taken = await second.ended;
  expect(taken.code, taken.stderr).toBe(0);
  const before = await pictureOf(campaign);

  first.signal('SIGCONT');
  const woken = await first.ended;
  expect(woken.code, woken.stderr).toBe(3);
  expect(woken.stderr).toContain('CAF_LEASE_LOST');
  expect(woken.stderr.replace(/\s+/g, ' ')).toMatch(
    /is not this process's \(\S+ pid \d+\) any more\. Another caf took it over, and has ended since/,
  );
  expect(await pictureOf(campaign)).toEqual(before);
  expect(await ask('db', 'verify', join(campaign.results, name, 'localdb'))).toBeDefined();
});

test('one that wakes while the new owner is at work leaves its jobs to that one', async () => {
  const campaign = steer(['functions', 'programs'], 5);
  const first = campaign.start(['run']);
  await campaign.saw(...BEGUN, 'begin program 0', 'begin program 1');
  await stopElsewhere(campaign, first);
  const second = campaign.start(['run', '--verbose'], { CAF_LEASE_STALE_MS: '1000' });
  await second.says('programs/0/all/1 adopted');
  first.signal('SIGCONT');
  const woken = await Promise.race([first.ended, second.ended.then(() => null)]);
  expect(woken?.code, woken?.stderr).toBe(3);
  expect(woken?.stderr).toContain('CAF_LEASE_LOST');
  campaign.gates.functions();
  campaign.gates.programs();
  const { code, stderr } = await second.ended;
  expect(code, stderr).toBe(0);
  expect(countsOf(campaign.effects())).toMatchObject({
    'begin function 0': 1,
    'begin function 1': 1,
    'begin function 2': 1,
    'begin program 0': 1,
  });
});

/** Everything of the campaign but times: rows, databases, and the names of all files. */
async function pictureOf(campaign: Steered): Promise<unknown> {
  const { calibrations, invocation } = await statusOf(campaign.results);
  const files = (readdirSync(campaign.results, { recursive: true }) as string[]).filter((path) => !/caf\.(db-|log)/.test(path));
  return {
    calibrations,
    invocation,
    viewIds: await viewIdsOf(campaign.results),
    files: files.sort(),
    log: existsSync(join(campaign.results, 'caf.log')),
  };
}
