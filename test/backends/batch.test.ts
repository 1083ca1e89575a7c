// The shared runner of batch engines, on a fake Slurm with real commands and real processes: nothing is lost, nothing is done twice.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Backend, JobSubmission, RunningJob } from '../../src/backends/backend.ts';
import { type Batch, type BatchOptions, createBatch } from '../../src/backends/batch.ts';
import { slurm } from '../../src/backends/slurm.ts';
import type { BatchSpec, SlurmSite } from '../../src/domain/calibration.ts';
import type { CafEvent, JobsSeen } from '../../src/domain/event.ts';
import { type FakeSlurm, startFakeSlurm } from './support/fake-slurm.ts';
import { createRig, ENV, RESOURCES, type Rig, until } from './support/rig.ts';
import { BATCH_SPEC, SLURM_SITE } from './support/specs.ts';

let rig: Rig;
let fake: FakeSlurm;
let events: CafEvent[];
const batches: Batch<SlurmSite>[] = [];
beforeEach(async () => {
  rig = createRig();
  fake = await startFakeSlurm({ minuteMs: 300 });
  events = [];
});
afterEach(async () => {
  await Promise.all(batches.splice(0).map((batch) => batch.close()));
  await fake.close();
  await rig.cleanUp();
});

function newBatch(given: Partial<BatchOptions<SlurmSite>> = {}): Batch<SlurmSite> {
  const batch = createBatch({
    engine: slurm,
    spool: join(rig.directory, '.batch'),
    collector: [process.execPath, fileURLToPath(new URL('../../src/worker/collector-child.ts', import.meta.url))],
    pollMs: BATCH_SPEC.pollMs,
    settleMs: BATCH_SPEC.settleMs,
    emit: (event) => events.push(event),
    env: fake.env,
    ...given,
  });
  batches.push(batch);
  return batch;
}
const newBackend = (spec: Partial<BatchSpec> = {}, site: Partial<SlurmSite> = {}): Backend =>
  newBatch().backend({ ...BATCH_SPEC, ...spec }, { ...SLURM_SITE, ...site });
const warnings = () => events.filter(({ type }) => type === 'warning');
const callsOf = (command: string) => fake.calls.filter(([name]) => name === command);
const endsOf = (jobs: readonly RunningJob[]) => Promise.all(jobs.map(({ ended }) => ended));

