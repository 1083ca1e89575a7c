// The process that starts programs: what it starts does not depend on it.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createLocalBackend } from '../../src/backends/local.ts';
import { readStat } from '../../src/host/process-tree.ts';
import { createRig, processOf, type Rig, runs, until } from './support/rig.ts';
import { runWithoutFiles } from './support/without-files.ts';

const childUrl = new URL('../../src/worker/collector-child.ts', import.meta.url);
const launcherUrl = new URL('../../src/backends/launch-child.ts', import.meta.url);

describe('the launcher', () => {
  let rig: Rig;
  beforeEach(() => {
    rig = createRig();
  });
  afterEach(() => rig.cleanUp());
  const backendWith = () => rig.using(createLocalBackend({ slots: 2, memoryBytes: null, childUrl, launcherUrl, killGraceMs: 2000 }));
  const launcherOf = async (running: Parameters<typeof processOf>[0]) => readStat((await processOf(running)).pid)!.parent;

  it('is one process for all programs, and ends when the backend is closed, while programs live on', async () => {
    const backend = backendWith();
    const jobs = [rig.shell('echo up; sleep 1000'), rig.shell('echo up; sleep 1000')];
    const running = jobs.map((job) => backend.submit(job));
    const [launcher, other] = await Promise.all(running.map(launcherOf));
    expect(other).toBe(launcher);
    const { pid } = await processOf(running[0]!);
    await backend.close();
    expect(runs(launcher!)).toBe(false);
    expect(runs(pid)).toBe(true);
    const adopted = await Promise.all(running.map(async (job, index) => backendWith().adopt(jobs[index]!, await processOf(job))));
    await Promise.all(adopted.map((job) => job!.cancel()));
    expect(runs(pid)).toBe(false);
  });

  it('tells the process of a job that it starts while the backend is being closed', async () => {
    const backend = backendWith();
    const before = rig.shell('sleep 1000');
    const first = backend.submit(before);
    const launcher = await launcherOf(first);
    process.kill(launcher, 'SIGSTOP');
    const job = rig.shell('sleep 1000');
    const running = backend.submit(job);
    const closed = backend.close();
    process.kill(launcher, 'SIGCONT');
    await closed;
    const left = await processOf(running);
    expect(runs(left.pid)).toBe(true);
    const next = backendWith();
    await Promise.all([next.adopt(job, left)!.cancel(), next.adopt(before, await processOf(first))!.cancel()]);
    expect(runs(left.pid)).toBe(false);
  });

  it('may be killed: what runs is looked after until its end, and what comes next is started by another', async () => {
    const backend = backendWith();
    const job = rig.shell('echo up; while [ ! -e go ]; do sleep 0.02; done; echo done');
    const running = backend.submit(job);
    await rig.appears(job, 'stdout');
    const launcher = await launcherOf(running);
    process.kill(launcher, 'SIGKILL');
    await until(() => !runs(launcher));
    const next = async () => backend.submit(rig.shell('exit 5')).ended;
    let end = await next();
    // What was asked for before caf knew that it is gone was not started.
    while (end.how === 'not-started') end = await next();
    expect(end).toMatchObject({ how: 'exited', code: 5 });
    writeFileSync(join(job.directory, 'go'), '');
    // Whoever started it is gone: nobody saw its exit status.
    expect(await running.ended).toMatchObject({ how: 'unknown' });
    expect(rig.read(job, 'stdout')).toBe('up\ndone\n');
  });

  it('may be killed while it is stopped and has not begun yet: what it was asked for fails as not started', async () => {
    const backend = backendWith();
    const first = backend.submit(rig.shell('echo up; sleep 1000'));
    const launcher = await launcherOf(first);
    process.kill(launcher, 'SIGSTOP');
    const asked = backend.submit(rig.shell('touch begun'));
    process.kill(launcher, 'SIGKILL');
    expect(await asked.started).toBeNull();
    expect(await asked.ended).toEqual({ how: 'not-started', message: 'the process of caf that starts programs has ended' });
    await first.cancel();
    expect(await first.ended).toMatchObject({ how: 'cancelled' });
  });

  it('that cannot be started, because no more files can be opened, fails its programs with that reason, and is started for the next', async () => {
    const job = rig.shell('exit 7');
    const url = (path: string) => JSON.stringify(new URL(`../../src/${path}`, import.meta.url).href);
    const ends = await runWithoutFiles(
      join(rig.directory, 'script.ts'),
      `import { createLocalBackend } from ${url('backends/local.ts')};`,
      `const backend = createLocalBackend({ slots: 1, memoryBytes: null, childUrl: new URL(${url('worker/collector-child.ts')}), launcherUrl: new URL(${url('backends/launch-child.ts')}) });
       take();
       const first = await backend.submit(${JSON.stringify(job)}).ended;
       giveBack();
       tell([first, (await backend.submit(${JSON.stringify(job)}).ended)]);
       await backend.close();`,
      1,
    );
    expect(ends).toEqual([
      { how: 'not-started', message: 'the system refused another open file: the limit is reached (ulimit -n)' },
      { how: 'exited', code: 7, usage: expect.anything() },
    ]);
  });
});
