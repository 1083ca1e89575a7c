// What Grid Engine says, and what caf understands: against recordings of a real one (fixtures/gridengine/README.md has their commands).
import { describe, expect, it } from 'vitest';
import { gridengine } from '../../src/backends/gridengine.ts';
import { recorded } from './support/recorded.ts';
import { answerOf, inWords, said, statesOf } from './support/states.ts';

const recording = (name: string) => answerOf('gridengine', name);

/** One job with this state. */
const queueWith = (state: string, tasks = '1'): string =>
  `<job_info><job_list state="x"><JB_job_number>7</JB_job_number><JB_name>j.a.caf-1</JB_name><state>${state}</state>` +
  `<queue_name>main.q@n3</queue_name><tasks>${tasks}</tasks></job_list></job_info>\n`;
const stateOf = (state: string) => statesOf(gridengine.readQueue(said(queueWith(state))))?.[0]?.slice('7.1 '.length);

describe('the queue', () => {
  it('understands every state', () => {
    const states = ['qw', 'hqw', 'Eqw', 't', 'r', 'Rr', 'Rt', 'Rq', 's', 'S', 'T', 'tS', 'dr', 'dRr', 'hRwq', 'z!'];
    expect(Object.fromEntries(states.map((state) => [state, stateOf(state)]))).toMatchInlineSnapshot(`
      {
        "Eqw": "held (it could not be started (Eqw): qstat -j 7 says why) -> mend the cause and try again with qmod -cj 7, or release it from the queue with qdel 7",
        "Rq": "queued (Rq)",
        "Rr": "running on n3",
        "Rt": "running on n3",
        "S": "suspended",
        "T": "suspended",
        "dRr": "ending",
        "dr": "ending",
        "hRwq": "held (on hold (hRwq)) -> release it with qrls 7, or end it with qdel 7",
        "hqw": "held (on hold (hqw)) -> release it with qrls 7, or end it with qdel 7",
        "qw": "queued",
        "r": "running on n3",
        "s": "suspended",
        "t": "running on n3",
        "tS": "suspended",
        "z!": "unknown: z!",
      }
    `);
  });

  it('tells of every task of an array, running and waiting', () => {
    const tasks = gridengine.readQueue(recording('qstat-xml-tasks'))?.filter(({ id }) => id.startsWith('6.')) ?? [];
    expect(tasks.map(({ id, state }) => `${id} ${inWords(state)}`)).toEqual([
      '6.1 running on localhost',
      '6.2 running on localhost',
      ...[3, 4, 5, 6, 7, 8, 9].map((task) => `6.${task} queued`),
    ]);
    // The same where they are folded.
    const folded = gridengine.readQueue(recording('qstat-xml-many'))?.filter(({ id }) => id.startsWith('6.')) ?? [];
    expect(folded.map(({ id }) => id)).toEqual(tasks.map(({ id }) => id));
    expect(statesOf(gridengine.readQueue(said(queueWith('qw', '1,4-8:2'))))).toEqual(
      ['7.1', '7.4', '7.6', '7.8'].map((id) => `${id} queued`),
    );
  });

  it('is empty where nothing is listed, and tells nothing where it is cut off or the qmaster is down', () => {
    expect(gridengine.readQueue(recording('qstat-xml-empty'))).toEqual([]);
    expect(gridengine.readQueue(recording('qstat-xml-master-down'))).toBeNull();
    expect(gridengine.readQueue(said(recorded('gridengine', 'qstat-xml-tasks').stdout.slice(0, -30)))).toBeNull();
    expect(gridengine.readQueue(said(''))).toBeNull();
    // Printed with exit code 0 for a job that it does not know.
    expect(gridengine.readQueue(recording('qstat-xml-j-unknown'))).toBeNull();
  });

  it('knows its own jobs by their whole names', () => {
    expect(gridengine.readQueue(said(queueWith('r')))?.[0]?.name).toBe('a.caf-1');
    expect(new Set(gridengine.readQueue(recording('qstat-xml-tasks'))?.map(({ name }) => name))).toEqual(new Set([null]));
  });
});

