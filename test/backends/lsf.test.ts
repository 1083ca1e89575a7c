// LSF: what its documented answers mean, and the contract of batch engines on a fake that prints them.
import { afterAll, beforeAll, expect, it } from 'vitest';
import { runCommand } from '../../src/backends/exec.ts';
import { lsf } from '../../src/backends/lsf.ts';
import type { LsfSite } from '../../src/domain/calibration.ts';
import { describeBatch } from './batch-contract.ts';
import { type FakeCommand, type FakeEngine, type FakeTask, optionOf, startFakeEngine } from './support/fake-scheduler.ts';
import { said, statesOf } from './support/states.ts';

const SITE: LsfSite = {
  queue: null,
  project: null,
  application: null,
  gpus: null,
  requirements: null,
  memoryUnitBytes: 2 ** 20,
  options: [],
};

function line({ array, number, name, phase, status, stop }: FakeTask): string {
  const why =
    stop === 'limit'
      ? 'TERM_RUNLIMIT: job killed after reaching LSF run time limit'
      : stop === 'deleted'
        ? 'TERM_OWNER: job killed by owner'
        : '-';
  const word = { waiting: 'PEND', held: 'PSUSP', running: 'RUN', ended: status === 0 && stop === null ? 'DONE' : 'EXIT' }[phase];
  const pending = phase === 'waiting' ? 'New job is waiting for scheduling;' : '-';
  return `${array}|${number}|${word}|${status ?? '-'}|${phase === 'running' ? 'n1' : '-'}|${name}[${number}]|${why}|${pending}\n`;
}

const targets = (tasks: readonly FakeTask[], args: readonly string[]): readonly FakeTask[] =>
  args.flatMap((word) => {
    const [, array, list = ''] = /^(\d+)\[([\d,]+)\]$/.exec(word) ?? [];
    return tasks.filter((task) => String(task.array) === array && list.split(',').includes(String(task.number)));
  });

const COMMANDS: Readonly<Record<string, FakeCommand>> = {
  bsub(scheduler, args, env) {
    const array = scheduler.nextArray();
    const [, name = '', last] = /^(.*)\[1-(\d+)\]$/.exec(optionOf(args, '-J') ?? '') ?? [];
    for (let number = 1; number <= Number(last); number += 1)
      scheduler.add({
        array,
        number,
        name,
        argv: [args.at(-1) ?? ''],
        env: { ...env, LSB_JOBID: String(array), LSB_JOBINDEX: String(number) },
        // A minute of LSF is two seconds here.
        limitMs: Number(optionOf(args, '-W')) * 2000,
      });
    return { stdout: `Job <${array}> is submitted to default queue <normal>.\n` };
  },
  bjobs: ({ tasks }) => (tasks.length === 0 ? { stderr: 'No job found\n', code: 255 } : { stdout: tasks.map(line).join('') }),
  bkill(scheduler, args) {
    const found = targets(scheduler.tasks, args);
    for (const task of found) scheduler.end(task);
    return found.length === 0 ? { stderr: 'No matching job found\n', code: 255 } : { stdout: `Job <${args[0]}> is being terminated\n` };
  },
  bparams: () => ({ stdout: 'MAX_JOB_ARRAY_SIZE = 1000\n' }),
};

let fake: FakeEngine;
beforeAll(async () => {
  fake = await startFakeEngine(COMMANDS);
});
afterAll(() => fake.close());

describeBatch<LsfSite>('LSF, a fake', async () => ({
  engine: lsf,
  site: SITE,
  env: fake.env,
  shortLimitMs: 60_000,
  memoryHog: null,
  remove: async (id) => void (await runCommand(['bkill', id], { env: fake.env })),
  holding: null,
}));