describe('submission', () => {
  it('has the engine write its log where the site wants it, and removes it with the array', async () => {
    const logs = join(rig.directory, 'logs');
    mkdirSync(logs);
    const batch = newBatch();
    const backend = batch.backend({ ...BATCH_SPEC, logDirectory: logs }, SLURM_SITE);
    await endsOf([backend.submit(rig.shell('exit 0'))]);
    expect(fake.tasks.map(({ log }) => dirname(log))).toEqual([logs]);
    expect(readdirSync(logs)).toEqual([basename(fake.tasks[0]?.log ?? '')]);
    await batch.close();
    expect(readdirSync(logs)).toEqual([]);
  });

  it('starts nothing where that place is not there', async () => {
    const backend = newBackend({ logDirectory: join(rig.directory, 'nowhere') });
    const [end] = await endsOf([backend.submit(rig.shell('exit 0'))]);
    expect(end).toEqual({ how: 'not-started', message: expect.stringMatching(/could not be written: ENOENT.*nowhere/) });
    expect(fake.tasks).toEqual([]);
  });

  it('tells once what the engine warns of while it takes jobs', async () => {
    const backend = newBackend();
    fake.fault('warns');
    for (let i = 0; i < 2; i += 1) await endsOf([backend.submit(rig.shell('exit 0'))]);
    expect(callsOf('sbatch').filter(([, first]) => first !== '--version')).toHaveLength(2);
    expect(warnings()).toEqual([
      { type: 'warning', code: 'CAF_ENGINE', message: "slurm took the jobs, but warns: can't honor --ntasks-per-node set to 4" },
    ]);
  });

  it('makes one array of all jobs of one moment, and asks for none of them alone', async () => {
    const backend = newBackend();
    const jobs = Array.from({ length: 60 }, (_, i) => backend.submit(rig.shell(`echo ${i}; exit 0`)));
    expect((await endsOf(jobs)).map((end) => (end.how === 'exited' ? end.code : end))).toEqual(jobs.map(() => 0));
    expect(callsOf('sbatch')).toHaveLength(1);
    expect(fake.calls.filter(([name]) => name === 'sacct' || name === 'scancel')).toEqual([]);
    expect(await jobs[59]?.started).toEqual({ engine: 'slurm', id: '1_59' });
    expect((await jobs[59]?.ended) ?? null).toMatchObject({ usage: { node: hostname() } });
  });

  it('puts an array on the disk before the engine hears of it, and does not submit it when that cannot be', async () => {
    const seen: { names: readonly string[]; submissions: number }[] = [];
    let disk: Error | null = null;
    const makeDurable = async (paths: readonly string[]) => {
      seen.push({ names: paths.map((path) => basename(path)), submissions: callsOf('sbatch').length });
      if (disk !== null) throw disk;
    };
    const backend = newBatch({ makeDurable }).backend(BATCH_SPEC, SLURM_SITE);
    expect(await backend.submit(rig.shell('exit 0')).ended).toMatchObject({ how: 'exited', code: 0 });
    const array = expect.stringMatching(/^[0-9a-f]{10}$/);
    expect(seen).toEqual([{ names: ['array.json', 'script', 'tasks', array, '.batch'], submissions: 0 }]);
    disk = new Error('no space left');
    expect(await backend.submit(rig.shell('exit 0')).ended).toEqual({
      how: 'not-started',
      message: 'its array job could not be written: no space left',
    });
    expect(callsOf('sbatch')).toHaveLength(1);
    // That of the first job: of the other nothing is left for a later caf to look for.
    expect(readdirSync(join(rig.directory, '.batch'))).toHaveLength(1);
  });

  it('ends the jobs of an array whose submission breaks, and goes on with others', async () => {
    let isBroken = true;
    const makeDurable = async (paths: readonly string[]) => {
      // Where the command would write its answer.
      const array = paths.find((path) => /^[0-9a-f]{10}$/.test(basename(path))) ?? '';
      if (isBroken) mkdirSync(join(array, 'answer'));
    };
    const backend = newBatch({ makeDurable }).backend(BATCH_SPEC, SLURM_SITE);
    expect(await endsOf([backend.submit(rig.shell('exit 0')), backend.submit(rig.shell('exit 0'))])).toEqual([
      { how: 'not-started', message: expect.stringMatching(/could not be submitted: EISDIR.*answer/) },
      { how: 'not-started', message: expect.stringMatching(/could not be submitted: EISDIR.*answer/) },
    ]);
    const [array = ''] = readdirSync(join(rig.directory, '.batch'));
    expect(existsSync(join(rig.directory, '.batch', array, 'void'))).toBe(true);
    isBroken = false;
    expect(await backend.submit(rig.shell('exit 0')).ended).toMatchObject({ how: 'exited', code: 0 });
  });

  it('keeps arrays below the limits of the engine and of the user', async () => {
    const backend = newBackend({ maxArray: 25 });
    await endsOf(Array.from({ length: 60 }, () => backend.submit(rig.shell('exit 0'))));
    expect(callsOf('sbatch').map((call) => call.find((word) => word.startsWith('--array')))).toEqual([
      '--array=0-24',
      '--array=0-24',
      '--array=0-9',
    ]);
  });

  it('submits 1,000 jobs with ten commands, and cancels them with one', async () => {
    fake.fault('full');
    const backend = newBackend({ maxJobs: 1000, maxArray: 100 });
    const one = rig.shell('exit 0');
    const jobs = Array.from({ length: 1000 }, (_, i) => backend.submit({ ...one, job: i, token: `many-${i}` }));
    const handles = await Promise.all(jobs.map(({ started }) => started));
    expect(new Set(handles.map((handle) => JSON.stringify(handle))).size).toBe(1000);
    expect(callsOf('sbatch')).toHaveLength(10);
    await Promise.all(jobs.map((job) => job.cancel()));
    expect((await endsOf(jobs)).every(({ how }) => how === 'cancelled')).toBe(true);
    expect(callsOf('scancel')).toHaveLength(1);
    expect(callsOf('sacct')).toEqual([]);
  });

  it('makes arrays of their own for other resources', async () => {
    const backend = newBackend();
    const resources = { memoryBytes: 4e9 };
    await endsOf([
      backend.submit(rig.shell('exit 0')),
      backend.submit(rig.shell('exit 0', { resources })),
      backend.submit(rig.shell('exit 0')),
    ]);
    expect(callsOf('sbatch').map((call) => call.find((word) => word.startsWith('--mem')))).toEqual(['--mem=1908M', '--mem=3815M']);
  });

  it('lets what comes behind a long queue come together, when half of that is done', async () => {
    fake.fault('full');
    const backend = newBackend();
    const first = Array.from({ length: 120 }, () => backend.submit(rig.shell('exit 0')));
    await Promise.all(first.map(({ started }) => started));
    const later: RunningJob[] = [];
    for (let i = 0; i < 5; i += 1) {
      later.push(backend.submit(rig.shell('exit 0')));
      // More than the time within which jobs are gathered.
      const asked = callsOf('squeue').length;
      await until(() => callsOf('squeue').length > asked + 1);
    }
    expect(callsOf('sbatch')).toHaveLength(1);
    fake.fault(null);
    await endsOf([...first, ...later]);
    expect(callsOf('sbatch')).toHaveLength(2);
    expect(fake.tasks).toHaveLength(125);
  });

  it('submits at once where jobs do not wait', async () => {
    const backend = newBackend();
    await backend.submit(rig.shell('exit 0')).ended;
    await backend.submit(rig.shell('exit 0')).ended;
    expect(callsOf('sbatch')).toHaveLength(2);
  });

  it('leaves no more than four files for a job that ended well', async () => {
    const backend = newBackend();
    const job = rig.shell('echo out; echo err >&2; echo data > data; exit 0');
    await backend.submit(job).ended;
    backend.forget(job.directory);
    expect(readdirSync(job.directory).sort()).toEqual(['data', 'stderr', 'stdout']);
  });

  it('says what is wrong when the engine refuses', async () => {
    const end = await newBackend({}, { partition: 'nosuch' }).submit(rig.shell('exit 0')).ended;
    expect(end).toMatchObject({
      how: 'not-started',
      message: expect.stringMatching(/^slurm refused it: .*invalid partition specified: nosuch/),
    });
  });

  it('finds an array that was taken although the command said that it timed out, and does not submit it again', async () => {
    fake.fault('submit-unclear');
    expect(await newBackend().submit(rig.shell('exit 0')).ended).toMatchObject({ how: 'exited', code: 0 });
    expect(callsOf('sbatch')).toHaveLength(1);
  });

  it('waits for a controller that is down, says so, and goes on', async () => {
    fake.fault('down');
    const job = newBackend().submit(rig.shell('exit 0'));
    await until(() => events.some((event) => event.type === 'warning' && event.message.includes('takes no jobs')));
    fake.fault(null);
    expect(await job.ended).toMatchObject({ how: 'exited', code: 0 });
    expect(fake.tasks).toHaveLength(1);
  });

  it('admits no more jobs than may be in the queue, and then many at once', async () => {
    const backend = newBackend({ maxJobs: 4 });
    const signal = new AbortController().signal;
    const admitted: number[] = [];
    const all = Array.from({ length: 6 }, (_, i) =>
      backend.admit(RESOURCES, signal).then((admission) => {
        admitted.push(i);
        return admission;
      }),
    );
    const first = await Promise.all(all.slice(0, 4));
    first[0]?.release();
    await Promise.resolve();
    expect(admitted).toEqual([0, 1, 2, 3]);
    first[1]?.release();
    await Promise.all(all);
    expect(admitted).toEqual([0, 1, 2, 3, 4, 5]);
  });
});

