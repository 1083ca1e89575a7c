// caf cancel from another shell: through a file in the results directory, heeded once, by the caf that is meant and by no other.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, expect, test } from 'vitest';
import { isGone, readJournal, statusOf, until } from '../support/rig.ts';
import { canMount, createScene } from '../support/scene.ts';
import { countsOf, createSteered, logOf, type Steered } from '../support/steered.ts';

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
const stateOf = async (campaign: Steered) => (await statusOf(campaign.results)).state;
const requestsOf = (campaign: Steered) => join(campaign.results, '.requests');

test('it ends the jobs and then caf, which tells who asked and why; nothing of the request is left', async () => {
  const campaign = steer(['functions', 'programs'], 5);
  const caf = campaign.start(['run']);
  await campaign.saw(...BEGUN, 'begin program 0', 'begin program 1');
  const { code, stdout, stderr } = await campaign.run(['cancel', '--reason', 'the node goes down']);
  expect(code, stderr).toBe(0);
  expect(stdout).toBe('');
  expect(stderr).toBe(`caf pid ${caf.pid} is ending 5 running jobs\ncaf pid ${caf.pid} has ended\n\n  caf run   continue\n`);
  expect(campaign.pids().filter((pid) => !isGone(pid))).toEqual([]);
  const ended = await caf.ended;
  expect(ended.code, ended.stderr).toBe(143);
  expect(ended.stdout).toMatch(/interrupted by caf cancel \(\S+@\S+: the node goes down\) after/);
  expect(logOf(campaign).at(-1)).toMatchObject({ type: 'campaign.ended', outcome: 'interrupted', signal: 'caf cancel', jobsLeft: 0 });
  expect(readJournal(campaign.results, (journal) => journal.unfinishedAttempts())).toEqual([]);
  expect(existsSync(requestsOf(campaign))).toBe(false);

  campaign.gates.functions();
  campaign.gates.programs();
  const again = await campaign.run(['run']);
  expect(again.code, again.stderr).toBe(0);
  expect(countsOf(campaign.effects())).toMatchObject({ 'begin function 0': 2, 'end function 0': 1, 'end program 1': 1 });
});

test('--drain lets running jobs end and count, and starts no other', async () => {
  const campaign = steer(['functions', 'programs'], 2);
  const caf = campaign.start(['run']);
  await campaign.saw('begin function 0', 'begin function 1');
  const cancel = campaign.start(['cancel', '--drain']);
  await cancel.says('starts nothing more and waits for 2 running jobs');
  campaign.gates.functions();
  const { code, stderr } = await cancel.ended;
  expect(code, stderr).toBe(0);
  expect(stderr).toMatch(/has ended\n\n {2}caf run {3}continue\n$/);
  expect((await caf.ended).code).toBe(143);
  expect(countsOf(campaign.effects())).toEqual({ 'begin function 0': 1, 'begin function 1': 1, 'end function 0': 1, 'end function 1': 1 });
  expect(await stateOf(campaign)).toBe('interrupted');
});

test('--keep-jobs leaves them at work, and the next run adopts them', async () => {
  const campaign = steer(['functions'], 3);
  const caf = campaign.start(['run']);
  await campaign.saw(...BEGUN);
  const { code, stderr } = await campaign.run(['cancel', '--keep-jobs']);
  expect(code, stderr).toBe(0);
  expect(stderr).toContain('has ended; 3 jobs at work for the next caf run to adopt');
  expect((await caf.ended).stdout).toContain('; 3 jobs still running');
  campaign.gates.functions();
  expect((await campaign.run(['run'])).code).toBe(0);
  expect(Object.values(countsOf(campaign.effects()))).toEqual([1, 1, 1, 1, 1, 1]);
});

test('cancelled twice: a drain that takes too long is followed by a cancel, and both learn of the end', async () => {
  const campaign = steer(['functions'], 3);
  const caf = campaign.start(['run']);
  await campaign.saw(...BEGUN);
  const drain = campaign.start(['cancel', '--drain']);
  await drain.says('starts nothing more');
  const cancels = await Promise.all([campaign.run(['cancel']), campaign.run(['cancel'])]);
  const drained = await drain.ended;
  for (const { code, stderr } of [...cancels, drained]) {
    expect(code, stderr).toBe(0);
    expect(stderr).toMatch(/has ended|nothing to cancel/);
  }
  expect(drained.stderr).toContain(`caf pid ${caf.pid} has ended`);
  expect((await caf.ended).code).toBe(143);
  expect(campaign.pids().filter((pid) => !isGone(pid))).toEqual([]);
  const third = await campaign.run(['cancel']);
  expect(third).toMatchObject({ code: 0, stderr: 'nothing to cancel: no caf works on calibration_results\n' });
  expect(existsSync(requestsOf(campaign))).toBe(false);
});

test('a campaign on another machine that shares the directory is cancelled through the file alone', async () => {
  const campaign = steer(['functions'], 3);
  const caf = campaign.start(['run']);
  await campaign.saw(...BEGUN);
  // For everybody who looks, it works on a host where its process cannot be looked at.
  const db = new Database(join(campaign.results, 'caf.db'));
  db.prepare("UPDATE owner SET host = 'login99', boot_id = 'other'").run();
  db.close();
  const refused = await campaign.run(['run']);
  expect(refused.code).toBe(3);
  expect(refused.stderr.replace(/\s+/g, ' ')).toMatch(
    /in use by login99 pid \d+.*end it \(caf cancel\).*If login99 is down, it is taken over 5 minutes/,
  );
  const { code, stderr } = await campaign.run(['cancel']);
  expect(code, stderr).toBe(0);
  expect(stderr).toContain(`caf pid ${caf.pid} on login99 is ending 3 running jobs\ncaf pid ${caf.pid} on login99 has ended\n`);
  expect((await caf.ended).code).toBe(143);
});