it.each([
  ['PEND|-|-|a.caf-1[2]|-|New job is waiting for scheduling;', 'queued (New job is waiting for scheduling;)'],
  ['PSUSP|-|-|a.caf-1[2]|-|The job was suspended by the user while pending', /^held \(The job was suspended.* -> release it with bresume/],
  ['RUN|-|4*n7|a.caf-1[2]|-|-', 'running on n7'],
  ['SSUSP|-|n7|a.caf-1[2]|-|-', 'suspended'],
  ['UNKWN|-|n7|a.caf-1[2]|-|-', 'suspended'],
  ['ZOMBI|-|n7|a.caf-1[2]|-|-', 'ending'],
  ['DONE|-|n7|a.caf-1[2]|-|-', 'ended: exited 0'],
  ['EXIT|3|n7|a.caf-1[2]|-|-', 'ended: exited 3'],
  ['EXIT|139|n7|a.caf-1[2]|-|-', 'ended: signalled SIGSEGV'],
  ['EXIT|140|n7|a.caf-1[2]|TERM_RUNLIMIT: job killed after reaching LSF run time limit|-', 'ended: time-limit'],
  ['EXIT|137|n7|a.caf-1[2]|TERM_MEMLIMIT: job killed after reaching LSF memory usage limit|-', 'ended: out-of-memory'],
  ['EXIT|130|n7|a.caf-1[2]|TERM_OWNER: job killed by owner|-', 'ended: cancelled its owner'],
  ['EXIT|130|n7|a.caf-1[2]|TERM_ADMIN: job killed by root or LSF administrator|-', 'ended: cancelled an administrator'],
  ['EXIT|130|n7|a.caf-1[2]|TERM_PREEMPT: job killed after preemption|-', 'ended: preempted'],
  ['NEWWORD|-|-|a.caf-1[2]|-|-', 'unknown: NEWWORD'],
])('%s: %s', (columns, words) => {
  const [task] = lsf.readQueue(said(`71|2|${columns}\n`)) ?? [];
  expect(task).toMatchObject({ id: '71[2]', name: 'a.caf-1' });
  const [state] = statesOf(task === undefined ? null : [task]) ?? [];
  if (typeof words === 'string') expect(state).toBe(`71[2] ${words}`);
  else expect(state?.slice('71[2] '.length)).toMatch(words);
});

it('is empty where no job is found, and tells nothing where LSF is down or something else is said', () => {
  expect(lsf.readQueue({ ended: 'exit', exitCode: 255, stdout: '', stderr: 'No job found\n' })).toEqual([]);
  expect(lsf.readQueue({ ended: 'exit', exitCode: 255, stdout: '', stderr: 'LSF is down. Please wait ...\n' })).toBeNull();
  expect(lsf.readQueue(said('batch system daemon not responding ... still trying\n'))).toBeNull();
});

it.each([
  [
    { ended: 'ok', stdout: 'Job <71> is submitted to queue <l>.\n', stderr: '' },
    { how: 'accepted', id: '71' },
  ],
  [
    { ended: 'exit', stdout: '', stderr: 'LSF is down. Please wait ...\n' },
    { how: 'later', full: false },
  ],
  [
    { ended: 'exit', stdout: '', stderr: 'User job limit is reached. Job not submitted.\n' },
    { how: 'later', full: true },
  ],
  [{ ended: 'exit', stdout: '', stderr: 'nosuch: No such queue. Job not submitted.\n' }, { how: 'refused' }],
  [{ ended: 'time-limit', stdout: '', stderr: '' }, { how: 'unclear' }],
] as const)('%j: %o', (answer, meaning) => {
  expect(lsf.readSubmit({ exitCode: null, ...answer })).toMatchObject(meaning);
});

it('tells what queues there are', () => {
  expect(lsf.survey?.read(said('QUEUE_NAME|STATUS|NJOBS\nnormal|Open:Active|12\nnight|Open:Inact|0\n'))).toEqual({
    text: 'queues normal (Open:Active, jobs: 12), night (Open:Inact, jobs: 0)',
    options: '',
  });
  expect(lsf.survey?.read({ ...said(''), ended: 'exit', exitCode: 255 })).toBeNull();
});