describe('what a job gets', () => {
  it('inherits nothing of caf, and has what the engine says of itself', async () => {
    process.env.CAF_TEST_SECRET = 'hunter2';
    const job = rig.program(['/usr/bin/env'], { env: { ONE: '1', 'ODD.NAME': "it's\ntwo lines" } });
    await newBackend().submit(job).ended;
    delete process.env.CAF_TEST_SECRET;
    const text = rig.read(job, 'stdout');
    expect(text).toContain("ODD.NAME=it's\ntwo lines\n");
    expect(text).toContain('ONE=1\n');
    expect(text).toContain('PATH=/usr/local/bin:/usr/bin:/bin\n');
    expect(text).toContain('SLURM_ARRAY_TASK_ID=0\n');
    expect(text).not.toContain('hunter2');
  });

  it('gets its arguments as they are', async () => {
    const words = ['a b', `'"`, 'two\nlines', '$(touch stolen)', '`id`', '-rf', '*', '', 'Größe µ 漢', 'x'.repeat(300), '\\'];
    const job = rig.program(['/usr/bin/printf', '%s\\0', ...words]);
    await newBackend().submit(job).ended;
    expect(rig.read(job, 'stdout')).toBe(`${words.join('\0')}\0`);
  });

  it('has a scratch directory of its own, which is gone afterwards', async () => {
    const job = rig.shell('echo "$TMPDIR"; touch "$TMPDIR/x"', { env: ENV });
    await newBackend({ scratch: rig.directory }).submit(job).ended;
    const own = rig.read(job, 'stdout')?.trim() ?? '';
    expect(own).toMatch(/\/caf\.\w{6}$/);
    expect(existsSync(own)).toBe(false);
  });

  it('begins with the lines of the site', async () => {
    const job = rig.shell('echo "$SITE"', { env: ENV });
    await newBackend({ setup: ['export SITE="of the site"'] }).submit(job).ended;
    expect(rig.read(job, 'stdout')).toBe('of the site\n');
  });
});