describe('the accounting', () => {
  /** Of a job that was no array: as the first task of one. */
  const endOf = (name: string): string => {
    const { stdout } = recorded('gridengine', name);
    const [state] = statesOf(gridengine.readHistory(said(stdout.replaceAll('taskid       undefined', 'taskid       1')))) ?? [];
    return state?.replace(/^\d+\.1 /, '') ?? 'not there';
  };

  it.each([
    ['qacct-completed', 'ended: exited 0'],
    ['qacct-exit-3', 'ended: exited 3'],
    ['qacct-signal', 'ended: signalled SIGSEGV'],
    ['qacct-deleted-running', 'ended: cancelled null'],
    ['qacct-time-limit', 'ended: time-limit'],
    ['qacct-soft-time-limit', 'ended: exited 9'],
    ['qacct-node-lost', 'ended: node-lost localhost was lost, or gave it up (failed 19: before writing exit_status)'],
    ['qacct-node-lost-rerun', 'ended: node-lost localhost was lost, or gave it up (failed 25: rescheduling)'],
  ])('%s: %s', (name, words) => {
    expect(endOf(name)).toBe(words);
  });

  it.each([
    ['26  : opening input/output file', 'ended: not-started Grid Engine could not start it on n3 (failed 26: opening input/output file)'],
    ['27  : searching requested shell', 'ended: not-started Grid Engine could not start it on n3 (failed 27: searching requested shell)'],
    ['37  : qmaster enforced h_rt, h_cpu, or h_vmem limit', 'ended: out-of-memory'],
  ])('failed %s: %s', (failed, words) => {
    const record = `====\nhostname     n3\njobname      j.a.caf-1\njobnumber    7\ntaskid       2\nfailed       ${failed}\nexit_status  137\nru_wallclock 12.5s\ncategory     -l h_rt=3600,h_vmem=100M\n`;
    expect(statesOf(gridengine.readHistory(said(record)))).toEqual([`7.2 ${words}`]);
  });

  it('takes the last of several records of a task that was run again', () => {
    const record = (failed: string) =>
      `====\njobname      j.a.caf-1\njobnumber    7\ntaskid       1\nfailed       ${failed}\nexit_status  0\n`;
    expect(statesOf(gridengine.readHistory(said(record('25  : rescheduling') + record('0'))))).toEqual(['7.1 ended: exited 0']);
  });

  it('tells of every task of an array', () => {
    expect(statesOf(gridengine.readHistory(recording('qacct-array')))).toEqual(
      [1, 2, 0, 1, 2].map((code, i) => `5.${i + 1} ended: exited ${code}`),
    );
  });

  it('is empty where nothing is found, and is a file, which needs no qmaster', () => {
    expect(gridengine.readHistory(recording('qacct-unknown'))).toEqual([]);
    expect(gridengine.readHistory(recording('qacct-deleted-waiting'))).toEqual([]);
    expect(gridengine.readHistory(recording('qacct-master-down'))).toEqual([]);
    expect(
      gridengine.readHistory({ ended: 'exit', exitCode: 1, stdout: '', stderr: 'error: accounting: No such file or directory\n' }),
    ).toBeNull();
  });

  it('is asked for one by name, and for many by one pattern', () => {
    expect(gridengine.history?.({ arrays: ['24'] })).toEqual(['qacct', '-E', '-d', '30', '-j', '24']);
    expect(gridengine.history?.({ names: ['a.caf-1', 'b.caf-2'], sinceDays: 3 })).toEqual(['qacct', '-E', '-d', '3', '-j', 'j.*']);
  });
});

it.each([
  ['qsub-terse', { how: 'accepted', id: '23' }],
  ['qsub-terse-array', { how: 'accepted', id: '24' }],
  ['qsub-plain', { how: 'accepted', id: '25' }],
  ['qsub-master-down', { how: 'later', full: false }],
  ['qsub-no-queue', { how: 'refused', message: 'Job was rejected because job requests unknown queue "nosuch.q"' }],
  ['qsub-no-project', { how: 'refused' }],
  ['qsub-no-environment', { how: 'refused' }],
  ['qsub-no-resource', { how: 'refused', message: 'unknown resource "nosuch"' }],
  ['qsub-no-file', { how: 'refused' }],
  ['qsub-bad-option', { how: 'refused' }],
])('%s: %o', (name, answer) => {
  expect(gridengine.readSubmit(recording(name))).toMatchObject(answer);
});

it.each([
  ['qdel-running', true],
  ['qdel-waiting', true],
  ['qdel-error', true],
  ['qdel-ended', true],
  ['qdel-many', true],
  ['qdel-master-down', false],
])('%s: the wish has arrived = %s', (name, isHeard) => {
  expect(gridengine.readCancel(recording(name))).toBe(isHeard);
});

it('cancels neighbours together', () => {
  expect(gridengine.cancel(['9.2', '24.10', '24.1', '24.2', '24.3'])).toEqual(['qdel', '9.2', '24.1-3', '24.10']);
});

it('asks how many tasks an array may have', () => {
  expect(gridengine.limits?.read(recording('qconf-config'))?.maxArray).toBeGreaterThan(1000);
});

it('submits an array of programs, which no line of a script can change', () => {
  const resources = { cores: 4, memoryBytes: 8e9, memoryIsSet: true, timeMs: 90_500 };
  const site = {
    queue: 'long.q',
    project: 'belle',
    parallelEnvironment: 'smp',
    memoryResource: 'h_vmem',
    resources: { os: 'el9' },
    options: ['-m', 'n'],
  };
  const place = { script: '/d/script', description: '/d/description', log: "/d/it's/log" };
  const { argv, header } = gridengine.submit({ name: '7.0.a.caf-1', size: 5, resources, site, ...place });
  expect(argv.join(' ')).toBe(
    'qsub -terse -N j.7.0.a.caf-1 -t 1-5 -r n -wd / -o /dev/null -j y -l h_rt=91,h_vmem=1908M,os=el9 -pe smp 4 -q long.q -P belle -m n -b y -shell n /d/script',
  );
  expect(header).toEqual([`exec >> '/d/it'\\''s/log' 2>&1`]);
  expect(gridengine.taskId('24', 0)).toBe('24.1');
});

it('tells what queues there are', () => {
  expect(gridengine.survey?.read(recording('qstat-clusters'))).toEqual({
    text: 'queues main.q (16 of 16 slots free), short.q (16 of 16 slots free)',
    options: '',
  });
  expect(gridengine.survey?.read(recording('qstat-master-down'))).toBeNull();
});