test('on a network file system, where only its writer can open the journal, it is cancelled all the same', async () => {
  const campaign = steer(['functions'], 3);
  const caf = campaign.start(['run'], { CAF_FILESYSTEM: 'network' });
  await campaign.saw(...BEGUN);
  const { code, stderr } = await campaign.run(['cancel'], { CAF_FILESYSTEM: 'network' });
  expect(code, stderr).toBe(0);
  expect(stderr).toMatch(/caf pid \d+ is (stopping|ending \d running jobs)\ncaf pid \d+ has ended\n/);
  expect((await caf.ended).code).toBe(143);
  expect(campaign.pids().filter((pid) => !isGone(pid))).toEqual([]);
});

test.skipIf(!canMount())('a request of which the file system tells nothing is found by looking', async () => {
  // What is written below an overlay shows in it, but nobody who watches it is told: as when another host writes to a network file system.
  const scene = createScene();
  try {
    scene.mountDisk('disk', 'size=16m');
    for (const name of ['lower', 'upper', 'work', 'merged']) mkdirSync(join(scene.directory, 'disk', name), { recursive: true });
    const at = (name: string) => join(scene.directory, 'disk', name);
    const options = `lowerdir=${at('lower')},upperdir=${at('upper')},workdir=${at('work')}`;
    expect(spawnSync('mount', ['-t', 'overlay', '-o', options, 'overlay', at('merged')]).status).toBe(0);
    try {
      scene.config(`
const wait = () => new Promise((resolve) => { setInterval(() => undefined, 1000); });
export default defineConfig({ output: 'disk/merged', calibrations: [defineCalibration({ name: 'a', algorithms: [],
  collections: { c: { files: [], collect: async () => { note('begun'); await wait(); } } } })] });`);
      const caf = scene.start(['run']);
      await scene.noted('begun', caf);
      const db = new Database(join(at('merged'), 'caf.db'), { readonly: true });
      const lease = (db.prepare('SELECT token FROM owner').get() as { readonly token: string }).token;
      db.close();
      const request = { v: 1, id: 'x', lease, jobs: 'cancel', by: 'anna@login99', pid: 1, at: '2026-01-01T00:00:00.000Z', why: null };
      writeFileSync(join(at('upper'), '.requests/x.json'), JSON.stringify(request));
      const { code, stdout } = await caf.ended;
      expect(code, stdout).toBe(143);
      expect(stdout).toContain('interrupted by caf cancel (anna@login99)');
    } finally {
      spawnSync('umount', ['-l', at('merged')]);
    }
  } finally {
    scene.close();
  }
});

test('what was asked of an earlier caf does not stop a later one', async () => {
  const campaign = steer(['functions'], 3);
  const first = campaign.start(['run']);
  await campaign.saw(...BEGUN);
  first.signal('SIGSTOP');
  const cancel = campaign.start(['cancel']);
  // It is never noticed: the caf that is meant dies first.
  await until('the request is written', () => readdirSync(requestsOf(campaign)).some((name) => name.endsWith('.json')));
  cancel.signal('SIGKILL');
  await cancel.ended;
  first.signal('SIGKILL');
  await first.ended;
  mkdirSync(requestsOf(campaign), { recursive: true });
  writeFileSync(join(requestsOf(campaign), 'half.json'), '{"v":1,"lea');
  campaign.gates.functions();
  const second = await campaign.run(['run']);
  expect(second.code, second.stderr).toBe(0);
  expect(await stateOf(campaign)).toBe('completed');
  expect(existsSync(requestsOf(campaign))).toBe(false);
});

test('when caf dies while it drains, caf cancel says so; what was left is ended by the next one', async () => {
  const campaign = steer(['functions'], 3);
  const caf = campaign.start(['run']);
  await campaign.saw(...BEGUN);
  const drain = campaign.start(['cancel', '--drain']);
  await drain.says('starts nothing more');
  caf.signal('SIGKILL');
  const { code, stderr } = await drain.ended;
  expect(code, stderr).toBe(0);
  expect(stderr).toContain('died before it could write down how it ended');
  const next = await campaign.run(['cancel']);
  expect(next.stderr).toBe('ended 3 running jobs that no caf looked after\n\n  caf run   continue\n');
  expect(campaign.pids().filter((pid) => !isGone(pid))).toEqual([]);
});

test.for([
  'functions/0/all/0 succeeded',
  'functions/0/sum started',
  'functions iteration 0 committed',
  'functions completed',
  'campaign completed',
])('racing with the end, at "%s": what is told is what is so', async (moment) => {
  const campaign = steer(['functions'], 3);
  const caf = campaign.start(['run', '--verbose']);
  await campaign.saw(...BEGUN);
  campaign.gates.functions();
  await caf.says(moment);
  const { code, stderr } = await campaign.run(['cancel']);
  expect(code, stderr).toBe(0);
  const ended = await caf.ended;
  const state = await stateOf(campaign);
  expect(['completed', 'interrupted']).toContain(state);
  expect(ended.code).toBe(state === 'completed' ? 0 : 143);
  if (!stderr.includes('nothing to cancel'))
    expect(stderr).toContain(state === 'completed' ? 'came to its end before: the campaign completed' : 'has ended\n');
  expect(existsSync(requestsOf(campaign))).toBe(false);
  expect((await campaign.run(['run'])).code).toBe(0);
  expect(await stateOf(campaign)).toBe('completed');
});
