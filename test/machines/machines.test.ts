// The four machines, explored completely: every state is reached, none is without a way out, and every end carries an outcome.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { createActor, type EventFromLogic } from 'xstate';
import type { Resources } from '../../src/domain/calibration.ts';
import type { AttemptOutcome, AttemptRecord } from '../../src/domain/job.ts';
import type { StopWish } from '../../src/domain/stop-wish.ts';
import { algorithmMachine } from '../../src/machines/algorithm-machine.ts';
import { calibrationMachine } from '../../src/machines/calibration-machine.ts';
import { campaignMachine } from '../../src/machines/campaign-machine.ts';
import { jobMachine } from '../../src/machines/job-machine.ts';
import { MACHINE_NAMES, machinePicture } from '../../src/machines/picture.ts';
import { explore, restingStates, valueText, withoutEffects } from './explore.ts';

const resources: Resources = { cores: 1, memoryBytes: 1e9, memoryIsSet: false, timeMs: 1000 };
const key = { calibration: 'gain', iteration: 0, collection: 'data', job: 3 };
const attempt = { attempt: 0, token: 't', directory: 'gain/0/collector/data/3.attempt-0', resources };
const record = (outcome: AttemptOutcome | null): AttemptRecord => ({
  ...key,
  ...attempt,
  handle: null,
  startedAt: '',
  endedAt: null,
  outcome,
  usage: null,
});
const failure: AttemptOutcome = { state: 'failed', cause: 'exit', detail: 'exit status 1' };
const usage = { seconds: 1, maxRssBytes: null };

const jobWorld = [
  { type: 'job.begin' },
  { type: 'job.cancel' },
  { type: 'xstate.done.actor.admit', output: attempt },
  { type: 'xstate.error.actor.admit', error: new Error('aborted') },
  { type: 'attempt.spawned', handle: null },
  { type: 'attempt.lost' },
  { type: 'attempt.ended', outcome: { state: 'succeeded' }, usage, warnings: [], retry: null },
  { type: 'attempt.ended', outcome: failure, usage, warnings: [], retry: { resources, counts: true } },
  { type: 'attempt.ended', outcome: failure, usage, warnings: [], retry: null },
  { type: 'attempt.ended', outcome: { state: 'cancelled', detail: 'cancelled' }, usage, warnings: [], retry: null },
  { type: 'xstate.done.actor.accept' },
  { type: 'xstate.error.actor.accept', error: new Error('EACCES') },
];

const jobPaths = (['none', 'open', 'succeeded'] as const).flatMap((kind) =>
  explore(
    jobMachine,
    {
      key,
      inputs: 'i',
      past: kind === 'none' ? { kind } : { kind, record: record(kind === 'open' ? null : { state: 'succeeded' }) },
      attemptsMade: kind === 'none' ? 0 : 1,
      retriesUsed: 0,
      retries: 2,
      resources,
    },
    jobWorld,
  ),
);

const ok = { state: 'ok' };
const error = { code: 'CAF_JOB_FAILED', message: 'm' };
const steps = ['prepare', 'collect', 'analyse'].flatMap((id) => [
  { type: `xstate.done.actor.${id}`, output: ok },
  { type: `xstate.done.actor.${id}`, output: { state: 'failed', error } },
  { type: `xstate.done.actor.${id}`, output: { state: 'interrupted' } },
  { type: `xstate.error.actor.${id}`, error: new Error('disk full') },
]);
const calibrationWorld = [
  { type: 'calibration.begin' },
  ...steps,
  ...['commit', 'commitFailed'].flatMap((id) => [
    { type: `xstate.done.actor.${id}`, output: { iterate: true } },
    { type: `xstate.done.actor.${id}`, output: { iterate: false } },
    { type: `xstate.error.actor.${id}`, error: new Error('disk full') },
  ]),
  { type: 'xstate.done.actor.publish', output: { payloads: 3 } },
  { type: 'xstate.error.actor.publish', error: new Error('disk full') },
];
const calibrationPaths = (['init', 'collector_completed', 'completed'] as const).flatMap((checkpoint) =>
  (['complete', 'fail'] as const).flatMap((onMaxIterations) =>
    explore(
      calibrationMachine,
      { calibration: 'gain', maxIterations: 3, onMaxIterations, checkpoint, iteration: 0, reason: 'never run' },
      calibrationWorld,
    ),
  ),
);

const execution = { seq: 0, runs: [[1, 1]], iov: [1, 1, 1, 1], result: 'ok', seconds: 1, payloads: [], metadata: {}, error: null };
const algorithmWorld = [
  { type: 'algorithm.begin' },
  { type: 'algorithm.cancel' },
  { type: 'child.ready', runs: [[1, 1]] },
  { type: 'child.execution.started', seq: 0, runs: [[1, 1]], iov: [1, 1, 1, 1] },
  { type: 'child.execution.finished', execution },
  { type: 'child.ended', finalState: 'completed', gaps: [], error: null, interrupted: false },
  { type: 'child.ended', finalState: 'failed', gaps: null, error, interrupted: false },
  { type: 'child.ended', finalState: 'failed', gaps: null, error: null, interrupted: true },
];
const algorithmPaths = explore(
  algorithmMachine,
  { calibration: 'gain', iteration: 0, algorithm: 'fit', directory: 'gain/0/algorithms/fit', reportsKnown: 0, resultsKnown: [] },
  algorithmWorld,
);