describe('how a job ends', () => {
  it.each([
    ['exit 37', { how: 'exited', code: 37 }],
    ['kill -SEGV $$', { how: 'signalled', signal: 'SIGSEGV' }],
  ])('%s', async (script, end) => {
    expect(await newBackend().submit(rig.shell(script)).ended).toMatchObject(end);
  });

  it('at its time limit, whatever its program says', async () => {
    const job = rig.shell('trap "exit 0" TERM; sleep 1000 & wait', { resources: { timeMs: 60_000 } });
    expect(await newBackend().submit(job).ended).toMatchObject({ how: 'time-limit', limitMs: 60_000 });
  });

  it.each([
    // The queue does not say by whom.
    ['CANCELLED', { how: 'removed', by: 'the user with number 1000' }],
    ['PREEMPTED', { how: 'preempted' }],
    ['OUT_OF_MEMORY', { how: 'out-of-memory', limitBytes: 2e9 }],
    ['NODE_FAIL', { how: 'node-lost', detail: 'the node n1 failed' }],
  ])('%s by the engine', async (state, end) => {
    const job = rig.shell('echo up; exec sleep 1000');
    const running = newBackend().submit(job);
    await rig.appears(job, 'stdout');
    fake.become(0, state, 'None');
    expect(await running.ended).toMatchObject(end);
  });

  it('well, whatever the engine says afterwards: the work is done', async () => {
    const job = rig.shell('exit 0');
    const running = newBackend().submit(job);
    expect(await running.ended).toMatchObject({ how: 'exited', code: 0 });
  });

  it('is found in the history when the queue has forgotten it', async () => {
    fake.fault('forgets');
    expect(await newBackend().submit(rig.shell('kill -KILL $PPID; exit 9')).ended).toMatchObject({ how: 'signalled', signal: 'SIGKILL' });
    expect(callsOf('sacct').length).toBeGreaterThan(0);
  });

  it('is called lost when neither knows it, and only after a while', async () => {
    fake.fault('forgets-all');
    const job = rig.shell('kill -KILL $PPID');
    expect(await newBackend().submit(job).ended).toMatchObject({
      how: 'node-lost',
      detail: 'neither the queue nor the history of slurm knows it any more',
    });
  });

  it('is not looked for in another job that was given its number', async () => {
    const job = rig.shell('echo up; while [ ! -e go ]; do sleep 0.02; done');
    const running = newBackend().submit(job);
    await rig.appears(job, 'stdout');
    (fake.tasks[0] as { name: string }).name = 'somebody-else';
    expect(await running.ended).toMatchObject({
      how: 'node-lost',
      detail: 'neither the queue nor the history of slurm knows it any more',
    });
  });

  it('is not concluded from a controller that does not answer', async () => {
    const job = rig.shell('echo up; while [ ! -e go ]; do sleep 0.02; done; exit 3');
    const running = newBackend().submit(job);
    await rig.appears(job, 'stdout');
    fake.fault('down');
    await until(() => events.some((event) => event.type === 'warning' && event.message.includes('does not answer')));
    writeFileSync(join(job.directory, 'go'), '');
    await until(() => existsSync(join(job.directory, 'batch.ended')));
    fake.fault(null);
    expect(await running.ended).toMatchObject({ how: 'exited', code: 3 });
    await until(() => events.some((event) => event.type === 'warning' && event.message === 'slurm answers again'));
  });

  it('tells once what has to be done for jobs that are held', async () => {
    fake.fault('full');
    const job = newBackend().submit(rig.shell('exit 0'));
    await job.started;
    fake.become(0, 'PENDING', 'JobHeldAdmin');
    await until(() => warnings().length > 0);
    expect(warnings()).toEqual([
      {
        type: 'warning',
        code: 'CAF_ENGINE',
        message: 'the job 1_0 waits on slurm: JobHeldAdmin',
        hint: expect.stringContaining('an administrator has to release it'),
      },
    ]);
    fake.become(0, 'PENDING', 'None');
    fake.fault(null);
    expect(await job.ended).toMatchObject({ how: 'exited', code: 0 });
  });

  it('tells of jobs that somebody suspends', async () => {
    fake.fault('full');
    const job = newBackend().submit(rig.shell('exit 0'));
    await job.started;
    fake.become(0, 'SUSPENDED', 'None');
    await until(() => warnings().length > 0);
    expect(warnings()).toMatchObject([
      {
        type: 'warning',
        message: 'the job 1_0 is suspended on slurm',
        hint: expect.stringContaining('it goes on when the engine lets it'),
      },
    ]);
    fake.become(0, 'PENDING', 'None');
    fake.fault(null);
    expect(await job.ended).toMatchObject({ how: 'exited', code: 0 });
  });

  it('is not taken for one that was started twice where its node may not write: that would be tried again for ever', async () => {
    const job = rig.shell('echo once >> once');
    // Leads to where no file can be made, as a directory that is read-only there.
    symlinkSync('/nowhere/at/all', join(job.directory, 'batch.started'));
    expect(await newBackend().submit(job).ended).toEqual({
      how: 'not-started',
      message: expect.stringMatching(/^its node cannot write in .*attempt-0/),
    });
    expect(rig.read(job, 'once')).toBeNull();
  });

  it('does nothing when it is started a second time in its directory', async () => {
    const job = rig.shell('echo once >> once; exec sleep 1000');
    writeFileSync(join(job.directory, 'batch.started'), 'n1 1.0\n');
    expect(await newBackend().submit(job).ended).toMatchObject({ how: 'node-lost' });
    expect(rig.read(job, 'once')).toBeNull();
  });
});

