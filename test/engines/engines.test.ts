// What the backends rely on, in the own words of each engine: jobs that succeed, fail and are cancelled, nodes and controllers that are lost.
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Engine, until, withEngine } from './support/engine.ts';

const lines = (text: string): readonly string[] => text.split('\n').filter((line) => line !== '');

withEngine('slurm', (slurm) => {
  const submit = (script: string, ...options: readonly string[]): Promise<string> =>
    slurm.ask(['sbatch', '--parsable', '--output=job-%j.log', ...options, '--wrap', script]);
  /** State and exit code of a job in sacct, once it has ended. */
  const ended = (id: string): Promise<string> =>
    until(`job ${id} has ended`, async () => {
      const text = await slurm.ask(['sacct', '-n', '-P', '-X', '-j', id, '-o', 'State,ExitCode,End']);
      const [state = '', code = '', end = 'Unknown'] = text.split('|');
      return text === '' || end === 'Unknown' || /PENDING|RUNNING/.test(state) ? null : `${state} ${code}`;
    });
  const state = async (id: string): Promise<string> => (await slurm.run(['squeue', '-h', '-t', 'all', '-j', id, '-o', '%T'])).stdout.trim();
  const reaches = (id: string, wanted: string): Promise<true> =>
    until(`job ${id} is ${wanted}`, async () => ((await state(id)) === wanted ? true : null));

  it('tells a job that succeeded from one that failed and one that a signal ended', async () => {
    const [ok, failed, signalled] = await Promise.all([submit('true'), submit('exit 3'), submit('kill -SEGV $$')]);
    expect(await ended(ok)).toBe('COMPLETED 0:0');
    expect(await ended(failed)).toBe('FAILED 3:0');
    expect(await ended(signalled)).toBe('FAILED 0:11');
  });

  it('cancels a running job and names who did it', async () => {
    const id = await submit('sleep 600');
    await reaches(id, 'RUNNING');
    await slurm.ask(['scancel', id]);
    expect(await ended(id)).toMatch(/^CANCELLED by \d+ 0:(0|15)$/);
  });

  it('says nothing about a cancelled job that it does not know', async () => {
    expect(await slurm.run(['scancel', '999999'])).toEqual({ stdout: '', stderr: '', exitCode: 0 });
  });

  it('kills a job that uses more memory than it asked for', async () => {
    const id = await submit('exec python3 -c "b = bytearray(300_000_000); import time; time.sleep(60)"', '--mem=100M');
    expect(await ended(id)).toMatch(/^(FAILED 0:9|OUT_OF_MEMORY 0:125)$/);
  });

  it('runs the tasks of an array, whose last one has the id of the array', async () => {
    const array = await submit('exit $((SLURM_ARRAY_TASK_ID % 2))', '--array=0-2');
    const tasks = await until('three tasks have ended', async () => {
      const rows = lines(await slurm.ask(['sacct', '-n', '-P', '-X', '-j', array, '-o', 'JobID,JobIDRaw,State,ExitCode']));
      return rows.length === 3 && rows.every((row) => /COMPLETED|FAILED/.test(row)) ? rows.map((row) => row.split('|')) : null;
    });
    expect(tasks.map(([id, , , code]) => `${id} ${code}`).sort()).toEqual([`${array}_0 0:0`, `${array}_1 1:0`, `${array}_2 0:0`]);
    expect(tasks.filter(([, raw]) => raw === array).length).toBe(1);
  });

  it('answers an empty list with exit code 0 while its controller is down, and the jobs live on', async () => {
    const id = await submit('sleep 15');
    const accounted = (): Promise<string> => slurm.ask(['sacct', '-n', '-P', '-X', '-j', id, '-o', 'State']);
    // The accounting lags behind the queue.
    await until('sacct knows that it runs', async () => ((await accounted()) === 'RUNNING' ? true : null));
    {
      await using _ = await slurm.down('ctld');
      const queue = await slurm.run(['squeue', '--json']);
      // 22.05 lies; 24.11 fails.
      if (queue.exitCode === 0) expect(JSON.parse(queue.stdout)).toMatchObject({ jobs: [], errors: [{ source: 'slurm_load_jobs' }] });
      expect((await slurm.run(['sbatch', '--parsable', '--wrap', 'true'])).exitCode).toBe(1);
      expect(await accounted()).toBe('RUNNING');
    }
    expect(await ended(id)).toBe('COMPLETED 0:0');
  });

  it('fails or requeues under the same id the jobs of a node that is lost', async () => {
    const lost = await submit('sleep 600', '--no-requeue', '--nodelist=n1');
    const again = await submit('sleep $((600 * (1 - SLURM_RESTART_COUNT)))', '--requeue', '--nodelist=n1');
    await reaches(lost, 'RUNNING');
    await reaches(again, 'RUNNING');
    const fault = await slurm.crash('n1');
    try {
      await reaches(lost, 'NODE_FAIL');
      await reaches(again, 'PENDING');
      // The trap: sacct shows the end of the first run as if it were the last word.
      expect(await ended(again)).toBe('NODE_FAIL 0:0');
    } finally {
      await fault.mend();
    }
    expect(await ended(lost)).toBe('NODE_FAIL 0:0');
    await reaches(again, 'COMPLETED');
    expect(lines(await slurm.ask(['sacct', '-n', '-P', '-X', '-D', '-j', again, '-o', 'State']))).toEqual(['NODE_FAIL', 'COMPLETED']);
  });
});

