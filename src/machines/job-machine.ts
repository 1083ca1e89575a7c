// One job of a collection, from its first attempt to its last.
//
//   ready -> resuming -+-> admitting -> attempting.starting -> attempting.running --+-> accepting -> succeeded
//                      |       ^             |                        |             |
//                      |       +-------------+---- retry, by cause ---+-------------+-> failed
//                      +-> adopting -------------------^              +-> attempting.cancelling -> cancelled
//                      +-> accepting (it succeeded, but was not yet renamed into place)
import { assign, fromCallback, fromPromise, sendTo, setup } from 'xstate';
import type { Resources } from '../domain/calibration.ts';
import type { CafEvent } from '../domain/event.ts';
import type { AttemptOutcome, AttemptRecord, JobHandle, JobKey, Usage } from '../domain/job.ts';
import type { JournalEntry } from '../domain/journal.ts';
import { notProvided, writeAndTell } from './effects.ts';

/** What an earlier invocation left of this job. */
export type JobPast =
  | { readonly kind: 'none' }
  /** An attempt without a known end: its process may be alive. */
  | { readonly kind: 'open'; readonly record: AttemptRecord }
  /** The last attempt succeeded, but does not count yet. */
  | { readonly kind: 'succeeded'; readonly record: AttemptRecord };

export interface JobInput {
  readonly key: JobKey;
  /** Digest of its input files and arguments. */
  readonly inputs: string;
  readonly past: JobPast;
  /** Attempts already made, over all invocations. */
  readonly attemptsMade: number;
  /** How often it may be tried again. */
  readonly retries: number;
  /** Of these, how many earlier invocations used. */
  readonly retriesUsed: number;
  readonly resources: Resources;
}

export interface Attempt {
  readonly attempt: number;
  readonly token: string;
  /** Relative to the results directory. */
  readonly directory: string;
  readonly resources: Resources;
}

/** What to find again; null = it may have been started, but nobody wrote down as what. */
export interface Adoption {
  readonly handle: JobHandle | null;
}

export interface JobContext extends JobInput {
  readonly current: Attempt | null;
  readonly handle: JobHandle | null;
  readonly adopted: boolean;
  readonly outcome: AttemptOutcome | null;
  readonly usage: Usage | null;
  readonly warnings: readonly string[];
  /** What the next attempt may use. */
  readonly next: Resources;
  readonly mayRetry: boolean;
  readonly retryCounts: boolean;
}

export type JobEvent =
  | { type: 'job.begin' }
  | { type: 'job.cancel' }
  | { type: 'attempt.spawned'; handle: JobHandle | null }
  /** The attempt ended and was judged. `retry` = what the next attempt may use; null = do not retry. */
  | {
      type: 'attempt.ended';
      outcome: AttemptOutcome;
      usage: Usage | null;
      warnings: readonly string[];
      retry: { resources: Resources; counts: boolean } | null;
    }
  /** Nothing alive was found to adopt, and no result. */
  | { type: 'attempt.lost' };

export interface JobOutput {
  readonly key: JobKey;
  readonly outcome: AttemptOutcome;
  readonly attempt: number;
}

const failed = (detail: string): AttemptOutcome => ({ state: 'failed', cause: 'bad-result', detail });

const LOST: AttemptOutcome = { state: 'failed', cause: 'node-lost', detail: 'its process is gone and left no result' };

const decided = (event: Extract<JobEvent, { type: 'attempt.ended' }>) =>
  event.retry === null ? { mayRetry: false } : { mayRetry: true, next: event.retry.resources, retryCounts: event.retry.counts };

const currentOf = (context: JobContext): Attempt => {
  if (context.current === null) throw new Error('a job without an attempt has no attempt to speak of');
  return context.current;
};

const endEntry = (context: JobContext, outcome: AttemptOutcome): JournalEntry => ({
  kind: 'attempt.finished',
  ...context.key,
  attempt: currentOf(context).attempt,
  outcome,
  usage: context.usage,
  warnings: context.warnings,
});

