// caf run --detach: the campaign begins in the background or not at all, outlives its terminal, and is followed and ended from other shells.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { hasPty } from '../support/pty.ts';
import { createRig, isGone, linesOf, type Rig, ROOT, readJournal, statusOf, until } from '../support/rig.ts';
import { countsOf, createSteered, logOf, type Steered } from '../support/steered.ts';

let rig: Rig | null = null;
let background: number[] = [];
const steer = (...given: Parameters<typeof createSteered>): Steered => {
  const campaign = createSteered(...given);
  rig = campaign;
  return campaign;
};
afterEach(() => {
  for (const pid of background) if (!isGone(pid)) process.kill(pid, 'SIGKILL');
  background = [];
  rig?.remove();
  rig = null;
});

const BEGUN = ['begin function 0', 'begin function 1', 'begin function 2'];
const CAF = join(ROOT, 'bin/caf.js');
const outOf = (campaign: Rig): string => readFileSync(join(campaign.results, 'caf.out'), 'utf8');

async function detach(campaign: Rig, ...args: readonly string[]): Promise<number> {
  const { code, stdout, stderr } = await campaign.run(['run', '--detach', ...args]);
  expect(code, stderr).toBe(0);
  expect(stderr).toBe('');
  return pidIn(stdout);
}

function pidIn(stdout: string): number {
  const pid = Number(/in the background: caf pid (\d+) on /.exec(stdout)?.[1]);
  background.push(pid);
  return pid;
}

/** Fields of /proc/PID/stat after the name: state, parent, group, session, terminal. */
const statOf = (pid: number): readonly string[] =>
  readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');

