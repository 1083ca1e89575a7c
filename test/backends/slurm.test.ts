// What Slurm says, and what caf understands: against recordings of a real one (fixtures/slurm/README.md has their commands).
import { existsSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import type { EngineState } from '../../src/backends/engine.ts';
import type { CommandResult } from '../../src/backends/exec.ts';
import { slurm } from '../../src/backends/slurm.ts';
import type { SlurmSite } from '../../src/domain/calibration.ts';
import { SLURM_SITE } from './support/specs.ts';

const recorded = (name: string, exitCode = 0): CommandResult => {
  const textOf = (ending: string) => {
    const url = new URL(`./fixtures/slurm/${name}.${ending}`, import.meta.url);
    return existsSync(url) ? readFileSync(url, 'utf8') : '';
  };
  return { ended: exitCode === 0 ? 'ok' : 'exit', exitCode, stdout: textOf('out'), stderr: textOf('err') };
};

const short = (state: EngineState | undefined): string => {
  if (state === undefined) return 'not there';
  switch (state.state) {
    case 'ended': {
      const { how, ...more } = state.end;
      return ['ended', how, ...Object.values(more)].join(' ');
    }
    case 'queued':
    case 'held':
      return `${state.state} ${state.reason}${state.advice === null ? '' : ` (${state.advice})`}`;
    case 'unknown':
      return `unknown ${state.word}`;
    default:
      return state.state;
  }
};

const byName = (tasks: ReturnType<typeof slurm.readQueue>) =>
  Object.fromEntries((tasks ?? []).map(({ id, name, state }) => [id.includes('_') ? `${name} ${id}` : (name ?? id), short(state)]));

it('understands every line of the queue', () => {
  expect(byName(slurm.readQueue(recorded('squeue-all')))).toMatchSnapshot();
});

it('understands every line of the history', () => {
  expect(byName(slurm.readHistory(recorded('sacct-all')))).toMatchSnapshot();
});

it('tells what waits for a limit that goes away from what will never start', () => {
  expect(byName(slurm.readQueue(recorded('squeue-limits')))).toMatchSnapshot();
});

it.each([
  ['squeue-completing', 'completing', 'ending'],
  ['squeue-preempted', 'preempted-cancelled', 'ended preempted'],
  ['squeue-preempted', 'preempted-requeued', 'queued BeginTime'],
  ['squeue-preempted', 'preemptor', 'running'],
  ['squeue-node-lost', 'node-lost', 'ended node-lost the node n1 failed'],
  ['squeue-node-lost-before', 'node-lost', 'running'],
  ['squeue-memory-cgroup', 'memory-cgroup', 'ended out-of-memory'],
  ['squeue-needs-dead-node', 'needs-dead-node', 'queued ReqNodeNotAvail, UnavailableNodes:n1'],
])('%s: the job %s is %s', (recording, name, state) => {
  expect(byName(slurm.readQueue(recorded(recording)))[name]).toBe(state);
});

it('unfolds tasks that wait', () => {
  const tasks = slurm.readQueue(recorded('squeue-folded'))?.filter(({ name }) => name === 'small-array') ?? [];
  expect(tasks.map(({ id }) => id).sort()).toEqual(['5_0', '5_1', '5_2', '5_3', '5_4']);
});

it.each(['squeue-controller-down', 'squeue-munge-down'])('learns nothing from %s', (name) => {
  expect(slurm.readQueue(recorded(name, 1))).toBeNull();
});

it.each(['sacct-database-down', 'sacct-munge-down'])('learns nothing from %s', (name) => {
  expect(slurm.readHistory(recorded(name, 1))).toBeNull();
});

it('takes an empty queue for an answer', () => {
  expect(slurm.readQueue(recorded('squeue-user-wrong'))).toEqual([]);
});

it.each([
  ['sbatch-parsable', 0, { how: 'accepted', id: '46' }],
  ['sbatch-array', 0, { how: 'accepted', id: '47' }],
  ['sbatch-database-down', 0, { how: 'accepted', id: '58' }],
  ['sbatch-controller-down', 1, { how: 'later', full: false }],
  ['sbatch-munge-down', 1, { how: 'later', full: false }],
  ['sbatch-submit-limit', 1, { how: 'later', full: true }],
  ['sbatch-partition-drain', 1, { how: 'later', full: false }],
  ['sbatch-no-partition', 1, { how: 'refused', message: expect.stringContaining('invalid partition specified: nosuch') }],
  ['sbatch-no-account', 1, { how: 'refused' }],
  ['sbatch-no-qos', 1, { how: 'refused', message: expect.stringContaining('Invalid qos specification') }],
  ['sbatch-no-feature', 1, { how: 'refused' }],
  ['sbatch-no-gpu', 1, { how: 'refused' }],
  ['sbatch-no-reservation', 1, { how: 'refused' }],
  ['sbatch-memory', 1, { how: 'refused', message: expect.stringContaining('Memory specification can not be satisfied') }],
  ['sbatch-array-too-large', 1, { how: 'refused' }],
  ['sbatch-bad-option', 255, { how: 'refused' }],
  ['sbatch-bad-time', 255, { how: 'refused' }],
])('%s: %i, %o', (name, exitCode, answer) => {
  expect(slurm.readSubmit(recorded(name, exitCode))).toMatchObject(answer);
});

it('does not know what became of a submission whose command was ended, or said no id', () => {
  expect(slurm.readSubmit({ ended: 'time-limit', exitCode: null, stdout: '', stderr: '' })).toMatchObject({ how: 'unclear' });
  expect(slurm.readSubmit({ ended: 'ok', exitCode: 0, stdout: 'hello\n', stderr: '' })).toMatchObject({ how: 'unclear' });
  const timedOut = 'sbatch: error: Batch job submission failed: Socket timed out on send/recv operation';
  expect(slurm.readSubmit({ ended: 'exit', exitCode: 1, stdout: '', stderr: timedOut })).toMatchObject({ how: 'unclear' });
});

it('reads the id of one of several clusters', () => {
  expect(slurm.readSubmit({ ended: 'ok', exitCode: 0, stdout: '4711;west\n', stderr: '' })).toEqual({ how: 'accepted', id: '4711' });
});

it.each([
  ['scancel-unknown', 0, true],
  ['scancel-finished', 0, true],
  ['scancel-controller-down', 8, false],
  ['scancel-munge-down', 239, false],
])('%s (%i): it was heard = %s', (name, exitCode, isHeard) => {
  expect(slurm.readCancel(recorded(name, exitCode))).toBe(isHeard);
});

it('reads how many tasks an array may have', () => {
  expect(slurm.limits?.read(recorded('scontrol-config'))).toEqual({ maxArray: 10_001 });
  expect(slurm.limits?.read(recorded('sinfo-controller-down', 1))).toBeNull();
});

it('finds a kill for memory in the log of the engine, where the record only has a signal', () => {
  const log = readFileSync(new URL('./fixtures/slurm/log-memory.log', import.meta.url), 'utf8');
  expect(slurm.endInLog(log, '11')).toEqual({ how: 'out-of-memory' });
  expect(slurm.endInLog(log, '1')).toBeNull();
  const cgroup = readFileSync(new URL('./fixtures/slurm/log-memory-cgroup.log', import.meta.url), 'utf8');
  expect(slurm.endInLog(cgroup, '73')).toEqual({ how: 'out-of-memory' });
});

it('shows words it does not know, and takes them for no news', () => {
  const line = '7|7|7|N/A|DREAMING|None|n1|N/A|N/A|root|name|(null)\n';
  expect(slurm.readQueue({ ended: 'ok', exitCode: 0, stdout: line, stderr: '' })).toMatchObject([
    { state: { state: 'unknown', word: 'DREAMING' } },
  ]);
});

const request = (site: Partial<SlurmSite> = {}) => ({
  name: 'gains.0.source.caf-0123456789',
  size: 4,
  resources: { cores: 2, memoryBytes: 2e9, memoryIsSet: false, timeMs: 61_000 },
  site: { ...SLURM_SITE, ...site },
  script: '/results/.batch/0123456789/script',
  description: '/results/.batch/0123456789/description',
  log: '/results 100%/.batch/0123456789/log',
});

it('submits one array with all that its jobs need, and leaves out what the site decides', () => {
  expect(slurm.submit(request()).argv).toMatchInlineSnapshot(`
    [
      "sbatch",
      "--parsable",
      "--job-name=gains.0.source.caf-0123456789",
      "--array=0-3",
      "--nodes=1",
      "--ntasks=1",
      "--cpus-per-task=2",
      "--mem=1908M",
      "--time=2",
      "--no-requeue",
      "--chdir=/",
      "--output=/results 100%%/.batch/0123456789/log",
      "--open-mode=append",
      "--export=ALL",
      "/results/.batch/0123456789/script",
    ]
  `);
});

it('passes the options of the site on', () => {
  const site = {
    partition: 'short',
    account: 'belle',
    qos: 'high',
    constraint: 'avx2',
    reservation: 'beam',
    exclusive: true,
    gpus: 'a100:2',
    directives: ['--licenses=root:1'],
  };
  const { argv } = slurm.submit(request(site));
  for (const option of [
    '--partition=short',
    '--account=belle',
    '--qos=high',
    '--constraint=avx2',
    '--reservation=beam',
    '--exclusive',
    '--gres=gpu:a100:2',
    '--licenses=root:1',
  ])
    expect(argv).toContain(option);
  expect(argv.at(-1)).toBe('/results/.batch/0123456789/script');
});

it('cancels many tasks with few words', () => {
  expect(slurm.cancel(['7_0', '7_2', '7_1', '9_5', '7_9', '12'])).toEqual(['scancel', '12', '7_[0-2,9]', '9_[5]']);
});

it('says what partitions there are, and which one is meant when none is named', () => {
  expect(slurm.survey?.read(recorded('sinfo'))).toMatchInlineSnapshot(`
    {
      "options": "{ partition: 'main' }",
      "text": "partitions main* (2 nodes of 8 cores and 16000 MB, at most 7-00:00:00), short (2 nodes of 8 cores and 16000 MB, at most 1:00)",
    }
  `);
  expect(slurm.survey?.read(recorded('sinfo-controller-down', 1))).toBeNull();
});
