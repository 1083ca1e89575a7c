// One algorithm of one iteration: its strategy runs in a child process, and what the child says moves this machine.
//
//   init -> starting -> ready <-> running_algorithm -> completed
//             |           |              |
//             +-----------+--------------+-----------> failed
//             +-----------+--------------+-----------> interrupted   (its recorded executions are kept)
import { assign, fromCallback, sendTo, setup } from 'xstate';
import type { AlgorithmResult, FinalState } from '../domain/calibration.ts';
import type { CafEvent, ErrorText } from '../domain/event.ts';
import type { ExecutionRecord, ReportedResult } from '../domain/execution.ts';
import type { Iov, Run } from '../domain/iov.ts';
import { notProvided, writeAndTell } from './effects.ts';

export interface AlgorithmInput {
  readonly calibration: string;
  readonly iteration: number;
  readonly algorithm: string;
  /** Relative to the results directory. */
  readonly directory: string;
  /** Reports that an earlier invocation wrote down: sent again by the strategy, not journaled again. */
  readonly reportsKnown: number;
  readonly resultsKnown: readonly AlgorithmResult[];
}

export interface AlgorithmContext extends AlgorithmInput {
  readonly results: Readonly<Partial<Record<AlgorithmResult, number>>>;
  readonly finalState: FinalState;
  readonly gaps: readonly Iov[] | null;
  readonly error: ErrorText | null;
}

export type AlgorithmEvent =
  | { type: 'algorithm.begin' }
  | { type: 'algorithm.cancel' }
  | { type: 'child.ready'; runs: readonly Run[] }
  | { type: 'child.execution.started'; seq: number; runs: readonly Run[]; iov: Iov }
  | { type: 'child.execution.finished'; execution: ExecutionRecord }
  | { type: 'child.result.reported'; report: ReportedResult }
  | { type: 'child.warning'; message: string }
  /** The child is gone. `interrupted`: we ended it. */
  | { type: 'child.ended'; finalState: FinalState; gaps: readonly Iov[] | null; error: ErrorText | null; interrupted: boolean };

export interface AlgorithmOutput {
  readonly state: FinalState | 'interrupted';
  readonly results: Readonly<Partial<Record<AlgorithmResult, number>>>;
  readonly error: ErrorText | null;
}

const count = (results: AlgorithmContext['results'], result: AlgorithmResult) => ({ ...results, [result]: (results[result] ?? 0) + 1 });

const where = ({ calibration, iteration, algorithm }: AlgorithmContext) => ({ calibration, iteration, algorithm });

const finished = (context: AlgorithmContext): CafEvent => ({
  type: 'algorithm.finished',
  ...where(context),
  finalState: context.finalState,
  results: context.results,
  gaps: context.gaps,
  error: context.error,
});