test('it returns when the campaign has begun, says how to follow it, and other shells follow it to its end', async () => {
  const campaign = steer(['functions'], 3);
  const { code, stdout, stderr } = await campaign.run(['run', '--detach']);
  const pid = pidIn(stdout);
  expect(code, stderr).toBe(0);
  expect(stdout.replace(/^\S+ /, '')).toBe(
    [
      `in the background: caf pid ${pid} on ${hostname()}   calibration_results`,
      '',
      '  caf status --watch   how far it is, as it changes',
      '  caf logs -f          what it does',
      '  caf cancel           end it',
      '',
    ].join('\n'),
  );
  // A session of its own, no terminal, nothing of ours held open.
  expect(statOf(pid).slice(2, 5)).toEqual([String(pid), String(pid), '0']);
  expect([0, 1, 2].map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`))).toEqual([
    '/dev/null',
    join(campaign.results, 'caf.out'),
    join(campaign.results, 'caf.out'),
  ]);
  expect((await statusOf(campaign.results)).owner).toMatchObject({ pid, alive: true, command: 'caf run caf.config.ts' });

  await campaign.saw(...BEGUN);
  const watching = campaign.start(['status', '--watch']);
  const following = campaign.start(['logs', '-f']);
  await Promise.all([watching, following].map(({ child }) => once(child.stdout ?? child, 'data')));
  campaign.gates.functions();
  const [watched, followed] = await Promise.all([watching.ended, following.ended]);
  expect(watched.code, watched.stderr).toBe(0);
  expect(watched.stdout).toMatch(/running_collector[\s\S]*completed[\s\S]*caf db show/);
  expect(followed.code, followed.stderr).toBe(0);
  expect(followed.stdout).toMatch(/campaign started[\s\S]*campaign completed/);
  await until('its end', () => isGone(pid));
  expect(outOf(campaign)).toMatch(/campaign started[\s\S]*1 calibration, 1 payload in/);
  expect((await statusOf(campaign.results)).state).toBe('completed');
  expect(existsSync(join(campaign.results, '.requests'))).toBe(false);

  // Up to date: there is nothing to be done in the background.
  const again = await campaign.run(['run', '--detach']);
  expect(again.stdout).toContain('nothing to do');
  expect(readJournal(campaign.results, (journal) => journal.lastInvocation()?.invocation)).toBe(1);
});

test.skipIf(!hasPty)('it goes on when its terminal is closed, and does not heed SIGHUP', async () => {
  const campaign = steer(['functions'], 3);
  const shell = spawn(
    'python3',
    [join(ROOT, 'test/support/terminal.py'), '80', '24', 'sh', '-c', '"$0" "$1" run --detach; read line', process.execPath, CAF],
    { cwd: campaign.directory, env: { ...process.env, TERM: 'xterm-256color', LANG: 'C.UTF-8' }, stdio: ['pipe', 'pipe', 'inherit'] },
  );
  let screen = '';
  await new Promise<void>((resolve) => {
    shell.stdout.setEncoding('utf8').on('data', (text: string) => {
      screen += text;
      if (screen.includes('caf cancel')) resolve();
    });
  });
  const pid = pidIn(screen);
  // The terminal goes away with whoever holds its other side; its foreground gets a SIGHUP.
  shell.kill('SIGKILL');
  await once(shell, 'close');
  process.kill(pid, 'SIGHUP');
  await campaign.saw(...BEGUN);
  campaign.gates.functions();
  await until('its end', () => isGone(pid));
  expect((await statusOf(campaign.results)).state).toBe('completed');
  expect(Object.values(countsOf(campaign.effects()))).toEqual([1, 1, 1, 1, 1, 1]);
});

test('bad input: the usual error and exit code, nothing written, nothing left running', async () => {
  const campaign = steer(['functions'], 3);
  const before = readdirSync(campaign.directory).sort();
  for (const args of [['--only', 'functoins'], ['missing.config.ts'], ['--iov', '1,2,3'], ['--backend', 'lfs']]) {
    const plain = await campaign.run(['run', ...args]);
    const detached = await campaign.run(['run', '--detach', ...args]);
    expect(plain.code).toBe(2);
    expect(detached).toEqual(plain);
  }
  expect((await campaign.run(['run', '--detach', '--dry-run'])).code).toBe(2);
  expect(readdirSync(campaign.directory).sort()).toEqual(before);
});

test('a directory that another caf holds is refused as without --detach, and nothing is left behind', async () => {
  const campaign = steer(['functions'], 3);
  const first = campaign.start(['run']);
  await campaign.saw(...BEGUN);
  const refused = await campaign.run(['run', '--detach']);
  expect(refused.code).toBe(3);
  expect(refused.stdout).toBe('');
  expect(refused.stderr).toContain(`pid ${first.pid}`);
  expect(refused.stderr).toContain('CAF_RESULTS_LOCKED');
  expect(existsSync(join(campaign.results, 'caf.out'))).toBe(false);
  campaign.gates.functions();
  expect((await first.ended).code).toBe(0);
});

test('a place that cannot be used is refused, and nothing is left in it', async () => {
  const campaign = steer(['functions'], 3);
  campaign.write('file', '');
  const onFile = await campaign.run(['run', '--detach', '--output', 'file/results']);
  expect(onFile.code).toBe(3);
  expect(onFile.stderr).toContain('CAF_RESULTS_UNWRITABLE');
  campaign.write('foreign/caf.db', 'a text that is long enough not to be taken for an empty file'.repeat(9));
  const foreign = await campaign.run(['run', '--detach', '--output', 'foreign']);
  expect(foreign.code).toBe(3);
  expect(foreign.stderr).toContain('CAF_JOURNAL_FOREIGN');
  expect(readdirSync(join(campaign.directory, 'foreign'))).toEqual(['caf.db']);
});

test('killed with SIGKILL in the background, it is continued in the background, and adopts the jobs', async () => {
  const campaign = steer(['functions'], 3);
  const first = await detach(campaign);
  await campaign.saw(...BEGUN);
  process.kill(first, 'SIGKILL');
  await until('its death', () => isGone(first));
  expect((await statusOf(campaign.results)).state).toBe('interrupted');
  const second = await detach(campaign, '--verbose');
  expect(second).not.toBe(first);
  campaign.gates.functions();
  await until('its end', () => isGone(second));
  expect(outOf(campaign)).toMatch(/functions\/0\/all\/0 adopted/);
  expect(Object.values(countsOf(campaign.effects()))).toEqual([1, 1, 1, 1, 1, 1]);
});

test('caf cancel ends it and its jobs from another shell; caf.out tells who', async () => {
  const campaign = steer(['functions'], 3);
  const pid = await detach(campaign);
  await campaign.saw(...BEGUN);
  const { code, stderr } = await campaign.run(['cancel', '--reason', 'enough']);
  expect(code, stderr).toBe(0);
  await until('its end', () => isGone(pid));
  expect(outOf(campaign)).toMatch(/interrupted by caf cancel \(\S+: enough\)/);
  expect(campaign.pids().filter((job) => !isGone(job))).toEqual([]);
  expect(logOf(campaign).at(-1)).toMatchObject({ type: 'campaign.ended', outcome: 'interrupted' });
});

test('--json answers with one document, and the events go to caf.out; DIR is named where it is not the default', async () => {
  const campaign = steer(['functions'], 3);
  const { stdout } = await campaign.run(['run', '--detach', '--json', '--output', 'elsewhere', '--only', 'functions', 'caf.config.ts']);
  const answer = JSON.parse(stdout) as { readonly pid: number; readonly out: string };
  background.push(answer.pid);
  const output = join(campaign.directory, 'elsewhere');
  expect(answer).toEqual({ v: 1, type: 'campaign.detached', pid: answer.pid, host: hostname(), output, out: join(output, 'caf.out') });
  campaign.gates.functions();
  await until('its end', () => isGone(answer.pid));
  expect(linesOf(answer.out).map((line) => (JSON.parse(line) as { readonly type: string }).type)).toEqual(
    expect.arrayContaining(['campaign.started', 'campaign.ended']),
  );
  campaign.write(
    'caf.config.ts',
    readFileSync(join(campaign.directory, 'caf.config.ts'), 'utf8').replace('sum += value', 'sum += 2 * value'),
  );
  const text = await campaign.run(['run', '--detach', '--output', 'elsewhere']);
  pidIn(text.stdout);
  expect(text.stdout).toContain('caf status elsewhere --watch');
  expect(text.stdout).toContain('caf logs -f --output elsewhere');
  expect(text.stdout).toContain('caf cancel elsewhere');
});

/** Loads like any other the first time; the second time, in the background, it does this. */
const SECOND_TIME = (what: string): string => `
import { appendFileSync, existsSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { defineCalibration, defineConfig } from 'calibration-framework';
const here = import.meta.dirname;
if (existsSync(join(here, 'loaded'))) { ${what} }
writeFileSync(join(here, 'loaded'), '');
export default defineConfig({ calibrations: [defineCalibration({ name: 'a', collections: { c: { files: [], collect: () => undefined } }, algorithms: [] })] });
`;

test('one that dies before it has begun is told of, with exit code 3', async () => {
  const campaign = createRig(
    SECOND_TIME("console.error('last words'); process.kill(process.pid, 'SIGKILL'); await new Promise(() => undefined);"),
  );
  rig = campaign;
  const { code, stderr } = await campaign.run(['run', '--detach']);
  expect(code).toBe(3);
  expect(stderr).toContain('CAF_BACKGROUND');
  expect(stderr.replace(/\s+/g, ' ')).toContain('ended before it had begun: SIGKILL');
  expect(stderr).toContain('calibration_results/caf.out');
  expect(outOf(campaign)).toBe('last words\n');
});

test('when the one that detaches is killed before the campaign has begun, the one in the background ends too', async () => {
  const campaign = createRig(
    SECOND_TIME("appendFileSync(join(here, 'pids'), process.pid + '\\n'); await (await open(join(here, 'gate'))).read(Buffer.alloc(1));"),
  );
  rig = campaign;
  campaign.gate('gate');
  const starter = campaign.start(['run', '--detach'], { CAF_CONFIG_TIMEOUT_MS: '600000' });
  const pid = await until('the second start', () => Number(linesOf(join(campaign.directory, 'pids'))[0]));
  background.push(pid);
  starter.signal('SIGKILL');
  await starter.ended;
  await until('the end of the one in the background', () => isGone(pid));
  expect(existsSync(join(campaign.results, 'caf.db'))).toBe(false);
  writeFileSync(join(campaign.directory, 'caf.config.ts'), SECOND_TIME(''));
  expect((await campaign.run(['run'])).code).toBe(0);
});