describe('cancel', () => {
  it('is one command for many jobs, running and waiting', async () => {
    const backend = newBackend();
    const first = rig.shell('echo up; sleep 1000');
    const jobs = [backend.submit(first), ...Array.from({ length: 30 }, () => backend.submit(rig.shell('exec sleep 1000')))];
    await rig.appears(first, 'stdout');
    await Promise.all(jobs.map((job) => job.cancel()));
    expect((await endsOf(jobs)).map(({ how }) => how)).toEqual(jobs.map(() => 'cancelled'));
    expect(callsOf('scancel')).toEqual([['scancel', '1_[0-30]']]);
  });

  it('takes back what was not submitted yet', async () => {
    const job = newBackend().submit(rig.shell('exit 0'));
    await job.cancel();
    expect(await job.ended).toMatchObject({ how: 'cancelled' });
    expect(callsOf('sbatch')).toEqual([]);
  });

  it('is said again until it was heard', async () => {
    const job = rig.shell('echo up; exec sleep 1000');
    const running = newBackend().submit(job);
    await rig.appears(job, 'stdout');
    fake.fault('down');
    const cancelled = running.cancel();
    await until(() => callsOf('scancel').length > 0);
    fake.fault(null);
    await cancelled;
    expect(await running.ended).toMatchObject({ how: 'cancelled' });
  });
});

