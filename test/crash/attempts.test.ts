// What an attempt had come to before caf was killed counts afterwards: retries used, memory raised, warnings given.
import { afterEach, expect, test } from 'vitest';
import { openJournalForReading } from '../../src/database/journal-reader.ts';
import { createRig, type Rig } from '../support/rig.ts';

let rig: Rig | undefined;
afterEach(() => rig?.remove());

const campaign = (collection: string): Rig => {
  rig = createRig(`
import { command, defineCalibration, defineConfig } from 'calibration-framework';
export default defineConfig({ calibrations: [defineCalibration({ name: 'a', algorithms: [], collections: { c: { files: [], ${collection} } } })] });`);
  return rig;
};
const jobOf = ({ results }: Rig) => {
  const reader = openJournalForReading(results);
  try {
    const key = { calibration: 'a', iteration: 0, collection: 'c', job: 0 };
    return { job: reader.journal!.jobs('a', 0, 'c').get(0), attempts: reader.journal!.attempts(key) };
  } finally {
    reader.close();
  }
};

test('a job that fails always is tried as often when caf is killed in between as when it is not', async () => {
  const killed = campaign(`retries: 3, collect: command(['false'])`);
  for (const crash of ['attempt.finished:1', 'attempt.spawned:1', 'attempt.finished:2'])
    expect((await killed.run(['run'], { CAF_CRASH_AFTER: crash })).signal).toBe('SIGKILL');
  expect((await killed.run(['run'])).code).toBe(1);
  const failures = jobOf(killed).attempts.filter(({ outcome }) => outcome?.state === 'failed' && outcome.cause === 'exit');
  expect(failures).toHaveLength(4);
  // The next invocation begins anew.
  expect((await killed.run(['run'])).code).toBe(1);
  expect(jobOf(killed).attempts.filter(({ outcome }) => outcome?.state === 'failed' && outcome.cause === 'exit')).toHaveLength(8);
});

test('an attempt that ended for lack of time is followed by one with more time, also when caf was killed in between', async () => {
  const killed = campaign(`resources: { time: '1 s' }, collect: command(['sh', '-c', 'sleep 1000'])`);
  expect((await killed.run(['run'], { CAF_CRASH_AFTER: 'attempt.finished:1' })).signal).toBe('SIGKILL');
  expect((await killed.run(['run'], { CAF_CRASH_AFTER: 'attempt.started:1' })).signal).toBe('SIGKILL');
  expect(jobOf(killed).attempts.map(({ resources }) => resources.timeMs)).toEqual([1000, 1500]);
});

test('the warnings of a job that succeeded are known although caf was killed before the job was put into place', async () => {
  const killed = campaign(
    `collect: command([process.execPath, '-e', 'fs.writeFileSync("result.json", JSON.stringify({ v: 1, token: JSON.parse(fs.readFileSync("job.json")).token, result: "ok", warnings: ["3 cold channels"] }))'])`,
  );
  expect((await killed.run(['run'], { CAF_CRASH_AFTER: 'attempt.finished:1' })).signal).toBe('SIGKILL');
  expect((await killed.run(['run'])).code).toBe(0);
  expect(jobOf(killed)).toMatchObject({ job: { warnings: ['3 cold channels'] }, attempts: [{ attempt: 0 }] });
});
