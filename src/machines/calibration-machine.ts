// One calibration: the loop of collectors, algorithms and commits, with the states of Belle II's CAF.
//
//   ready -> resuming -> init -> running_collector -> collector_completed -> running_algorithms -> algorithms_completed
//                         ^              |                                          |                 .committing
//                         |              v                                          v                   |  | iterate
//                         |       collector_failed                          algorithms_failed           |  +---------+
//                         |              +--------------------> failed <------------+                   v            |
//                         |                                                                        .publishing       |
//                         |                                                                             v            |
//                         |                                                                         completed        |
//                         +------------------------------------------------------------------------------------------+
//   A wish to stop leads from every active state to `interrupted`, with everything finished written down.
import { assign, fromPromise, setup } from 'xstate';
import type { CalibrationState, Checkpoint } from '../domain/calibration.ts';
import type { CafEvent, ErrorText } from '../domain/event.ts';
import type { JournalEntry } from '../domain/journal.ts';
import { notProvided, writeAndTell } from './effects.ts';

export interface CalibrationInput {
  readonly calibration: string;
  readonly maxIterations: number;
  readonly onMaxIterations: 'complete' | 'fail';
  /** Where to begin: the rows tell. */
  readonly checkpoint: Checkpoint;
  readonly iteration: number;
  readonly reason: string;
}

export interface CalibrationContext extends CalibrationInput {
  readonly error: ErrorText | null;
  readonly iterate: boolean;
  readonly payloads: number;
}

/** What a step of the loop came to. */
export type StepOutcome =
  | { readonly state: 'ok' }
  | { readonly state: 'failed'; readonly error: ErrorText }
  | { readonly state: 'interrupted' };

export interface CommitOutcome {
  /** Some reported result of this iteration is `iterate`. */
  readonly iterate: boolean;
}

export type CalibrationEvent = { type: 'calibration.begin' };

export interface CalibrationOutput {
  readonly calibration: string;
  readonly state: 'completed' | 'failed' | 'interrupted';
  readonly iterations: number;
  readonly converged: boolean;
  readonly payloads: number;
  readonly error: ErrorText | null;
}

export interface InIteration {
  readonly calibration: string;
  readonly iteration: number;
}

const here = ({ calibration, iteration }: CalibrationContext): InIteration => ({ calibration, iteration });

const stateEntry = (
  context: CalibrationContext,
  state: CalibrationState,
  more: { checkpoint?: Checkpoint; converged?: boolean } = {},
): JournalEntry => ({
  kind: 'calibration.state',
  ...here(context),
  state,
  ...more,
  error: context.error,
});

/** Entering a state writes it down, then tells it. */
const enter = (state: CalibrationState, checkpoint?: Checkpoint) =>
  [
    {
      type: 'journal',
      params: ({ context }: { context: CalibrationContext }): JournalEntry =>
        stateEntry(context, state, checkpoint === undefined ? {} : { checkpoint }),
    },
    {
      type: 'tell',
      params: ({ context }: { context: CalibrationContext }): CafEvent => ({ type: 'calibration.state', ...here(context), state }),
    },
  ] as const;

const notConverged = (context: CalibrationContext): ErrorText => ({
  code: 'CAF_NOT_CONVERGED',
  message: `${context.calibration} did not converge within ${context.maxIterations} iteration${context.maxIterations === 1 ? '' : 's'}`,
  hint: 'raise maxIterations, loosen the criterion, or look at how the payloads change: caf db diff',
});

const asErrorText = (error: unknown): ErrorText => {
  const { code, message, hint } = error as { code?: string; message?: string; hint?: string };
  return { code: code ?? 'CAF_INTERNAL', message: message ?? String(error), ...(hint === undefined ? {} : { hint }) };
};

const step = (name: string) => fromPromise<StepOutcome, InIteration>(notProvided(name));

const setError = {
  type: 'setError',
  params: ({ event }: { event: { output: StepOutcome } }) => ({ error: event.output.state === 'failed' ? event.output.error : null }),
} as const;
const setThrown = {
  type: 'setError',
  params: ({ event }: { event: { error: unknown } }) => ({ error: asErrorText(event.error) }),
} as const;

