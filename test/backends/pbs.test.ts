// PBS: what its documented answers mean, and the contract of batch engines on a fake that prints them.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCommand } from '../../src/backends/exec.ts';
import { pbs } from '../../src/backends/pbs.ts';
import type { PbsSite } from '../../src/domain/calibration.ts';
import { describeBatch } from './batch-contract.ts';
import { type FakeCommand, type FakeEngine, type FakeTask, optionOf, startFakeEngine } from './support/fake-scheduler.ts';
import { said, statesOf } from './support/states.ts';

const SITE: PbsSite = { flavour: 'openpbs', queue: null, account: null, project: null, gpus: null, select: null, options: [] };

const idOf = ({ array, number }: FakeTask): string => (number < 0 ? `${array}.head` : `${array}[${number}].head`);
const LETTERS = { waiting: 'Q', held: 'H', running: 'R' } as const;

const jobText = (task: FakeTask): string => {
  const { phase, number, status, stop, name, limitMs } = task;
  const ended = [
    ...(status === null ? [] : [`    Exit_status = ${status > 128 ? status + 128 : status}`]),
    `    substate = ${stop === 'deleted' ? 91 : status === 0 ? 92 : 93}`,
    ...(stop === 'limit' ? ['    resources_used.walltime = 00:00:03'] : []),
  ];
  return [
    `Job Id: ${idOf(task)}`,
    '    Job_Name = caf',
    `    job_state = ${phase === 'ended' ? (number < 0 ? 'F' : 'X') : LETTERS[phase]}`,
    `    Resource_List.walltime = 00:00:${String(limitMs / 1000).padStart(2, '0')}`,
    ...(phase === 'running' ? ['    exec_host = n1/0'] : []),
    ...(phase === 'held' ? ['    Hold_Types = u'] : []),
    ...(phase === 'ended' ? ended : []),
    // Long values go on in the next line.
    `    Variable_List = PBS_O_HOME=/home/anna,PBS_O_SHELL=/bin/bash,\n\tCAF_ARRAY=${name.slice(0, 5)}\n\t${name.slice(5)},PBS_O_HOST=head`,
    '',
    '',
  ].join('\n');
};

const COMMANDS: Readonly<Record<string, FakeCommand>> = {
  qsub(scheduler, args, env) {
    const array = scheduler.nextArray();
    const range = optionOf(args, '-J');
    const last = range === undefined ? -1 : Number(range.split('-')[1]);
    const seconds = Number(/walltime=(\d+)/.exec(args.join(' '))?.[1]);
    const name = (optionOf(args, '-v') ?? '').replace('CAF_ARRAY=', '');
    for (let number = last < 0 ? -1 : 0; number <= last; number += 1)
      scheduler.add({
        array,
        number,
        name,
        argv: ['/bin/sh', args.at(-1) ?? ''],
        env: { ...env, PBS_JOBID: `${array}`, ...(number < 0 ? {} : { PBS_ARRAY_INDEX: String(number) }) },
        limitMs: seconds * 1000,
      });
    return { stdout: `${array}${last < 0 ? '' : '[]'}.head\n` };
  },
  qselect: (scheduler) => ({
    stdout: [...new Set(scheduler.tasks.map(({ array, number }) => `${array}${number < 0 ? '' : '[]'}.head\n`))].join(''),
  }),
  qstat(scheduler, args) {
    const parent = (id: string) => `Job Id: ${id}\n    job_state = B\n    array = True\n\n`;
    return {
      stdout: args
        .filter((word) => word.endsWith('.head'))
        .map(
          (id) =>
            (id.includes('[]') ? parent(id) : '') +
            scheduler.tasks
              .filter(({ array }) => array === Number.parseInt(id, 10))
              .map(jobText)
              .join(''),
        )
        .join(''),
    };
  },
  qdel(scheduler, args) {
    let stderr = '';
    for (const id of args) {
      const task = scheduler.tasks.find((each) => idOf(each) === id);
      if (task === undefined) stderr += `qdel: Unknown Job Id ${id}\n`;
      else if (task.phase === 'ended') stderr += `qdel: Job has finished ${id}\n`;
      else scheduler.end(task);
    }
    return { stderr, code: stderr === '' ? 0 : 35 };
  },
  qhold: (scheduler, args) => {
    for (const task of scheduler.tasks) if (args.includes(idOf(task))) scheduler.hold(task);
    return {};
  },
};

let fake: FakeEngine;
beforeAll(async () => {
  fake = await startFakeEngine(COMMANDS);
});
afterAll(() => fake.close());

describeBatch<PbsSite>('PBS, a fake', async () => ({
  engine: pbs,
  site: SITE,
  env: fake.env,
  shortLimitMs: 2000,
  memoryHog: null,
  remove: async (id) => void (await runCommand(['qdel', id], { env: fake.env })),
  holding: null,
}));

