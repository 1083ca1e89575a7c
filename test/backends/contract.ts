// What every backend must do, whatever it runs jobs on: one suite, for this machine, for real batch engines, and for fakes of them.
import { execFileSync } from 'node:child_process';
import { closeSync, constants, openSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Backend, JobSubmission } from '../../src/backends/backend.ts';
import type { JobHandle } from '../../src/domain/job.ts';
import { type Rig, until } from './support/rig.ts';

export interface BackendUnderTest {
  /** As of a new caf: it knows nothing of the others. Closed in the end. */
  backend(): Backend;
  /** A time limit (milliseconds) that a job reaches within seconds; null = it knows none that short. */
  readonly shortLimitMs: number | null;
  /** A program that uses more memory than its limit, where such jobs are ended. */
  readonly memoryHog: { readonly argv: readonly string[]; readonly limitBytes: number } | null;
  /** Of a job that another caf started it learns the exit status. */
  readonly knowsEndOfAdopted: boolean;
}

/** Within a `describe`; both are asked in each test. */
export function describeContract(rigOf: () => Rig, underOf: () => BackendUnderTest): void {
  const backend = (): Backend => underOf().backend();
  const shell = (...given: Parameters<Rig['shell']>) => rigOf().shell(...given);

  it('runs many jobs at once, and tells each one its own exit status', async () => {
    const on = backend();
    const jobs = Array.from({ length: 12 }, (_, i) => on.submit(shell(`exit ${i}`)));
    const ends = await Promise.all(jobs.map(({ ended }) => ended));
    expect(ends.map((end) => (end.how === 'exited' ? end.code : end.how))).toEqual(jobs.map((_, i) => i));
    const handles = await Promise.all(jobs.map(({ started }) => started));
    expect(new Set(handles.map((handle) => JSON.stringify(handle))).size).toBe(12);
  });

  it('hands on arguments as they are, and nothing of its own environment', async () => {
    const rig = rigOf();
    const words = [
      'a b',
      `'"`,
      'two\nlines',
      '$(touch stolen)',
      '$$(x)',
      '`id`',
      ';',
      '%s',
      '-rf',
      '*',
      '',
      'Größe µ 漢',
      '\\',
      'x'.repeat(300),
    ];
    const job = rig.program(['/usr/bin/printf', '%s\\0', ...words]);
    process.env.CAF_TEST_SECRET = 'hunter2';
    const other = rig.program(['/usr/bin/env'], { env: { ONE: '1', SPACED: ' a $(b) ' } });
    const on = backend();
    await Promise.all([on.submit(job).ended, on.submit(other).ended]);
    delete process.env.CAF_TEST_SECRET;
    expect(rig.read(job, 'stdout')).toBe(`${words.join('\0')}\0`);
    expect(readdirSync(job.directory)).not.toContain('stolen');
    const text = rig.read(other, 'stdout') ?? '';
    expect(text).toContain('ONE=1\n');
    expect(text).toContain('SPACED= a $(b) \n');
    expect(text).not.toContain('hunter2');
  });

  it('works in the directory of the attempt, has nothing to read, and leaves there only what the job printed and made', async () => {
    const rig = rigOf();
    const job = shell('cat; pwd; echo err >&2; echo data > data');
    const silent = shell('exit 0');
    const on = backend();
    expect(await on.submit(job).ended).toMatchObject({ how: 'exited', code: 0 });
    on.forget(job.directory);
    expect(readdirSync(job.directory).sort()).toEqual(['data', 'stderr', 'stdout']);
    expect(rig.read(job, 'stdout')).toBe(`${job.directory}\n`);
    expect(rig.read(job, 'stderr')).toBe('err\n');
    await on.submit(silent).ended;
    on.forget(silent.directory);
    expect(readdirSync(silent.directory)).toEqual([]);
  });

  it('tells a program that a signal ended from one that was ended by its user', async () => {
    expect(await backend().submit(shell('kill -SEGV $$')).ended).toMatchObject({ how: 'signalled', signal: 'SIGSEGV' });
  });

  it('ends jobs that run and jobs that wait, with all their processes', async () => {
    const on = backend();
    const first = shell('exec 3<> gate; sleep 1000 & echo up; wait');
    execFileSync('mkfifo', ['-m', '666', join(first.directory, 'gate')]);
    const jobs = [on.submit(first), ...Array.from({ length: 5 }, () => on.submit(shell('exec sleep 1000')))];
    await rigOf().appears(first, 'stdout');
    expect(isHeld(join(first.directory, 'gate'))).toBe(true);
    await Promise.all(jobs.map((job) => job.cancel()));
    const ends = await Promise.all(jobs.map(({ ended }) => ended));
    expect(ends.map(({ how }) => how)).toEqual(jobs.map(() => 'cancelled'));
    await until(() => !isHeld(join(first.directory, 'gate')));
  });

  it('does nothing to a job that has ended', async () => {
    const running = backend().submit(shell('exit 3'));
    await running.ended;
    await running.cancel();
    expect(await running.ended).toMatchObject({ how: 'exited', code: 3 });
  });

  it('ends a job at its time limit, whatever its program says, and says why', async (context) => {
    const { shortLimitMs: limitMs } = underOf();
    if (limitMs === null) return context.skip();
    const job = shell('trap "exit 0" TERM; sleep 1000 & wait', { resources: { timeMs: limitMs } });
    expect(await backend().submit(job).ended).toMatchObject({ how: 'time-limit', limitMs });
  });

  it('says of a job that was ended for its memory that it was', async (context) => {
    const { memoryHog } = underOf();
    if (memoryHog === null) return context.skip();
    const job = rigOf().program(memoryHog.argv, { resources: { memoryBytes: memoryHog.limitBytes, memoryIsSet: true } });
    expect(await backend().submit(job).ended).toMatchObject({ how: 'out-of-memory', limitBytes: memoryHog.limitBytes });
  });

  describe('after its caf has gone', () => {
    const leave = async (job: JobSubmission): Promise<JobHandle | null> => {
      const on = backend();
      const running = on.submit(job);
      await rigOf().appears(job, 'stdout');
      await on.close();
      return running.started;
    };

    it('adopts a job by what it was called, and sees its end', async () => {
      const job = shell('echo up; while [ ! -e go ]; do sleep 0.05; done; echo done; exit 7');
      const handle = await leave(job);
      const adopted = backend().adopt(job, handle);
      writeFileSync(join(job.directory, 'go'), '');
      expect(await adopted?.started).toEqual(handle);
      expect(await adopted?.ended).toMatchObject(underOf().knowsEndOfAdopted ? { how: 'exited', code: 7 } : { how: 'unknown' });
      expect(rigOf().read(job, 'stdout')).toBe('up\ndone\n');
    });

    it('ends an adopted job', async () => {
      const job = shell('echo up; exec sleep 1000');
      const adopted = backend().adopt(job, await leave(job));
      await adopted?.cancel();
      expect(await adopted?.ended).toMatchObject({ how: 'cancelled' });
    });
  });
}

/** Whether some process has the pipe open, on whatever side of a border between process numbers. */
function isHeld(pipe: string): boolean {
  try {
    closeSync(openSync(pipe, constants.O_WRONLY | constants.O_NONBLOCK));
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENXIO') return false;
    throw error;
  }
}
