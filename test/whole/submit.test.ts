// caf submit: a whole campaign as one batch job, followed and ended from other shells. The engine is a stand-in; test/engines has the real ones.
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { type Caf, type Ended, readJournal, statusOf, until } from '../support/rig.ts';
import { createSmallSlurm, type SmallSlurm } from '../support/small-slurm.ts';
import { countsOf, createSteered, type Steered } from '../support/steered.ts';

interface Site extends Steered {
  readonly slurm: SmallSlurm;
  submit(...args: readonly string[]): Promise<Ended>;
  begin(...args: readonly string[]): Caf;
  out(): string;
}

let rig: Steered | null = null;
afterEach(() => {
  rig?.remove();
  rig = null;
});

const BEGUN = ['begin function 0', 'begin function 1', 'begin function 2'];

function steer(): Site {
  const campaign = createSteered(['functions'], 3);
  rig = campaign;
  const slurm = createSmallSlurm(campaign.directory);
  const env = { PATH: `${slurm.bin}:${process.env.PATH}`, SLURM_CONF: '', SECRET: 'not for jobs', SITE: 'for jobs' };
  const begin = (...args: readonly string[]) => campaign.start(args, env);
  return {
    ...campaign,
    slurm,
    begin,
    run: (args) => begin(...args).ended,
    submit: (...args) => begin('submit', '--backend', 'slurm', ...args).ended,
    out: () => readFileSync(join(campaign.results, 'caf.out'), 'utf8'),
  };
}

const idIn = ({ stdout }: Ended): string => /submitted to slurm as (\d+)/.exec(stdout)?.[1] ?? '';
const submittedTo = (site: Site): readonly string[] => readdirSync(join(site.results, '.submit')).filter((name) => name.startsWith('caf-'));
test('the campaign runs as one job and is followed to its end from here', async () => {
  const site = steer();
  const submitted = await site.submit('--env', 'HOME');
  expect(submitted.code, submitted.stderr).toBe(0);
  expect(submitted.stdout).toMatch(
    /submitted to slurm as \d+ {3}calibration_results\n\n {2}caf status --watch .*\n {2}caf logs -f .*\n {2}caf cancel .*\n$/,
  );
  const watching = site.begin('status', '--watch');
  const following = site.begin('logs', '-f');
  await Promise.all([watching, following].map(({ child }) => once(child.stdout ?? child, 'data')));
  await site.saw(...BEGUN);
  site.gates.functions();
  const [watched, followed] = await Promise.all([watching.ended, following.ended]);
  expect(watched.code, watched.stderr).toBe(0);
  expect(watched.stdout).toMatch(/running_collector[\s\S]*completed[\s\S]*caf db show/);
  expect(followed.code, followed.stderr).toBe(0);
  expect(followed.stdout).toMatch(/campaign completed/);
  await until('the summary', () => /1 calibration, 1 payload in/.test(site.out()));
  expect(Object.values(countsOf(site.effects()))).toEqual([1, 1, 1, 1, 1, 1]);
  const again = await site.submit();
  expect(again.stdout).toContain('nothing to do');
});

test('caf cancel ends the campaign in its job, and submitted again it continues', async () => {
  const site = steer();
  expect(idIn(await site.submit())).toMatch(/^\d+$/);
  await site.saw(...BEGUN);
  const refused = await site.submit();
  expect(refused.code).toBe(3);
  expect(refused.stderr).toContain('CAF_RESULTS_LOCKED');
  const { code, stderr } = await site.run(['cancel', '--reason', 'enough']);
  expect(code, stderr).toBe(0);
  expect(stderr).toMatch(/is ending 3 running jobs\n.*has ended\n/);
  await until('its last words', () => /interrupted by caf cancel \(\S+: enough\)/.test(site.out()));
  expect((await site.run(['cancel'])).stderr).toContain('nothing to cancel');

  expect(idIn(await site.submit())).toMatch(/^\d+$/);
  site.gates.functions();
  await until('its end', () => /1 calibration, 1 payload in/.test(site.out()));
  expect((await statusOf(site.results)).state).toBe('completed');
  expect(readJournal(site.results, (journal) => journal.lastInvocation())).toMatchObject({ invocation: 2, outcome: 'completed' });
});

test('while its job waits, it is not submitted twice, those who follow it wait, and caf cancel takes it out of the queue', async () => {
  const site = steer();
  site.slurm.hold();
  const id = idIn(await site.submit());
  const twice = await site.submit();
  expect(twice.code).toBe(3);
  expect(twice.stderr.replace(/\s+/g, ' ')).toContain(`calibration_results has a job already: slurm ${id} (queued), submitted by `);
  expect((await site.run(['status'])).stderr.replace(/\s+/g, ' ')).toContain(
    `calibration_results has not begun: slurm ${id} was submitted`,
  );
  const watching = site.begin('status', '--watch');
  await watching.says(`waiting for slurm ${id}`);
  const cancelled = await site.run(['cancel']);
  expect(cancelled).toMatchObject({ code: 0, stderr: `cancelled slurm ${id} (queued)\n\n  caf run   continue\n` });
  watching.signal('SIGTERM');
  await watching.ended;
  expect(site.effects()).toEqual([]);
  expect((await site.run(['cancel'])).code).toBe(2);

  const next = idIn(await site.submit());
  const following = site.begin('status', '--watch');
  await following.says(`waiting for slurm ${next}`);
  site.gates.functions();
  site.slurm.release();
  const { code, stdout, stderr } = await following.ended;
  expect(code, stderr).toBe(0);
  expect(stdout).toContain('completed');
});