const campaignWorld = [
  { type: 'campaign.begin' },
  ...(['finish', 'leave', 'cancel'] as const).map((jobs) => ({ type: 'campaign.stop', wish: { signal: 'SIGINT', jobs }, runningJobs: 2 })),
  { type: 'calibration.started' },
  { type: 'calibration.ended', state: 'completed', blocked: 0 },
  { type: 'calibration.ended', state: 'failed', blocked: 1 },
  { type: 'calibration.ended', state: 'interrupted', blocked: 0 },
];
// Only what the schedule can say: no more started than there are, no more ended than run.
const campaignPaths = explore(campaignMachine, { toDo: 2 }, campaignWorld, ({ context }, { type }) => {
  const begun = context.running + context.completed + context.failed + context.blocked;
  if (type === 'calibration.started') return begun < 2;
  return type !== 'calibration.ended' || (context.running > 0 && begun <= 2);
});

const machines = [
  { name: 'job', machine: jobMachine, paths: jobPaths },
  { name: 'calibration', machine: calibrationMachine, paths: calibrationPaths },
  { name: 'algorithm', machine: algorithmMachine, paths: algorithmPaths },
  { name: 'campaign', machine: campaignMachine, paths: campaignPaths },
] as const;

describe.each(machines)('the $name machine', ({ name, machine, paths }) => {
  it('reaches every state it can rest in', () => {
    const reached = new Set(paths.map(({ state }) => valueText(state.value)));
    expect([...reached].sort()).toEqual(restingStates(machine));
  });

  it('ends every end with an outcome, and has a way out of every other state', () => {
    for (const { state, events } of paths) {
      if (state.status === 'done') expect(state.output, events.join(' -> ')).toBeTruthy();
      else {
        expect(state.status).toBe('active');
        const onward = paths.some(
          (other) => other.events.length > events.length && events.every((type, index) => other.events[index] === type),
        );
        const leaving = state._nodes.some((node) => [...node.transitions.keys()].some((type) => type !== ''));
        expect(onward || leaving, `${valueText(state.value)} after ${events.join(' -> ')}`).toBe(true);
      }
    }
  });

  it('is drawn in docs/machines as it is', async () => {
    await expect(machinePicture(name)).toMatchFileSnapshot(`../../docs/machines/${name}.mmd`);
  });
});

describe('the job machine', () => {
  it('never makes more attempts than retries allow', () => {
    for (const { state } of jobPaths) expect(state.context.retriesUsed).toBeLessThanOrEqual(2);
  });

  it('succeeds only with an attempt that was accepted', () => {
    for (const { state, events } of jobPaths) if (state.value === 'succeeded') expect(events.at(-1)).toBe('xstate.done.actor.accept');
  });

  it('never starts an attempt before it was admitted', () => {
    for (const { state, events } of jobPaths)
      if (valueText(state.value).startsWith('attempting')) expect(events).toContain('xstate.done.actor.admit');
  });
});

describe('the calibration machine', () => {
  it('never begins more iterations than allowed', () => {
    for (const { state } of calibrationPaths) expect(state.context.iteration).toBeLessThan(3);
  });

  it('completes only after its result was published, or when it was complete before', () => {
    for (const { state, events } of calibrationPaths)
      if (state.value === 'completed' && state.context.checkpoint !== 'completed') expect(events.at(-1)).toBe('xstate.done.actor.publish');
  });

  it('says why whenever it failed', () => {
    for (const { state } of calibrationPaths)
      if (state.status === 'done' && state.output.state === 'failed')
        expect(state.output.error).toMatchObject({ code: expect.stringMatching(/^CAF_/) });
  });
});

describe('the campaign machine', () => {
  const stateAfter = (...events: readonly EventFromLogic<typeof campaignMachine>[]) => {
    const actor = createActor(withoutEffects(campaignMachine), { input: { toDo: 2 } });
    actor.start();
    for (const event of [{ type: 'campaign.begin' } as const, { type: 'calibration.started' } as const, ...events]) actor.send(event);
    return actor.getSnapshot();
  };
  const wish = (jobs: StopWish['jobs'], signal = 'caf cancel') =>
    ({ type: 'campaign.stop', wish: { signal, jobs }, runningJobs: 2 }) as const;

  it('asked twice to let jobs end lets them end; only the wish to cancel cancels them', () => {
    expect(stateAfter(wish('finish'), wish('finish')).value).toBe('stopping');
    expect(stateAfter(wish('finish'), wish('leave')).value).toBe('stopping');
    expect(stateAfter(wish('finish'), wish('cancel')).value).toBe('cancelling');
    expect(stateAfter(wish('cancel')).value).toBe('cancelling');
    expect(stateAfter(wish('cancel'), wish('finish')).value).toBe('cancelling');
  });

  it('ends when a calibration is left unfinished without a wish to stop, once nothing runs any more', () => {
    const [cut, done] = (['interrupted', 'completed'] as const).map((state) => ({ type: 'calibration.ended', state, blocked: 0 }) as const);
    expect(stateAfter({ type: 'calibration.started' }, cut!).value).toBe('running');
    expect(stateAfter({ type: 'calibration.started' }, cut!, done!).output).toMatchObject({
      outcome: 'interrupted',
      completed: 1,
      notStarted: 1,
    });
    expect(stateAfter(cut!).output).toMatchObject({ outcome: 'interrupted', completed: 0, notStarted: 2 });
  });

  it('that comes to its end while it is cancelled has not been interrupted', () => {
    const end = { type: 'calibration.ended', state: 'completed', blocked: 0 } as const;
    expect(stateAfter(wish('cancel'), { type: 'calibration.started' }, end, end).output).toMatchObject({
      outcome: 'completed',
      completed: 2,
    });
  });
});

describe('the pictures', () => {
  it('exist for every machine, and for no other', () => {
    expect(MACHINE_NAMES).toEqual(['campaign', 'calibration', 'algorithm', 'job']);
    expect(machinePicture('toString')).toBeNull();
    expect(readFileSync('docs/machines/job.mmd', 'utf8')).toContain('stateDiagram-v2');
  });
});
