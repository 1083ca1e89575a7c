// The local backend: the contract of all backends, and what only it does: exact environments, trees of processes, slots, pids, limits of logs.
import { spawn } from 'node:child_process';
import { chmodSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Backend, JobSubmission } from '../../src/backends/backend.ts';
import { createLocalBackend, type LocalBackendOptions } from '../../src/backends/local.ts';
import { describeContract } from './contract.ts';
import { createRig, ENV, processOf, RESOURCES, type Rig, runs, until } from './support/rig.ts';
import { submitAndDie } from './support/submit-and-die.ts';

const childUrl = new URL('../../src/worker/collector-child.ts', import.meta.url);
const launcherUrl = new URL('../../src/backends/launch-child.ts', import.meta.url);
const NEVER = new AbortController().signal;

let rig: Rig;
beforeEach(() => {
  rig = createRig();
});
afterEach(() => rig.cleanUp());

const backendWith = (options: Partial<LocalBackendOptions> = {}): Backend =>
  rig.using(createLocalBackend({ slots: 2, memoryBytes: null, childUrl, launcherUrl, killGraceMs: 2000, ...options }));

describe('the contract of backends: this machine', () => {
  const hog = `globalThis.b = Buffer.alloc(160e6, 1); setInterval(() => 0, 1000)`;
  describeContract(
    () => rig,
    () => ({
      backend: backendWith,
      shortLimitMs: 300,
      memoryHog: { argv: [process.execPath, '-e', hog], limitBytes: 150e6 },
      // Only its parent learns that of a process.
      knowsEndOfAdopted: false,
    }),
  );
});

