// caf is killed while jobs run: the next one finds them by pid and start time, or by their open log, and never takes a stranger for one.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, renameSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, expect, test } from 'vitest';
import type { ProcessIdentity } from '../../src/domain/job.ts';
import { readProcessIdentity } from '../../src/host/process-identity.ts';
import { isGone, readJournal, until } from '../support/rig.ts';
import { countsOf, createSteered, type Steered } from '../support/steered.ts';

let rig: Steered | null = null;
const strangers: ChildProcess[] = [];
const steer = (...given: Parameters<typeof createSteered>): Steered => {
  rig = createSteered(...given);
  return rig;
};
afterEach(() => {
  for (const stranger of strangers.splice(0)) stranger.kill('SIGKILL');
  rig?.remove();
  rig = null;
});

const FUNCTIONS = ['begin function 0', 'begin function 1', 'begin function 2'];
const PROGRAMS = ['begin program 0', 'begin program 1'];

async function killedAtWork(campaign: Steered, lines: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<void> {
  const caf = campaign.start(['run'], env);
  await campaign.saw(...lines);
  caf.signal('SIGKILL');
  expect((await caf.ended).signal).toBe('SIGKILL');
}

const begun = (campaign: Steered) => countsOf(campaign.effects().filter((line) => line.startsWith('begin')));

/** Changes who the journal says works on the open attempts. */
function forge(campaign: Steered, change: (process: ProcessIdentity) => ProcessIdentity | null): void {
  const db = new Database(join(campaign.results, 'caf.db'));
  const rows = db.prepare('SELECT token, handle FROM attempts WHERE outcome IS NULL').all() as { token: string; handle: string }[];
  for (const { token, handle } of rows) {
    const changed = change(JSON.parse(handle) as ProcessIdentity);
    db.prepare('UPDATE attempts SET handle = ? WHERE token = ?').run(changed === null ? null : JSON.stringify(changed), token);
  }
  db.close();
}

test('jobs that outlive a killed caf are adopted: functions and programs with a result count, no function begins twice', async () => {
  const campaign = steer(['functions', 'programs'], 5);
  await killedAtWork(campaign, [...FUNCTIONS, ...PROGRAMS]);
  expect(campaign.pids().filter(isGone)).toEqual([]);
  const again = campaign.start(['run', '--verbose']);
  await Promise.all(
    ['functions/0/all/0', 'functions/0/all/2', 'programs/0/all/0', 'programs/0/all/1'].map((job) => again.says(`${job} adopted`)),
  );
  campaign.gates.functions();
  campaign.gates.programs();
  const { code, stderr } = await again.ended;
  expect(code, stderr).toBe(0);
  expect(begun(campaign)).toEqual({ ...Object.fromEntries([...FUNCTIONS, ...PROGRAMS].map((line) => [line, 1])), 'begin program 1': 2 });
});

test.each([
  ['as which process it runs is known', (process: ProcessIdentity) => process],
  ['it is found by its log', () => null],
])('an adopted job is ended with its whole tree by Ctrl-C twice: %s', async (_, change) => {
  const campaign = steer(['programs'], 2);
  await killedAtWork(campaign, PROGRAMS);
  forge(campaign, change);
  const again = campaign.start(['run', '--verbose']);
  await Promise.all([0, 1].map((job) => again.says(`programs/0/all/${job} adopted`)));
  again.signal('SIGINT');
  await again.says('stopping');
  again.signal('SIGINT');
  const { code, stderr } = await again.ended;
  expect(code, stderr).toBe(130);
  expect(campaign.pids().filter((pid) => !isGone(pid))).toEqual([]);
});

test.for([
  ['with a row that names it', (process: ProcessIdentity) => process],
  ['whose pid was never written down', () => null],
] as const)('jobs are found through a results directory that is a symbolic link: %s', async ([, change]) => {
  const campaign = steer(['functions', 'programs'], 5);
  mkdirSync(join(campaign.directory, 'elsewhere'));
  symlinkSync('elsewhere', campaign.results);
  await killedAtWork(campaign, [...FUNCTIONS, ...PROGRAMS]);
  forge(campaign, change);
  const again = campaign.start(['run', '--verbose']);
  await again.says('functions/0/all/1 adopted');
  campaign.gates.functions();
  campaign.gates.programs();
  const { code, stderr } = await again.ended;
  expect(code, stderr).toBe(0);
  expect(begun(campaign)).toMatchObject({ 'begin function 0': 1, 'begin function 1': 1, 'begin function 2': 1, 'begin program 0': 1 });
});

test('killed between spawn and row, a job is found by its open log, and adopted', async () => {
  const campaign = steer(['programs'], 2);
  await killedAtWork(campaign, PROGRAMS);
  forge(campaign, () => null);
  const again = campaign.start(['run', '--verbose']);
  await Promise.all([0, 1].map((job) => again.says(`programs/0/all/${job} adopted`)));
  campaign.gates.programs();
  expect((await again.ended).code).toBe(0);
  expect(begun(campaign)).toEqual({ 'begin program 0': 1, 'begin program 1': 2 });
});

async function stranger(directory: string): Promise<ProcessIdentity> {
  const child = spawn('sleep', ['300'], { cwd: directory, stdio: 'ignore', detached: true });
  strangers.push(child);
  await once(child, 'spawn');
  const identity = readProcessIdentity(child.pid ?? 0);
  if (identity === null) throw new Error('the stranger is gone');
  return identity;
}

test.for([
  ['its start time is another', (other: ProcessIdentity, own: ProcessIdentity) => ({ ...own, pid: other.pid })],
  ['the machine was booted since', (other: ProcessIdentity) => ({ ...other, bootId: 'the boot before' })],
] as const)('a stranger that has the pid of a job is neither adopted nor ended: %s', async ([, forged]) => {
  const campaign = steer(['programs'], 2);
  await killedAtWork(campaign, PROGRAMS);
  const other = await stranger(campaign.directory);
  // The jobs themselves end: only the stranger has their pid now.
  campaign.gates.programs();
  await campaign.saw('end program 0', 'end program 1');
  forge(campaign, (own) => forged(other, own));
  const again = await campaign.run(['run', '--verbose']);
  // Had it been adopted, caf would wait for its end.
  expect(again.code, again.stderr).toBe(0);
  expect(isGone(other.pid)).toBe(false);
  // Program 0 had left its result, program 1 not.
  expect(begun(campaign)).toEqual({ 'begin program 0': 1, 'begin program 1': 2 });
  await campaign.run(['cancel']);
  expect(isGone(other.pid)).toBe(false);
});

test('a stranger is not ended by caf cancel, by --fresh or by a second Ctrl-C either', async () => {
  const campaign = steer(['programs'], 2);
  await killedAtWork(campaign, PROGRAMS);
  const other = await stranger(campaign.directory);
  const jobs = campaign.pids();
  forge(campaign, (own) => ({ ...own, pid: other.pid }));
  expect((await campaign.run(['cancel'])).stderr).toContain('nothing to cancel');
  campaign.gates.programs();
  const fresh = await campaign.run(['run', '--fresh']);
  expect(fresh.code, fresh.stderr).toBe(0);
  expect(isGone(other.pid)).toBe(false);
  expect(jobs.length).toBeGreaterThan(0);
});

test('jobs left at work are ended before their calibration is done again: they do not write into the new attempts', async () => {
  const campaign = steer(['functions'], 3);
  await killedAtWork(campaign, FUNCTIONS);
  const left = campaign.pids();
  const fresh = campaign.start(['run', '--fresh']);
  await fresh.says('functions iteration 0 started');
  expect(left.filter((pid) => !isGone(pid))).toEqual([]);
  campaign.gates.functions();
  const { code, stderr } = await fresh.ended;
  expect(code, stderr).toBe(0);
  expect(begun(campaign)).toEqual({ 'begin function 0': 2, 'begin function 1': 2, 'begin function 2': 2 });
  const attempts = readJournal(campaign.results, (journal) =>
    journal.attempts({ calibration: 'functions', iteration: 0, collection: 'all', job: 0 }),
  );
  expect(attempts).toMatchObject([{ attempt: 0, outcome: { state: 'succeeded' } }]);
});

test('caf reset ends the jobs that a killed caf left of the calibration', async () => {
  const campaign = steer(['functions', 'programs'], 5);
  await killedAtWork(campaign, [...FUNCTIONS, ...PROGRAMS]);
  const { code, stderr } = await campaign.run(['reset', 'programs']);
  expect(code, stderr).toBe(0);
  const commands = campaign
    .pids()
    .filter((pid) => !isGone(pid))
    .map((pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8'));
  expect(commands).toHaveLength(3);
  expect(commands.filter((command) => !command.includes('collector-child'))).toEqual([]);
});

test('a result that was moved away while its job was at work fails nothing else: the job is done again', async () => {
  const campaign = steer(['functions'], 3);
  await killedAtWork(campaign, FUNCTIONS);
  const attempt = join(campaign.results, 'functions/0/collector/all/0.attempt-0');
  renameSync(attempt, `${attempt}.moved`);
  campaign.gates.functions();
  const again = await campaign.run(['run']);
  expect(again.code, again.stderr).toBe(0);
  expect(begun(campaign)).toEqual({ 'begin function 0': 2, 'begin function 1': 1, 'begin function 2': 1 });
});

test('a job left at work on an input file that has changed since is ended, and its neighbour is adopted', async () => {
  const campaign = steer([]);
  campaign.write('job.sh', 'echo $$ >> "$1/pids"; echo "begin $(basename "$2")" >> "$1/effects"; head -c 1 "$1/gate-programs" > passed');
  campaign.write(
    'caf.config.ts',
    `import { command, defineCalibration, defineConfig, local } from 'calibration-framework';
     const files = defineCalibration({ name: 'files', algorithms: [], collections: { all: {
       files: ['*.txt'], split: { maxFilesPerJob: 1 }, collect: command(['sh', '{config}/job.sh', '{config}', '{files}']),
     } } });
     export default defineConfig({ backend: local({ slots: 2 }), calibrations: [files] });`,
  );
  for (const name of ['a.txt', 'b.txt']) campaign.write(name, 'as it was');
  await killedAtWork(campaign, ['begin a.txt', 'begin b.txt']);
  const [first = 0, second = 0] = campaign.pids();
  expect([first, second].filter(isGone)).toEqual([]);
  campaign.write('b.txt', 'longer than it was');
  const again = campaign.start(['run', '--verbose']);
  await again.says('files/0/all/0 adopted');
  await campaign.saw('begin b.txt');
  await until('three jobs have begun', () => campaign.effects().length === 3);
  const left = [first, second].filter((pid) => !isGone(pid));
  expect(left).toHaveLength(1);
  campaign.gates.programs();
  const { code, stderr } = await again.ended;
  expect(code, stderr).toBe(0);
  expect(begun(campaign)).toMatchObject({ 'begin b.txt': 2 });
  expect(readJournal(campaign.results, (journal) => journal.unfinishedAttempts())).toEqual([]);
});

test('an algorithm that hangs when its caf is killed is ended before the mended one begins', async () => {
  const campaign = steer([]);
  const config = (run: string) =>
    campaign.write(
      'caf.config.ts',
      `import { appendFileSync } from 'node:fs';
       import { join } from 'node:path';
       import { defineCalibration, defineConfig } from 'calibration-framework';
       const say = (file: string, text: string) => appendFileSync(join(import.meta.dirname, file), text + '\\n');
       export default defineConfig({ calibrations: [defineCalibration({ name: 'a', collections: {}, algorithms: [{ name: 'fit', run: () => { ${run} } }] })] });`,
    );
  config(`say('pids', String(process.pid)); say('effects', 'hangs'); for (;;);`);
  await killedAtWork(campaign, ['hangs']);
  const [left = 0] = campaign.pids();
  expect(isGone(left)).toBe(false);
  config(`say('effects', 'mended'); return 'ok';`);
  const { code, stderr } = await campaign.run(['run']);
  expect(code, stderr).toBe(0);
  expect(campaign.effects()).toEqual(['hangs', 'mended']);
  expect(isGone(left)).toBe(true);
});