withEngine('htcondor', (condor) => {
  let count = 0;
  /** Submits a shell script; returns id and user log. */
  const submit = async (script: string, ...more: readonly string[]): Promise<{ readonly id: string; readonly log: string }> => {
    count += 1;
    const path = join(condor.directory, `job-${count}`);
    writeFileSync(`${path}.sh`, `#!/bin/sh\n${script}\n`);
    chmodSync(`${path}.sh`, 0o755);
    const text = [`executable = ${path}.sh`, `log = ${path}.log`, 'request_memory = 100MB', ...more, 'queue'].join('\n');
    writeFileSync(`${path}.sub`, `${text}\n`);
    const [id = ''] = (await condor.ask(['condor_submit', '-terse', `${path}.sub`])).split(' - ');
    return { id, log: `${path}.log` };
  };
  const event = (log: string, code: string): Promise<string> =>
    until(`event ${code} in ${log}`, async () => {
      const all = existsSync(log) ? readFileSync(log, 'utf8').split('\n...\n') : [];
      return all.find((text) => text.startsWith(`${code} (`)) ?? null;
    });
  /** What the history knows of a job: JobStatus ExitBySignal ExitCode ExitSignal. */
  const history = (id: string): Promise<string> =>
    until(`job ${id} in the history`, async () => {
      const text = await condor.ask(['condor_history', id, '-af', 'JobStatus', 'ExitBySignal', 'ExitCode', 'ExitSignal']);
      return text === '' ? null : text;
    });

  it('tells a job that succeeded from one that failed and one that a signal ended', async () => {
    const [ok, failed, signalled] = [await submit('true'), await submit('exit 3'), await submit('kill -SEGV $$')];
    expect(await event(ok.log, '005')).toContain('(1) Normal termination (return value 0)');
    expect(await history(ok.id)).toBe('4 false 0 undefined');
    expect(await event(failed.log, '005')).toContain('(1) Normal termination (return value 3)');
    expect(await history(failed.id)).toBe('4 false 3 undefined');
    expect(await event(signalled.log, '005')).toContain('(0) Abnormal termination (signal 11)');
    expect(await history(signalled.id)).toBe('4 true undefined 11');
  });

  it('removes a running job and names who did it', async () => {
    const { id, log } = await submit('sleep 600');
    await event(log, '001');
    await condor.ask(['condor_rm', id]);
    expect(await event(log, '009')).toContain('via condor_rm (by user physicist)');
    expect(await history(id)).toMatch(/^3 /);
  });

  it('prints nothing at all, with exit code 0, for a queue without a match', async () => {
    expect(await condor.run(['condor_q', '-json', '-constraint', 'NoSuch == 1'])).toEqual({ stdout: '', stderr: '', exitCode: 0 });
  });

  it('holds a job by an expression for its time, with our reason and subcode', async () => {
    const expression = 'JobStatus == 2 && time() - EnteredCurrentStatus > 2';
    const { id, log } = await submit(
      'sleep 600',
      `periodic_hold = ${expression}`,
      'periodic_hold_reason = "too long"',
      'periodic_hold_subcode = 42',
    );
    expect(await event(log, '012')).toMatch(/too long\s+Code 3 Subcode 42/);
    await condor.ask(['condor_rm', id]);
  });

  it('holds a job that uses more memory than it asked for', async () => {
    const { id, log } = await submit('exec python3 -c "b = bytearray(300_000_000); import time; time.sleep(60)"');
    expect(await event(log, '012')).toMatch(/Code (26|34) /);
    await condor.ask(['condor_rm', id]);
  });

  it('refuses every command while the schedd is down, keeps the history readable, and the jobs live on', async () => {
    const before = await submit('true');
    await history(before.id);
    const { id, log } = await submit('sleep 15');
    await event(log, '001');
    {
      await using _ = await condor.down('SCHEDD');
      for (const argv of [
        ['condor_q', '-json'],
        ['condor_rm', id],
      ])
        expect((await condor.run(argv)).exitCode).toBe(1);
      expect(await history(before.id)).toBe('4 false 0 undefined');
    }
    expect(await event(log, '005')).toContain('(return value 0)');
    expect(readFileSync(log, 'utf8')).toMatch(/^023 /m);
  });

  it('runs a job again whose node was lost, once its lease is over', async () => {
    const { id, log } = await submit('[ -e started ] || { touch started; sleep 600; }', `initialdir = ${condor.directory}`);
    await event(log, '001');
    await until('it has begun', async () => (existsSync(join(condor.directory, 'started')) ? true : null));
    const fault = await condor.crash('STARTD');
    try {
      expect(await event(log, '024')).toContain('Job disconnected too long');
    } finally {
      await fault.mend();
    }
    expect(await event(log, '005')).toContain('(return value 0)');
    expect(await condor.ask(['condor_history', id, '-af', 'NumJobStarts'])).toBe('2');
  });
});