describe('where jobs are', () => {
  const seen = () => events.flatMap((event) => (event.type === 'jobs.seen' ? [event] : []));
  const placesOf = (event: JobsSeen | undefined) =>
    event === undefined ? '' : [event.running, event.queued, event.held, event.suspended].join(' ');

  it('is told from the one query: who waits and why, runs, is held or suspended, and that nobody is left', async () => {
    fake.fault('full');
    const backend = newBackend();
    const jobs = ['one', 'two', 'three'].map(() => rig.shell('while [ ! -e go ]; do sleep 0.02; done'));
    const running = jobs.map((job) => backend.submit(job));
    await until(() => fake.tasks.length === 3);
    fake.become(0, 'PENDING', 'JobHeldUser');
    fake.become(1, 'SUSPENDED', 'None');
    fake.become(2, 'PENDING', 'Priority');
    await until(() => placesOf(seen().at(-1)) === '0 1 1 1');
    expect(seen().at(-1)).toMatchObject({ engine: 'slurm', calibration: 'cal', iteration: 0, reason: 'Priority', algorithm: null });
    fake.fault(null);
    for (const task of [0, 1, 2]) fake.become(task, 'PENDING', 'None');
    await until(() => placesOf(seen().at(-1)) === '3 0 0 0');
    const [queries, since] = [callsOf('squeue').length, performance.now()];
    for (const { directory } of jobs) writeFileSync(join(directory, 'go'), '');
    await endsOf(running);
    await until(() => placesOf(seen().at(-1)) === '0 0 0 0');
    // Before the first of them was taken, all were told to wait.
    expect(placesOf(seen()[0])).toBe('0 3 0 0');
    // One query for all of them, and none more often than it may be, however long it takes.
    expect(callsOf('squeue').length - queries).toBeLessThanOrEqual((performance.now() - since) / BATCH_SPEC.pollMs + 1);
    expect(callsOf('scontrol')).toHaveLength(1);
  });

  it('is told of the job of an algorithm by itself, and at the end of what is left in the engine', async () => {
    const batch = newBatch();
    const backend = batch.backend(BATCH_SPEC, SLURM_SITE);
    const job = rig.shell('echo up; exec sleep 1000');
    backend.submit({ ...job, isAlgorithm: true });
    await rig.appears(job, 'stdout');
    await until(() => seen().at(-1)?.algorithm === 'running');
    await batch.close();
    expect(seen().at(-1)).toMatchObject({ running: 0, queued: 0, algorithm: 'running' });
  });
});