export const calibrationMachine = setup({
  types: {
    input: {} as CalibrationInput,
    context: {} as CalibrationContext,
    events: {} as CalibrationEvent,
    output: {} as CalibrationOutput,
    tags: {} as 'active' | 'terminal',
  },
  actors: {
    prepareIteration: step('prepareIteration'),
    runCollectors: step('runCollectors'),
    runAlgorithms: step('runAlgorithms'),
    commitIteration: fromPromise<CommitOutcome, InIteration & { failed: boolean }>(notProvided('commitIteration')),
    publishResult: fromPromise<{ payloads: number }, InIteration & { converged: boolean }>(notProvided('publishResult')),
  },
  actions: {
    ...writeAndTell,
    setError: assign({ error: (_, params: { error: ErrorText | null }) => params.error }),
  },
  guards: {
    isCompleted: ({ context }) => context.checkpoint === 'completed',
    isCollected: ({ context }) => context.checkpoint === 'collector_completed',
    isOk: (_, params: StepOutcome) => params.state === 'ok',
    isInterrupted: (_, params: StepOutcome) => params.state === 'interrupted',
    wantsNext: ({ context }, params: CommitOutcome) => params.iterate && context.iteration + 1 < context.maxIterations,
    mustConverge: ({ context }, params: CommitOutcome) => params.iterate && context.onMaxIterations === 'fail',
  },
}).createMachine({
  id: 'calibration',
  context: ({ input }) => ({ ...input, error: null, iterate: false, payloads: 0 }),
  initial: 'ready',
  states: {
    ready: { on: { 'calibration.begin': 'resuming' } },
    resuming: {
      always: [{ guard: 'isCompleted', target: 'completed' }, { guard: 'isCollected', target: 'collector_completed' }, { target: 'init' }],
    },
    init: {
      tags: 'active',
      entry: enter('init', 'init'),
      invoke: {
        id: 'prepare',
        src: 'prepareIteration',
        input: ({ context }) => here(context),
        onDone: [
          { guard: { type: 'isOk', params: ({ event }) => event.output }, target: 'running_collector' },
          { guard: { type: 'isInterrupted', params: ({ event }) => event.output }, target: 'interrupted' },
          { target: 'collector_failed', actions: setError },
        ],
        onError: { target: 'failed', actions: setThrown },
      },
    },
    running_collector: {
      tags: 'active',
      entry: enter('running_collector'),
      invoke: {
        id: 'collect',
        src: 'runCollectors',
        input: ({ context }) => here(context),
        onDone: [
          { guard: { type: 'isOk', params: ({ event }) => event.output }, target: 'collector_completed' },
          { guard: { type: 'isInterrupted', params: ({ event }) => event.output }, target: 'interrupted' },
          { target: 'collector_failed', actions: setError },
        ],
        onError: { target: 'failed', actions: setThrown },
      },
    },
    collector_completed: { entry: enter('collector_completed', 'collector_completed'), always: 'running_algorithms' },
    collector_failed: {
      tags: 'active',
      entry: enter('collector_failed'),
      invoke: {
        id: 'commitFailed',
        src: 'commitIteration',
        input: ({ context }) => ({ ...here(context), failed: true }),
        onDone: 'failed',
        onError: { target: 'failed', actions: setThrown },
      },
    },
    running_algorithms: {
      tags: 'active',
      entry: enter('running_algorithms'),
      invoke: {
        id: 'analyse',
        src: 'runAlgorithms',
        input: ({ context }) => here(context),
        onDone: [
          { guard: { type: 'isOk', params: ({ event }) => event.output }, target: 'algorithms_completed' },
          { guard: { type: 'isInterrupted', params: ({ event }) => event.output }, target: 'interrupted' },
          { target: 'algorithms_failed', actions: setError },
        ],
        onError: { target: 'failed', actions: setThrown },
      },
    },
    algorithms_failed: {
      tags: 'active',
      entry: enter('algorithms_failed'),
      invoke: {
        id: 'commitFailed',
        src: 'commitIteration',
        input: ({ context }) => ({ ...here(context), failed: true }),
        onDone: 'failed',
        onError: { target: 'failed', actions: setThrown },
      },
    },
    algorithms_completed: {
      tags: 'active',
      entry: enter('algorithms_completed'),
      initial: 'committing',
      states: {
        committing: {
          invoke: {
            id: 'commit',
            src: 'commitIteration',
            input: ({ context }) => ({ ...here(context), failed: false }),
            onDone: [
              {
                guard: { type: 'wantsNext', params: ({ event }) => event.output },
                target: '#calibration.init',
                actions: assign({ iteration: ({ context }) => context.iteration + 1 }),
              },
              {
                guard: { type: 'mustConverge', params: ({ event }) => event.output },
                target: '#calibration.failed',
                actions: { type: 'setError', params: ({ context }) => ({ error: notConverged(context) }) },
              },
              { target: 'publishing', actions: assign({ iterate: ({ event }) => event.output.iterate }) },
            ],
            onError: { target: '#calibration.failed', actions: setThrown },
          },
        },
        publishing: {
          invoke: {
            id: 'publish',
            src: 'publishResult',
            input: ({ context }) => ({ ...here(context), converged: !context.iterate }),
            onDone: { target: '#calibration.completed', actions: assign({ payloads: ({ event }) => event.output.payloads }) },
            onError: { target: '#calibration.failed', actions: setThrown },
          },
        },
      },
    },
    completed: {
      type: 'final',
      tags: 'terminal',
      entry: [
        {
          type: 'journal',
          params: ({ context }) => stateEntry(context, 'completed', { checkpoint: 'completed', converged: !context.iterate }),
        },
        { type: 'tell', params: ({ context }) => ({ type: 'calibration.state', ...here(context), state: 'completed' }) },
      ],
      output: ({ context }): CalibrationOutput => ended(context, 'completed'),
    },
    failed: {
      type: 'final',
      tags: 'terminal',
      entry: enter('failed'),
      output: ({ context }): CalibrationOutput => ended(context, 'failed'),
    },
    interrupted: { type: 'final', tags: 'terminal', output: ({ context }): CalibrationOutput => ended(context, 'interrupted') },
  },
  output: ({ event }) => (event as unknown as { output: CalibrationOutput }).output,
});

const ended = (context: CalibrationContext, state: CalibrationOutput['state']): CalibrationOutput => ({
  calibration: context.calibration,
  state,
  iterations: context.iteration + 1,
  converged: state === 'completed' && !context.iterate,
  payloads: context.payloads,
  error: state === 'failed' ? context.error : null,
});