test('the engine writes its log where the backend wants it, and a place that is not there is told before it is asked', async () => {
  const site = steer();
  const config = readFileSync(join(site.directory, 'caf.config.ts'), 'utf8');
  const logs = join(site.directory, 'logs');
  site.write('caf.config.ts', config.replace('local, ', 'slurm, ').replace('local({ slots: 3 })', `slurm({ logDirectory: '${logs}' })`));
  site.slurm.hold();
  const nowhere = await site.submit();
  expect(nowhere.code, nowhere.stderr).toBe(3);
  expect(nowhere.stderr.replace(/\s+/g, ' ')).toMatch(
    /ENOENT.*logs\/caf-campaign-.*or another logDirectory of the backend than \S+\/logs, or/,
  );
  expect(existsSync(join(site.results, '.submit'))).toBe(false);

  mkdirSync(logs);
  expect(idIn(await site.submit())).toBe('1');
  const [name = ''] = submittedTo(site);
  const log = join(logs, `${name}.log`);
  expect(readFileSync(join(site.directory, 'slurm-state', '1', 'log'), 'utf8')).toBe(`${log}\n`);
  expect(readlinkSync(join(site.results, '.submit', name, 'log'))).toBe(log);
  expect((await site.run(['cancel'])).code).toBe(0);
  expect(readdirSync(logs)).toEqual([]);
});

test('a job that leaves the queue without having begun is told of to those who follow it', async () => {
  const site = steer();
  site.slurm.hold();
  const id = idIn(await site.submit());
  spawnSync(join(site.slurm.bin, 'scancel'), [`${id}_0`]);
  const { code, stderr } = await site.run(['status', '--watch']);
  expect(code).toBe(3);
  expect(stderr.replace(/\s+/g, ' ')).toContain(`slurm ${id} is not in the queue any more, and the campaign has not begun`);
});

test('what the engine warns of while it takes the campaign is shown', async () => {
  const site = steer();
  site.slurm.hold();
  site.slurm.warn("sbatch: warning: can't honor --ntasks-per-node\n");
  const submitted = await site.submit();
  expect(idIn(submitted)).toMatch(/^\d+$/);
  expect(submitted.stderr).toMatch(/^\S+ +slurm took the job, but warns: can.t honor --ntasks-per-node\n$/);
});

test('bad input and a directory in use are refused before anything is submitted or written', async () => {
  const site = steer();
  const before = readdirSync(site.directory).sort();
  for (const [args, words] of [
    [['--only', 'functoins'], "did you mean 'functions'"],
    [['--env', 'NO_SUCH_VARIABLE'], 'NO_SUCH_VARIABLE'],
    [['--time', 'soon'], 'duration'],
    [['--backend', 'slrum'], "did you mean 'slurm'"],
  ] as const) {
    const { code, stderr } = await site.submit(...args);
    expect(code, stderr).toBe(2);
    expect(stderr).toContain(words);
  }
  const none = await site.run(['submit']);
  expect(none.code).toBe(2);
  expect(none.stderr).toContain('caf submit needs an engine');
  expect(readdirSync(site.directory).sort()).toEqual(before);

  const caf = site.begin('run');
  await site.saw(...BEGUN);
  const held = await site.submit();
  expect(held.code).toBe(3);
  expect(held.stderr).toContain(`pid ${caf.pid}`);
  expect(existsSync(join(site.results, '.submit'))).toBe(false);
});

test('--dry-run shows the job and touches nothing; the job gets no other variables than those that are named', async () => {
  const site = steer();
  const before = readdirSync(site.directory).sort();
  const { code, stdout, stderr } = await site.submit(
    '--dry-run',
    '--env',
    'SITE',
    '--cores',
    '4',
    '--memory',
    '8 GB',
    '--time',
    '2 h',
    '--only',
    'functions',
  );
  expect(code, stderr).toBe(0);
  expect(stdout).toMatch(/^sbatch .*--cpus-per-task=4 .*--time=120 /);
  expect(stdout).toContain('export CAF_SLOTS=4\n');
  expect(stdout).toContain("export SITE='for jobs'\n");
  expect(stdout).not.toContain('SECRET');
  expect(stdout).toContain(`run --only=functions --output=${site.results} -- ${join(site.directory, 'caf.config.ts')}\n`);
  expect(readdirSync(site.directory).sort()).toEqual(before);
});

test('what the engine says instead of taking the job: refused is 2, later and unclear are 3, and nothing is kept of what was not taken', async () => {
  const site = steer();
  site.slurm.answer('sbatch: error: Batch job submission failed: Invalid account or account/partition combination specified\n');
  const refused = await site.submit();
  expect(refused.code).toBe(2);
  expect(refused.stderr).toMatch(/slurm refuses the campaign: .*Invalid account[\s\S]*CAF_SUBMIT_REFUSED/);
  site.slurm.answer('sbatch: error: Batch job submission failed: Unable to contact slurm controller (connect failure)\n');
  const later = await site.submit();
  expect(later.code).toBe(3);
  expect(later.stderr).toContain('CAF_SUBMIT');
  site.slurm.answer('sbatch: error: Batch job submission failed: Socket timed out on send/recv operation\n');
  const unclear = await site.submit();
  expect(unclear.code).toBe(3);
  expect(unclear.stderr).toContain('it is not in the queue: try again');
  expect(existsSync(join(site.results, '.submit'))).toBe(false);
  site.slurm.answer(null);
  site.slurm.hold();
  const id = idIn(await site.submit());
  expect(submittedTo(site)).toHaveLength(1);
  site.slurm.goDown();
  const down = await site.run(['cancel']);
  expect(down.code).toBe(3);
  expect(down.stderr).toContain(`slurm does not say whether it still has ${id}`);
  expect(submittedTo(site)).toHaveLength(1);
  const script = join(site.results, '.submit', submittedTo(site)[0] ?? '', 'script');
  expect(statSync(script).mode & 0o777).toBe(0o700);
});