const finishedEntry = (context: JobContext): JournalEntry => ({
  kind: 'job.finished',
  ...context.key,
  attempt: currentOf(context).attempt,
  outcome: context.outcome ?? failed('no outcome'),
});

const started = (context: JobContext): CafEvent => {
  const { attempt, directory } = currentOf(context);
  return { type: 'job.started', ...context.key, attempt, directory, adopted: context.adopted };
};

const retried = (context: JobContext): CafEvent => {
  const { attempt, directory } = currentOf(context);
  return { type: 'job.retried', ...context.key, attempt, outcome: context.outcome ?? failed('no outcome'), directory };
};

const finished = (context: JobContext): CafEvent => {
  const { attempt, directory } = currentOf(context);
  return {
    type: 'job.finished',
    ...context.key,
    attempt,
    outcome: context.outcome ?? failed('no outcome'),
    usage: context.usage,
    directory,
    willRetry: false,
  };
};

export const jobMachine = setup({
  types: {
    input: {} as JobInput,
    context: {} as JobContext,
    events: {} as JobEvent,
    output: {} as JobOutput,
    tags: {} as 'active' | 'terminal',
  },
  actors: {
    admit: fromPromise<Attempt, { key: JobKey; attempt: number; resources: Resources }>(notProvided('admit')),
    runAttempt: fromCallback<JobEvent, { key: JobKey; attempt: Attempt; adopt: Adoption | null }>(notProvided('runAttempt')),
    acceptAttempt: fromPromise<void, { key: JobKey; attempt: Attempt }>(notProvided('acceptAttempt')),
  },
  actions: {
    ...writeAndTell,
    cancelAttempt: sendTo('attempt', { type: 'job.cancel' }),
    keepEnd: assign(({ event }) =>
      event.type === 'attempt.ended' ? { outcome: event.outcome, usage: event.usage, warnings: event.warnings, ...decided(event) } : {},
    ),
    countRetry: assign({ retriesUsed: ({ context }) => context.retriesUsed + (context.retryCounts ? 1 : 0), outcome: null }),
    setCancelled: assign({ outcome: { state: 'cancelled', detail: 'cancelled before it started' } satisfies AttemptOutcome }),
  },
  guards: {
    hasOpenAttempt: ({ context }) => context.past.kind === 'open',
    hasUnacceptedSuccess: ({ context }) => context.past.kind === 'succeeded',
    succeeded: ({ context }) => context.outcome?.state === 'succeeded',
    cancelled: ({ context }) => context.outcome?.state === 'cancelled',
    mayRetry: ({ context }) => context.mayRetry && (!context.retryCounts || context.retriesUsed < context.retries),
  },
}).createMachine({
  id: 'job',
  context: ({ input }) => ({
    ...input,
    current: input.past.kind === 'none' ? null : input.past.record,
    handle: null,
    adopted: false,
    outcome: null,
    usage: null,
    warnings: [],
    next: input.resources,
    mayRetry: false,
    retryCounts: true,
  }),
  initial: 'ready',
  states: {
    // In the initial macrostep xstate starts invoked actors before entry actions; a journal row must come first.
    ready: { on: { 'job.begin': 'resuming' } },
    resuming: {
      always: [
        {
          guard: 'hasUnacceptedSuccess',
          target: 'accepting',
          actions: [assign({ adopted: true }), { type: 'tell', params: ({ context }) => started(context) }],
        },
        { guard: 'hasOpenAttempt', target: 'adopting' },
        { target: 'admitting' },
      ],
    },
    adopting: {
      tags: 'active',
      invoke: {
        id: 'attempt',
        src: 'runAttempt',
        input: ({ context }) => ({
          key: context.key,
          attempt: currentOf(context),
          adopt: { handle: context.past.kind === 'open' ? context.past.record.handle : null },
        }),
      },
      on: {
        'attempt.spawned': {
          actions: [
            assign({ handle: ({ event }) => event.handle, adopted: true }),
            { type: 'tell', params: ({ context }) => started(context) },
          ],
        },
        'attempt.ended': { target: 'judged', actions: 'keepEnd' },
        'attempt.lost': { target: 'admitting', actions: { type: 'journal', params: ({ context }) => endEntry(context, LOST) } },
        'job.cancel': { actions: 'cancelAttempt' },
      },
    },
    admitting: {
      invoke: {
        id: 'admit',
        src: 'admit',
        input: ({ context }) => ({ key: context.key, attempt: context.attemptsMade, resources: context.next }),
        onDone: {
          target: 'attempting',
          actions: assign({
            current: ({ event }) => event.output,
            attemptsMade: ({ context }) => context.attemptsMade + 1,
            handle: null,
            adopted: false,
          }),
        },
        onError: { target: 'cancelled', actions: 'setCancelled' },
      },
      on: { 'job.cancel': { target: 'cancelled', actions: 'setCancelled' } },
    },
    attempting: {
      tags: 'active',
      entry: {
        type: 'journal',
        params: ({ context }) => {
          const current = currentOf(context);
          return {
            kind: 'attempt.started',
            ...context.key,
            attempt: current.attempt,
            token: current.token,
            inputs: context.inputs,
            directory: current.directory,
            resources: current.resources,
          };
        },
      },
      invoke: {
        id: 'attempt',
        src: 'runAttempt',
        input: ({ context }) => ({ key: context.key, attempt: currentOf(context), adopt: null }),
      },
      on: { 'attempt.ended': { target: 'judged', actions: 'keepEnd' } },
      initial: 'starting',
      states: {
        starting: {
          on: {
            'job.cancel': 'cancelling',
            'attempt.spawned': {
              target: 'running',
              actions: [assign({ handle: ({ event }) => event.handle }), { type: 'tell', params: ({ context }) => started(context) }],
            },
          },
        },
        running: { on: { 'job.cancel': 'cancelling' } },
        cancelling: { entry: 'cancelAttempt' },
      },
    },
    judged: {
      entry: { type: 'journal', params: ({ context }) => endEntry(context, context.outcome ?? failed('no outcome')) },
      always: [
        { guard: 'succeeded', target: 'accepting' },
        { guard: 'cancelled', target: 'cancelled' },
        { guard: 'mayRetry', target: 'admitting', actions: [{ type: 'tell', params: ({ context }) => retried(context) }, 'countRetry'] },
        { target: 'failed' },
      ],
    },
    accepting: {
      tags: 'active',
      invoke: {
        id: 'accept',
        src: 'acceptAttempt',
        input: ({ context }) => ({ key: context.key, attempt: currentOf(context) }),
        onDone: { target: 'succeeded', actions: assign({ outcome: { state: 'succeeded' } }) },
        onError: {
          target: 'failed',
          actions: assign({ outcome: ({ event }) => failed(`its directory could not be put into place: ${String(event.error)}`) }),
        },
      },
    },
    succeeded: {
      type: 'final',
      tags: 'terminal',
      entry: [
        { type: 'journal', params: ({ context }) => finishedEntry(context) },
        { type: 'tell', params: ({ context }) => finished(context) },
      ],
    },
    failed: {
      type: 'final',
      tags: 'terminal',
      entry: [
        { type: 'journal', params: ({ context }) => finishedEntry(context) },
        { type: 'tell', params: ({ context }) => finished(context) },
      ],
    },
    // Not journaled as finished: the next invocation starts it again.
    cancelled: { type: 'final', tags: 'terminal' },
  },
  output: ({ context }) => ({
    key: context.key,
    outcome: context.outcome ?? failed('no outcome'),
    attempt: context.current?.attempt ?? context.attemptsMade,
  }),
});