export const algorithmMachine = setup({
  types: {
    input: {} as AlgorithmInput,
    context: {} as AlgorithmContext,
    events: {} as AlgorithmEvent,
    output: {} as AlgorithmOutput,
    tags: {} as 'active' | 'terminal',
  },
  actors: {
    runStrategy: fromCallback<AlgorithmEvent, AlgorithmInput>(notProvided('runStrategy')),
  },
  actions: {
    ...writeAndTell,
    cancelStrategy: sendTo('strategy', { type: 'algorithm.cancel' }),
    keepReport: assign({
      results: ({ context, event }) =>
        event.type === 'child.result.reported' ? count(context.results, event.report.result) : context.results,
    }),
    keepEnd: assign(({ event }) =>
      event.type === 'child.ended' ? { finalState: event.finalState, gaps: event.gaps, error: event.error } : {},
    ),
  },
  guards: {
    isNewReport: ({ context }, params: { seq: number }) => params.seq >= context.reportsKnown,
    wasInterrupted: (_, params: { interrupted: boolean }) => params.interrupted,
    isCompleted: (_, params: { finalState: FinalState }) => params.finalState === 'completed',
  },
}).createMachine({
  id: 'algorithm',
  context: ({ input }) => ({
    ...input,
    results: input.resultsKnown.reduce<AlgorithmContext['results']>(count, {}),
    finalState: 'failed',
    gaps: null,
    error: null,
  }),
  initial: 'init',
  states: {
    init: { on: { 'algorithm.begin': 'child' } },
    // The child lives as long as this state; its own states are those of the reference's algorithm machine.
    child: {
      tags: 'active',
      entry: [
        { type: 'journal', params: ({ context }) => ({ kind: 'algorithm.started', ...where(context) }) },
        { type: 'tell', params: ({ context }) => ({ type: 'algorithm.started', ...where(context), directory: context.directory }) },
      ],
      invoke: { id: 'strategy', src: 'runStrategy', input: ({ context }) => context },
      initial: 'starting',
      states: {
        starting: { on: { 'child.ready': 'ready' } },
        ready: {},
        running_algorithm: {},
      },
      on: {
        'algorithm.cancel': { actions: 'cancelStrategy' },
        'child.execution.started': {
          target: '.running_algorithm',
          actions: {
            type: 'tell',
            params: ({ context, event }) => ({
              type: 'execution.started',
              ...where(context),
              seq: event.seq,
              runs: event.runs,
              iov: event.iov,
            }),
          },
        },
        'child.execution.finished': {
          target: '.ready',
          actions: [
            {
              type: 'journal',
              params: ({ context, event }) => ({ kind: 'execution.finished', ...where(context), execution: event.execution }),
            },
            {
              type: 'tell',
              params: ({ context, event }) => ({ type: 'execution.finished', ...where(context), execution: event.execution }),
            },
          ],
        },
        'child.result.reported': {
          guard: { type: 'isNewReport', params: ({ event }) => ({ seq: event.report.seq }) },
          actions: [
            { type: 'journal', params: ({ context, event }) => ({ kind: 'result.reported', ...where(context), report: event.report }) },
            'keepReport',
            { type: 'tell', params: ({ context, event }) => ({ type: 'result.reported', ...where(context), report: event.report }) },
          ],
        },
        'child.warning': {
          actions: {
            type: 'tell',
            params: ({ context, event }) => ({
              type: 'warning',
              code: 'CAF_ALGORITHM_WARNING',
              message: event.message,
              calibration: context.calibration,
              iteration: context.iteration,
            }),
          },
        },
        'child.ended': [
          {
            guard: { type: 'wasInterrupted', params: ({ event }) => ({ interrupted: event.interrupted }) },
            target: 'interrupted',
            actions: 'keepEnd',
          },
          {
            guard: { type: 'isCompleted', params: ({ event }) => ({ finalState: event.finalState }) },
            target: 'completed',
            actions: 'keepEnd',
          },
          { target: 'failed', actions: 'keepEnd' },
        ],
      },
    },
    completed: {
      type: 'final',
      tags: 'terminal',
      entry: [
        { type: 'journal', params: ({ context }) => ended(context) },
        { type: 'tell', params: ({ context }) => finished(context) },
      ],
      output: ({ context }): AlgorithmOutput => ({ state: 'completed', results: context.results, error: null }),
    },
    failed: {
      type: 'final',
      tags: 'terminal',
      entry: [
        { type: 'journal', params: ({ context }) => ended(context) },
        { type: 'tell', params: ({ context }) => finished(context) },
      ],
      output: ({ context }): AlgorithmOutput => ({ state: 'failed', results: context.results, error: context.error }),
    },
    // Not journaled as finished: the next invocation goes on after the last recorded execution.
    interrupted: {
      type: 'final',
      tags: 'terminal',
      output: ({ context }): AlgorithmOutput => ({ state: 'interrupted', results: context.results, error: null }),
    },
  },
  output: ({ event }) => (event as unknown as { output: AlgorithmOutput }).output,
});

const ended = (context: AlgorithmContext) =>
  ({ kind: 'algorithm.finished', ...where(context), finalState: context.finalState, gaps: context.gaps, error: context.error }) as const;