withEngine('gridengine', (grid) => {
  const submit = (script: string, ...options: readonly string[]): Promise<string> => {
    const path = join(grid.directory, 'job.sh');
    writeFileSync(path, `#!/bin/sh\n${script}\n`);
    return grid.ask(['qsub', '-terse', '-cwd', '-o', grid.directory, '-j', 'y', ...options, path]);
  };
  const state = async (id: string): Promise<string> => {
    const row = lines(await grid.ask(['qstat', '-u', '*'])).map((line) => line.trim().split(/\s+/));
    return row.find(([first]) => first === id)?.[4] ?? 'gone';
  };
  const reaches = (id: string, wanted: string): Promise<true> =>
    until(`job ${id} is ${wanted}`, async () => ((await state(id)) === wanted ? true : null));
  /** `failed` and `exit_status` of the accounting. */
  const accounting = (id: string): Promise<string> =>
    until(`job ${id} in qacct`, async () => {
      const { stdout, exitCode } = await grid.run(['qacct', '-j', id]);
      if (exitCode !== 0) return null;
      return [/^failed +(\d+)/m, /^exit_status +(\d+)/m].map((pattern) => pattern.exec(stdout)?.[1]).join(' ');
    });

  it('tells a job that succeeded from one that failed and one that a signal ended', async () => {
    const [ok, failed, signalled] = [await submit('true'), await submit('exit 3'), await submit('kill -SEGV $$')];
    expect(await accounting(ok)).toBe('0 0');
    expect(await accounting(failed)).toBe('0 3');
    expect(await accounting(signalled)).toBe('100 139');
  });

  it('deletes a running job', async () => {
    const id = await submit('touch "began.$JOB_ID"; sleep 600');
    // It is said to run a moment before its script does, and to be there a moment after its account is.
    await until('its script has begun', async () => (existsSync(join(grid.directory, `began.${id}`)) ? true : null));
    await grid.ask(['qdel', id]);
    expect(await accounting(id)).toBe('100 137');
    await reaches(id, 'gone');
  });

  it('keeps a job in an error state for ever whose output cannot be written', async () => {
    const path = join(grid.directory, 'job.sh');
    writeFileSync(path, '#!/bin/sh\ntrue\n');
    const id = await grid.ask(['qsub', '-terse', '-o', `${path}/not-a-directory`, path]);
    await reaches(id, 'Eqw');
    await grid.ask(['qdel', id]);
  });

  it('refuses every command while its master is down', async () => {
    await using _ = await grid.down('qmaster');
    const { exitCode, stderr } = await grid.run(['qstat', '-xml']);
    expect(exitCode).toBe(1);
    expect(stderr).toContain('commlib error');
  });
});

/** The same three questions for each runtime: does it pass the exit code on, does it see a bound directory, what is its own error. */
const runtimes = [
  {
    name: 'podman',
    prefix: ['podman', 'run', '--rm'],
    bind: (path: string) => ['-v', `${path}:/mnt`],
    image: () => ['tiny:1'],
    noCommand: 127,
  },
  {
    name: 'apptainer',
    prefix: ['apptainer', '-q', 'exec'],
    bind: (path: string) => ['--bind', `${path}:/mnt`],
    image: (engine: Engine) => [imageOf(engine)],
    noCommand: 255,
  },
  {
    name: 'charliecloud',
    prefix: ['ch-run'],
    bind: (path: string) => ['-b', `${path}:/mnt`],
    image: (engine: Engine) => [imageOf(engine), '--'],
    noCommand: 1,
  },
] as const;

/** The image beside the commands of a runtime. */
const imageOf = (engine: Engine): string => join(engine.env.PATH?.split(':')[0] ?? '', '..', 'tiny');

describe.each(runtimes)('$name', ({ name, prefix, bind, image, noCommand }) => {
  withEngine(name, (engine) => {
    const inside = (script: string) => {
      const data = join(engine.directory, 'data');
      mkdirSync(data, { recursive: true });
      return engine.run([...prefix, ...bind(data), ...image(engine), '/bin/sh', '-c', script]);
    };

    it('passes the exit code of the job on', async () => {
      expect((await inside('true')).exitCode).toBe(0);
      expect((await inside('exit 3')).exitCode).toBe(3);
    });

    it('shares a directory that is bound', async () => {
      expect((await inside('echo written inside > /mnt/note')).exitCode).toBe(0);
      expect(readFileSync(join(engine.directory, 'data', 'note'), 'utf8')).toBe('written inside\n');
    });

    it('has an exit code of its own for a command that is not in the image', async () => {
      expect((await engine.run([...prefix, ...image(engine), '/no/such/command'])).exitCode).toBe(noCommand);
    });
  });
});
