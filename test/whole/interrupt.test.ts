// Ctrl-C once and twice, SIGTERM, SIGHUP, a terminal that is gone: caf ends in good order, and what it left can be continued.
import { afterEach, expect, test } from 'vitest';
import { isGone, readJournal, statusOf } from '../support/rig.ts';
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

const stateOf = async (campaign: Steered) => (await statusOf(campaign.results)).state;

test('SIGINT once: running jobs end and count, nothing new begins, and caf says how to continue', async () => {
  const campaign = steer(['functions', 'programs'], 2);
  const caf = campaign.start(['run']);
  await campaign.saw('begin function 0', 'begin function 1');
  caf.signal('SIGINT');
  await caf.says('stopping');
  campaign.gates.functions();
  const { code, stdout, stderr } = await caf.ended;
  expect(code, stderr).toBe(130);
  expect(stdout).toMatch(/interrupted[^\n]*\n\n +caf run +continue/);
  expect(countsOf(campaign.effects())).toEqual({ 'begin function 0': 1, 'begin function 1': 1, 'end function 0': 1, 'end function 1': 1 });
  expect(readJournal(campaign.results, (journal) => journal.jobCounts('functions', 0))).toMatchObject({
    total: 3,
    succeeded: 2,
    running: 0,
  });
  expect(await stateOf(campaign)).toBe('interrupted');

  campaign.gates.programs();
  const again = await campaign.run(['run']);
  expect(again.code, again.stderr).toBe(0);
  expect(countsOf(campaign.effects())).toMatchObject({ 'begin function 0': 1, 'begin function 1': 1, 'begin function 2': 1 });
});

test('SIGINT twice: jobs and all they started are ended, and done again by the next run', async () => {
  const campaign = steer(['functions', 'programs'], 4);
  const caf = campaign.start(['run']);
  await campaign.saw('begin function 0', 'begin function 1', 'begin function 2', 'begin program 0');
  caf.signal('SIGINT');
  await caf.says('stopping');
  caf.signal('SIGINT');
  const { code, stdout, stderr } = await caf.ended;
  expect(code, stderr).toBe(130);
  expect(stdout).toContain('caf run   continue');
  expect(campaign.pids().length).toBeGreaterThanOrEqual(5);
  expect(campaign.pids().filter((pid) => !isGone(pid))).toEqual([]);
  expect(readJournal(campaign.results, (journal) => journal.unfinishedAttempts())).toEqual([]);
  expect(readJournal(campaign.results, (journal) => journal.jobCounts('functions', 0).running)).toBe(0);

  campaign.gates.functions();
  campaign.gates.programs();
  const again = await campaign.run(['run']);
  expect(again.code, again.stderr).toBe(0);
  expect(countsOf(campaign.effects())).toMatchObject({
    'begin function 0': 2,
    'end function 0': 1,
    'begin program 0': 2,
    'end program 0': 1,
  });
});

test.for([
  ['SIGTERM', 143],
  ['SIGHUP', 129],
] as const)('%s: jobs are left at work and adopted by the next run; exit %d', async ([signal, exitCode]) => {
  const campaign = steer(['functions', 'programs'], 5);
  const caf = campaign.start(['run']);
  await campaign.saw('begin function 0', 'begin function 1', 'begin function 2', 'begin program 0', 'begin program 1');
  caf.signal(signal);
  const { code, stdout, stderr } = await caf.ended;
  expect(code, stderr).toBe(exitCode);
  expect(stdout).toMatch(/interrupted by \S+ after [^\n]*; 5 jobs still running/);
  expect(campaign.pids().filter(isGone)).toEqual([]);

  const again = campaign.start(['run', '--verbose']);
  await again.says('adopted');
  campaign.gates.functions();
  campaign.gates.programs();
  const ended = await again.ended;
  expect(ended.code, ended.stderr).toBe(0);
  // Nobody saw how program 1 ended, and it left no result.json: it is done again.
  expect(countsOf(campaign.effects().filter((line) => line.startsWith('begin')))).toEqual({
    'begin function 0': 1,
    'begin function 1': 1,
    'begin function 2': 1,
    'begin program 0': 1,
    'begin program 1': 2,
  });
  const attempts = readJournal(campaign.results, (journal) =>
    journal.attempts({ calibration: 'programs', iteration: 0, collection: 'all', job: 1 }).map(({ outcome }) => outcome),
  );
  expect(attempts).toMatchObject([{ state: 'failed', cause: 'node-lost' }, { state: 'succeeded' }]);
});