describe('the queue', () => {
  const job = (...lines: readonly string[]) => said(`Job Id: 12[3].head\n${lines.map((line) => `    ${line}\n`).join('')}\n`);
  const states = (...lines: readonly string[]) => statesOf(pbs.readQueue(job(...lines)))?.[0]?.slice('12[3].head '.length);

  it.each([
    [['job_state = Q', 'comment = Not Running: Not enough free nodes'], 'queued (Not Running: Not enough free nodes)'],
    [['job_state = Q', 'comment = Can Never Run: Insufficient amount of resource: ncpus'], /^queued .* -> no node has what it asks for/],
    [['job_state = H', 'Hold_Types = u'], /^held \(on hold \(u\)\) -> release it with qrls/],
    [['job_state = R', 'exec_host = n7/0*2'], 'running on n7'],
    [['job_state = S'], 'suspended'],
    [['job_state = E'], 'ending'],
    [['job_state = X', 'Exit_status = 0', 'substate = 92'], 'ended: exited 0'],
    [['job_state = F', 'Exit_status = 3', 'substate = 93'], 'ended: exited 3'],
    [['job_state = F', 'Exit_status = 267'], 'ended: signalled SIGSEGV'],
    [['job_state = C', 'exit_status = 271'], 'ended: signalled SIGTERM'],
    [['job_state = F', 'Exit_status = 271', 'substate = 91'], 'ended: cancelled null'],
    [['job_state = F', 'Exit_status = -29'], 'ended: time-limit'],
    [['job_state = F', 'Exit_status = -27'], 'ended: out-of-memory'],
    [['job_state = F', 'Exit_status = -2'], 'ended: not-started PBS could not run it (Exit_status -2)'],
    [['job_state = F', 'Exit_status = 265', 'resources_used.mem = 2097152kb', 'Resource_List.mem = 2gb'], 'ended: out-of-memory'],
    [
      ['job_state = F', 'Exit_status = 271', 'resources_used.walltime = 01:00:03', 'Resource_List.walltime = 01:00:00'],
      'ended: time-limit',
    ],
    [['job_state = Y'], 'unknown: Y'],
  ])('%j: %s', (lines, words) => {
    if (typeof words === 'string') expect(states(...lines)).toBe(words);
    else expect(states(...lines)).toMatch(words);
  });

  it('tells nothing when the server does not answer, and all of the rest when a job has just gone', () => {
    const answer = { ...job('job_state = R'), ended: 'exit' as const, exitCode: 153 };
    expect(pbs.readQueue({ ...answer, stdout: '', stderr: 'qselect: cannot connect to server head (errno=111)\n' })).toBeNull();
    expect(pbs.readQueue({ ...answer, stderr: 'qstat: Unknown Job Id 11.head\n' })).toHaveLength(1);
  });
});

it.each([
  ['', 'qsub: cannot connect to server head (errno=111)', { how: 'later', full: false }],
  ['', "qsub: would exceed queue generic's per-user limit of jobs", { how: 'later', full: true }],
  ['', 'qsub: Unknown queue', { how: 'refused', message: 'Unknown queue' }],
])('%j %j: %o', (stdout, stderr, answer) => {
  expect(pbs.readSubmit({ ended: 'exit', exitCode: 1, stdout, stderr })).toMatchObject(answer);
});

it('has other words for Torque', () => {
  const resources = { cores: 4, memoryBytes: 2 ** 31, memoryIsSet: true, timeMs: 60_000 };
  const place = { script: '/d/script', description: '/d/description', log: '/d/log' };
  const argv = (flavour: PbsSite['flavour']) =>
    pbs.submit({ name: 'a.0.b.caf-12ab', size: 3, resources, site: { ...SITE, flavour }, ...place }).argv.join(' ');
  expect(argv('openpbs')).toContain('-J 0-2 -l select=1:ncpus=4:mem=2048mb -l walltime=60');
  expect(argv('torque')).toContain('-t 0-2 -l nodes=1:ppn=4 -l mem=2048mb -l walltime=60');
});

describe('the survey', () => {
  it('tells what queues there are, and which of them are closed', () => {
    const text = [
      'Queue              Max   Tot Ena Str   Que   Run   Hld   Wat   Trn   Ext Type',
      '---------------- ----- ----- --- --- ----- ----- ----- ----- ----- ----- ----',
      'workq                0    12 yes yes     4     8     0     0     0     0 Exec',
      'long                 0     0 no  yes     0     0     0     0     0     0 Exec',
      'short                9     1 yes  no     1     0     0     0     0     0 Exec',
    ];
    expect(pbs.survey?.read(said(text.join('\n')))).toEqual({
      text: 'queues workq (jobs: 12), long (jobs: 0, takes no jobs), short (jobs: 1, starts no jobs)',
      options: '',
    });
    expect(pbs.survey?.read({ ...said(''), ended: 'exit', exitCode: 111 })).toBeNull();
  });

  it('knows Torque by its column of completed jobs', () => {
    const text = [
      'Queue              Max    Tot   Ena   Str   Que   Run   Hld   Wat   Trn   Ext T   Cpt',
      '----------------   ---   ----    --    --   ---   ---   ---   ---   ---   --- -   ---',
      'batch                0      0   yes   yes     0     0     0     0     0     0 E     0',
    ];
    expect(pbs.survey?.read(said(text.join('\n')))).toEqual({ text: 'queue batch (jobs: 0)', options: "{ flavour: 'torque' }" });
  });
});