describe('the local backend', () => {
  describe('what a program gets', () => {
    it('has exactly the environment it is given', async () => {
      process.env.CAF_TEST_SECRET = 'hunter2';
      const job = rig.program(['/usr/bin/env', '-0'], { env: { ONE: '1', SPACED: ' a\n$(b) ' } });
      await backendWith().submit(job).ended;
      delete process.env.CAF_TEST_SECRET;
      expect(rig.read(job, 'stdout')?.split('\0').filter(Boolean).sort()).toEqual(['ONE=1', 'SPACED= a\n$(b) ']);
    });
  });

  describe('how it ends', () => {
    it('ends a job at its time limit, with everything it started', async () => {
      const job = rig.shell('sleep 1000 & echo $!; wait', { resources: { timeMs: 1000 } });
      const running = backendWith().submit(job);
      const grandchild = Number(await rig.appears(job, 'stdout'));
      expect(await running.ended).toMatchObject({ how: 'time-limit', limitMs: 1000 });
      expect(runs(grandchild)).toBe(false);
    });

    it('takes a time limit of more than 2^31 ms for what it is', async () => {
      const job = rig.shell('read line < gate; exit 5', { resources: { timeMs: 40 * 86_400_000 } });
      await backendWith().submit(rig.program(['/usr/bin/mkfifo', join(job.directory, 'gate')])).ended;
      const { ended } = backendWith().submit(job);
      await backendWith().submit(rig.shell(`echo go > '${job.directory}/gate'`)).ended;
      expect(await ended).toMatchObject({ how: 'exited', code: 5 });
    });

    it('ends a job whose processes together hold more memory than its limit', async () => {
      const hold = `${process.execPath} -e "globalThis.b = Buffer.alloc(80e6, 1); setInterval(() => 0, 1000)"`;
      const job = rig.shell(`${hold} & ${hold} & wait`, { resources: { memoryBytes: 150e6 } });
      const end = await backendWith().submit(job).ended;
      expect(end).toMatchObject({ how: 'out-of-memory', limitBytes: 150e6 });
      expect(end.how === 'out-of-memory' && end.usedBytes).toBeGreaterThan(150e6);
      expect(end.how === 'out-of-memory' && end.usage.maxRssBytes).toBeGreaterThan(150e6);
    });

    it('says what is wrong when a program cannot be started', async () => {
      const backend = backendWith();
      const messageOf = async (job: JobSubmission) => {
        const end = await backend.submit(job).ended;
        return end.how === 'not-started' ? end.message : end.how;
      };
      writeFileSync(join(rig.directory, 'plain'), 'no program');
      writeFileSync(join(rig.directory, 'script'), '#!/no/such/interpreter\n');
      chmodSync(join(rig.directory, 'script'), 0o755);
      expect(await messageOf(rig.program(['no-such-program-1']))).toMatch(/"no-such-program-1" was not found on PATH \(\/usr/);
      expect(await messageOf(rig.program(['/no/such']))).toBe('the program "/no/such" does not exist');
      expect(await messageOf(rig.program([join(rig.directory, 'plain')]))).toMatch(/may not be executed/);
      expect(await messageOf(rig.program([join(rig.directory, 'script')]))).toMatch(/interpreter named in its first line/);
      expect(await messageOf(rig.program(['/bin/true', 'x'.repeat(200_000)]))).toMatch(/too long for the system: \d+ bytes/);
      expect(await messageOf({ ...rig.program(['/bin/true']), directory: '/no/dir' })).toBe('its directory /no/dir does not exist');
    });
  });

  describe('cancel', () => {
    it('ends the whole tree: children, grandchildren, and who left the group', async () => {
      const job = rig.shell(`
        setsid sh -c 'echo $$ > escaped; exec sleep 1001' &
        sh -c 'sleep 1002 & echo $! > grandchild; wait' &
        wait`);
      const running = backendWith().submit(job);
      const pids = [Number(await rig.appears(job, 'escaped')), Number(await rig.appears(job, 'grandchild'))];
      expect(pids.map(runs)).toEqual([true, true]);
      await running.cancel();
      expect(pids.map(runs)).toEqual([false, false]);
      expect(await running.ended).toMatchObject({ how: 'cancelled' });
    });

    it('kills what ignores SIGTERM after the grace time', async () => {
      const job = rig.shell('trap "" TERM; sleep 1000 & echo $!; wait; sleep 1000');
      const running = backendWith({ killGraceMs: 50 }).submit(job);
      const child = Number(await rig.appears(job, 'stdout'));
      await running.cancel();
      expect([child, (await processOf(running)).pid].map(runs)).toEqual([false, false]);
    });

    it('ends what a program leaves behind when it exits', async () => {
      const job = rig.shell('sleep 1000 & echo $!');
      expect(await backendWith().submit(job).ended).toMatchObject({ how: 'exited', code: 0 });
      expect(runs(Number(rig.read(job, 'stdout')))).toBe(false);
    });
  });

  describe('admission', () => {
    it('is first come, first served: a big job is not overtaken', async () => {
      const backend = backendWith({ slots: 2 });
      const order: string[] = [];
      const admit = (label: string, cores: number) =>
        backend.admit({ ...RESOURCES, cores }, NEVER).then((admission) => {
          order.push(label);
          return admission;
        });
      const first = await admit('first', 1);
      const big = admit('big', 2);
      const small = admit('small', 1);
      first.release();
      (await big).release();
      (await small).release();
      expect(order).toEqual(['first', 'big', 'small']);
    });

    it('gives up the place of who stops waiting', async () => {
      const backend = backendWith({ slots: 1 });
      const first = await backend.admit(RESOURCES, NEVER);
      const stop = new AbortController();
      const second = backend.admit(RESOURCES, stop.signal);
      const third = backend.admit(RESOURCES, NEVER);
      stop.abort();
      await expect(second).rejects.toMatchObject({ name: 'AbortError' });
      first.release();
      (await third).release();
    });

    it('says why a job can never fit', () => {
      const backend = backendWith({ slots: 2, memoryBytes: 4e9 });
      expect(backend.refuses(RESOURCES)).toBeNull();
      expect(backend.refuses({ ...RESOURCES, cores: 8 })).toBe('it asks for 8 cores, and the local backend has 2 slots');
      expect(backend.refuses({ ...RESOURCES, memoryBytes: 5e9 })).toMatch(/5 GB of memory.* 4 GB/);
    });
  });

  describe('after its caf was killed', () => {
    it('adopts a program that still runs, and ends it on demand', async () => {
      const job = rig.shell('echo up; sleep 1000');
      const identity = await submitAndDie(rig, job, 'stdout');
      const adopted = backendWith().adopt(job, identity);
      expect(await adopted?.started).toEqual(identity);
      await adopted?.cancel();
      expect(runs(identity.pid)).toBe(false);
      expect(await adopted?.ended).toMatchObject({ how: 'cancelled' });
    });

    it('cannot know the exit status of an adopted program, but keeps its log complete', async () => {
      const job = rig.shell('echo up; while [ ! -e go ]; do sleep 0.02; done; echo done');
      const adopted = backendWith().adopt(job, await submitAndDie(rig, job, 'stdout'));
      writeFileSync(join(job.directory, 'go'), '');
      expect(await adopted?.ended).toMatchObject({ how: 'unknown' });
      expect(rig.read(job, 'stdout')).toBe('up\ndone\n');
    });

    it('never adopts a stranger who has the same pid', async () => {
      const stranger = spawn('/bin/sleep', ['1000']);
      const running = backendWith().submit(rig.shell('sleep 1000'));
      const own = await processOf(running);
      const reused = { ...own, pid: stranger.pid!, startTicks: own.startTicks + 1 }; // the stranger began earlier
      expect(backendWith().adopt(rig.shell('true'), reused)).toBeNull();
      expect(backendWith().adopt(rig.shell('true'), { ...own, bootId: 'an earlier boot' })).toBeNull();
      expect(backendWith().adopt(rig.shell('true'), { ...own, host: 'elsewhere' })).toBeNull();
      expect([stranger.pid!, own.pid].map(runs)).toEqual([true, true]);
      stranger.kill('SIGKILL');
      await running.cancel();
    });
  });

  describe('what jobs print', () => {
    it('keeps its own memory flat when a job prints 1,000,000 lines and one of 100 MB', async () => {
      const before = process.memoryUsage.rss();
      const lines = rig.shell('yes "a line of output" | head -n 1000000');
      const long = rig.shell('head -c 100000000 /dev/zero | tr "\\0" x; echo');
      const backend = backendWith();
      await Promise.all([backend.submit(lines).ended, backend.submit(long).ended]);
      expect(statSync(join(lines.directory, 'stdout')).size).toBe(17_000_000);
      expect(statSync(join(long.directory, 'stdout')).size).toBe(100_000_001);
      expect(process.memoryUsage.rss() - before).toBeLessThan(50e6);
    });

    it('cuts a log at its limit and says so in it, while the job runs and at its end', async () => {
      const job = rig.shell(
        'head -c 5000 /dev/zero | tr "\\0" x; while [ ! -e go ]; do sleep 0.02; done; head -c 5000 /dev/zero | tr "\\0" y',
      );
      const { ended } = backendWith({ maxLogBytes: 1000 }).submit(job);
      await until(() => rig.read(job, 'stdout')?.includes('5000 bytes') ?? false);
      writeFileSync(join(job.directory, 'go'), '');
      await ended;
      expect(rig.read(job, 'stdout')).toMatch(/^x{1000}\n\[caf: this log had \d+ bytes; only the first 1000 are kept\]\n$/);
    });
  });

  it('admits a hundred jobs one after the other and loses none', async () => {
    const backend = backendWith({ slots: 4 });
    const codes = await Promise.all(
      Array.from({ length: 100 }, async (_, index) => {
        const admission = await backend.admit(RESOURCES, NEVER);
        const end = await backend.submit(rig.program(['/bin/sh', '-c', `exit ${index}`], { env: ENV })).ended;
        admission.release();
        return end.how === 'exited' ? end.code : end.how;
      }),
    );
    expect(codes).toEqual(Array.from({ length: 100 }, (_, index) => index));
  });
});