test('function jobs that end while no caf is there are read from their result.json', async () => {
  const campaign = steer(['functions'], 3);
  const caf = campaign.start(['run']);
  await campaign.saw('begin function 0', 'begin function 1', 'begin function 2');
  caf.signal('SIGTERM');
  expect((await caf.ended).code).toBe(143);
  campaign.gates.functions();
  await campaign.saw('end function 0', 'end function 1', 'end function 2');
  const again = await campaign.run(['run']);
  expect(again.code, again.stderr).toBe(0);
  expect(Object.values(countsOf(campaign.effects()))).toEqual([1, 1, 1, 1, 1, 1]);
});

test('SIGINT once while an algorithm runs: the execution at work ends and counts, no other begins', async () => {
  const campaign = steer(['fits']);
  const caf = campaign.start(['run']);
  await campaign.saw('begin execution [[1,2]]');
  caf.signal('SIGINT');
  await caf.says('stopping');
  campaign.gates.fits();
  const { code, stderr } = await caf.ended;
  expect(code, stderr).toBe(130);
  expect(campaign.effects().filter((line) => line.startsWith('end'))).toEqual(['end execution [[1,1]]', 'end execution [[1,2]]']);
  const again = await campaign.run(['run']);
  expect(again.code, again.stderr).toBe(0);
  expect(Object.values(countsOf(campaign.effects()))).toEqual([1, 1, 1, 1, 1, 1]);
});

test.for(['SIGTERM', 'twice'] as const)('an algorithm is ended at once by %s; its finished executions are kept', async (how) => {
  const campaign = steer(['fits']);
  const caf = campaign.start(['run']);
  await campaign.saw('begin execution [[1,2]]');
  if (how === 'SIGTERM') caf.signal('SIGTERM');
  else {
    caf.signal('SIGINT');
    await caf.says('stopping');
    caf.signal('SIGINT');
  }
  const { code, stderr } = await caf.ended;
  expect(code, stderr).toBe(how === 'SIGTERM' ? 143 : 130);
  expect(campaign.pids().filter((pid) => !isGone(pid))).toEqual([]);
  campaign.gates.fits();
  const again = await campaign.run(['run']);
  expect(again.code, again.stderr).toBe(0);
  expect(countsOf(campaign.effects())).toMatchObject({
    'begin execution [[1,1]]': 1,
    'begin execution [[1,2]]': 2,
    'begin execution [[1,3]]': 1,
  });
});

test('with the terminal gone caf goes on, and SIGHUP then ends it in good order: the log tells how', async () => {
  const campaign = steer(['functions'], 3);
  const caf = campaign.start(['run']);
  await campaign.saw('begin function 0', 'begin function 1', 'begin function 2');
  caf.closeStderr();
  caf.child.stdout?.destroy();
  caf.signal('SIGHUP');
  const { code } = await caf.ended;
  expect(code).toBe(129);
  expect(logOf(campaign).at(-1)).toMatchObject({ type: 'campaign.ended', outcome: 'interrupted', signal: 'SIGHUP', jobsLeft: 3 });
  campaign.gates.functions();
  const again = await campaign.run(['run']);
  expect(again.code, again.stderr).toBe(0);
});

test('with the terminal gone and no signal caf works to the end', async () => {
  const campaign = steer(['functions'], 3);
  const caf = campaign.start(['run']);
  await campaign.saw('begin function 0');
  caf.closeStderr();
  caf.child.stdout?.destroy();
  campaign.gates.functions();
  expect((await caf.ended).code).toBe(0);
  expect(await stateOf(campaign)).toBe('completed');
});