describe('after its caf has gone', () => {
  const leave = async (job: JobSubmission): Promise<RunningJob> => {
    const batch = newBatch();
    const running = batch.backend(BATCH_SPEC, SLURM_SITE).submit(job);
    await rig.appears(job, 'stdout');
    await batch.close();
    return running;
  };

  it('adopts a job by its id, with its exit status', async () => {
    const job = rig.shell('echo up; while [ ! -e go ]; do sleep 0.02; done; exit 7');
    const handle = await (await leave(job)).started;
    const adopted = newBackend().adopt(job, handle);
    writeFileSync(join(job.directory, 'go'), '');
    expect(await adopted?.started).toEqual(handle);
    expect(await adopted?.ended).toMatchObject({ how: 'exited', code: 7 });
  });

  it('finds a job whose id nobody wrote down, by what the command printed', async () => {
    const job = rig.shell('echo up; while [ ! -e go ]; do sleep 0.02; done; exit 0');
    await leave(job);
    const adopted = newBackend().adopt(job, null);
    expect(await adopted?.started).toEqual({ engine: 'slurm', id: '1_0' });
    writeFileSync(join(job.directory, 'go'), '');
    expect(await adopted?.ended).toMatchObject({ how: 'exited', code: 0 });
  });

  it('finds it by its name where the command was killed before it printed', async () => {
    const job = rig.shell('echo up; while [ ! -e go ]; do sleep 0.02; done; exit 0');
    await leave(job);
    const [array = ''] = readdirSync(join(rig.directory, '.batch'));
    writeFileSync(join(rig.directory, '.batch', array, 'answer'), '');
    const adopted = newBackend().adopt(job, null);
    expect(await adopted?.started).toEqual({ engine: 'slurm', id: '1_0' });
    writeFileSync(join(job.directory, 'go'), '');
    expect(await adopted?.ended).toMatchObject({ how: 'exited', code: 0 });
    expect(callsOf('sbatch')).toHaveLength(1);
  });

  it('is sure that it was never submitted before it says so, and then keeps it from starting', async () => {
    const job = rig.shell('echo up; while [ ! -e go ]; do sleep 0.02; done; exit 0');
    await leave(job);
    writeFileSync(join(job.directory, 'go'), '');
    const [array = ''] = readdirSync(join(rig.directory, '.batch'));
    const directory = join(rig.directory, '.batch', array);
    writeFileSync(join(directory, 'answer'), '');
    const file = JSON.parse(readFileSync(join(directory, 'array.json'), 'utf8'));
    writeFileSync(join(directory, 'array.json'), JSON.stringify({ ...file, name: 'another' }));
    expect(await newBackend().adopt(job, null)?.ended).toMatchObject({ how: 'node-lost' });
    expect(existsSync(join(directory, 'void'))).toBe(true);
    expect(callsOf('sacct').length).toBeGreaterThan(0);
  });

  it('finds it in the array that counts, not in one that was given up before', async () => {
    const job = rig.shell('echo up; while [ ! -e go ]; do sleep 0.02; done; exit 0');
    await leave(job);
    const spool = join(rig.directory, '.batch');
    const [array = ''] = readdirSync(spool);
    // An unclear answer had it submitted once more; whatever order the directory is read in.
    for (const other of ['0000000000', 'ffffffffff']) {
      mkdirSync(join(spool, other));
      writeFileSync(join(spool, other, 'array.json'), readFileSync(join(spool, array, 'array.json'), 'utf8').replace(array, other));
      for (const name of ['answer', 'void']) writeFileSync(join(spool, other, name), '');
    }
    const adopted = newBackend().adopt(job, null);
    writeFileSync(join(job.directory, 'go'), '');
    expect(await adopted?.started).toEqual({ engine: 'slurm', id: '1_0' });
    expect(await adopted?.ended).toMatchObject({ how: 'exited', code: 0 });
  });

  it('says so where it cannot be found out whether it was submitted', async () => {
    const job = rig.shell('echo up; while [ ! -e go ]; do sleep 0.02; done; exit 0');
    await leave(job);
    const [array = ''] = readdirSync(join(rig.directory, '.batch'));
    const directory = join(rig.directory, '.batch', array);
    rmSync(join(directory, 'answer'));
    mkdirSync(join(directory, 'answer'));
    expect(await newBackend().adopt(job, null)?.ended).toMatchObject({ how: 'node-lost', detail: expect.stringMatching(/EISDIR/) });
    expect(existsSync(join(directory, 'void'))).toBe(true);
  });

  it('knows at once that an attempt was never in an array', () => {
    expect(newBackend().adopt(rig.shell('exit 0'), null)).toBeNull();
  });

  it('reads the result of a job that ended meanwhile', async () => {
    const job = rig.shell('echo up; while [ ! -e go ]; do sleep 0.02; done; exit 0');
    const handle = await (await leave(job)).started;
    writeFileSync(join(job.directory, 'go'), '');
    await until(() => existsSync(join(job.directory, 'batch.ended')));
    fake.fault('forgets-all');
    expect(await newBackend().adopt(job, handle)?.ended).toMatchObject({ how: 'exited', code: 0 });
  });

  it('ends an adopted job', async () => {
    const job = rig.shell('echo up; exec sleep 1000');
    const handle = await (await leave(job)).started;
    const adopted = newBackend().adopt(job, handle);
    await adopted?.cancel();
    expect(await adopted?.ended).toMatchObject({ how: 'cancelled' });
  });
});
