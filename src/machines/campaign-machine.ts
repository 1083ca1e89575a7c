// One invocation of caf run: which calibrations may go on, and how it ends when the user wants it to stop.
//
//   ready -> running -----------------------------> completed | failed
//              | | \--(cut short, nothing runs)----\    ^
//              | | stop                            v    | (nothing was left)
//              | stopping --(nothing runs any more)--> interrupted
//              | | stop, and cancel the jobs            ^
//              v v                                      |
//            cancelling --(nothing runs any more)-------+
import { assign, setup } from 'xstate';
import type { StopWish } from '../domain/stop-wish.ts';
import { writeAndTell } from './effects.ts';

export interface CampaignInput {
  /** Calibrations that are to be done by this invocation. */
  readonly toDo: number;
}

export interface CampaignContext extends CampaignInput {
  readonly running: number;
  readonly completed: number;
  readonly failed: number;
  readonly blocked: number;
  /** One ended before its end, without a wish to stop: nothing can come of it any more. */
  readonly isCutShort: boolean;
  /** The last wish that was heeded. */
  readonly wish: StopWish | null;
}

export type CampaignEvent =
  | { type: 'campaign.begin' }
  | { type: 'campaign.stop'; wish: StopWish; runningJobs: number }
  /** A calibration was started. */
  | { type: 'calibration.started' }
  /** One ended; `blocked` = how many descendants will not run because of it. */
  | { type: 'calibration.ended'; state: 'completed' | 'failed' | 'interrupted'; blocked: number };

export interface CampaignOutput {
  readonly outcome: 'completed' | 'failed' | 'interrupted';
  readonly completed: number;
  readonly failed: number;
  readonly blocked: number;
  readonly notStarted: number;
  readonly wish: StopWish | null;
}

const allEnded = (context: CampaignContext) => context.completed + context.failed + context.blocked === context.toDo;

const output =
  (outcome: CampaignOutput['outcome']) =>
  ({ context }: { context: CampaignContext }): CampaignOutput => ({
    outcome,
    completed: context.completed,
    failed: context.failed,
    blocked: context.blocked,
    notStarted: context.toDo - context.completed - context.failed - context.blocked,
    wish: context.wish,
  });

/** As events tell it. */
const teller = (wish: StopWish | null) => ({ signal: wish?.signal ?? '', ...(wish?.by === undefined ? {} : { by: wish.by }) });

export const campaignMachine = setup({
  types: {
    input: {} as CampaignInput,
    context: {} as CampaignContext,
    events: {} as CampaignEvent,
    output: {} as CampaignOutput,
    tags: {} as 'active' | 'terminal',
  },
  actions: {
    ...writeAndTell,
    /** Starts calibrations whose ancestors are complete, up to the limit. */
    startReady: (): never => {
      throw new Error('effect "startReady" was not provided');
    },
    /** Nothing new starts: no job, no execution. Running jobs go on, and are waited for or left. */
    stopStarting: (_: unknown, _params: { jobs: StopWish['jobs'] }): void => {
      throw new Error('effect "stopStarting" was not provided');
    },
    cancelAll: (): never => {
      throw new Error('effect "cancelAll" was not provided');
    },
    countStarted: assign({ running: ({ context }) => context.running + 1 }),
    countEnded: assign(({ context, event }) =>
      event.type === 'calibration.ended'
        ? {
            running: context.running - 1,
            completed: context.completed + (event.state === 'completed' ? 1 : 0),
            failed: context.failed + (event.state === 'failed' ? 1 : 0),
            blocked: context.blocked + event.blocked,
            isCutShort: context.isCutShort || event.state === 'interrupted',
          }
        : {},
    ),
    keepWish: assign({ wish: ({ context, event }) => (event.type === 'campaign.stop' ? event.wish : context.wish) }),
  },
  guards: {
    allCompleted: ({ context }) => allEnded(context) && context.failed === 0,
    allEnded: ({ context }) => allEnded(context),
    nothingRuns: ({ context }) => context.running === 0,
    isStranded: ({ context }) => context.running === 0 && context.isCutShort,
    wantsCancel: ({ event }) => event.type === 'campaign.stop' && event.wish.jobs === 'cancel',
    wantsLeave: ({ event }) => event.type === 'campaign.stop' && event.wish.jobs === 'leave',
  },
}).createMachine({
  id: 'campaign',
  context: ({ input }) => ({ ...input, running: 0, completed: 0, failed: 0, blocked: 0, isCutShort: false, wish: null }),
  initial: 'ready',
  states: {
    ready: { on: { 'campaign.begin': 'running' } },
    running: {
      tags: 'active',
      entry: 'startReady',
      on: {
        'calibration.started': { actions: 'countStarted' },
        'calibration.ended': { actions: ['countEnded', 'startReady'] },
        'campaign.stop': [
          { guard: 'wantsCancel', target: 'cancelling', actions: 'keepWish' },
          { target: 'stopping', actions: 'keepWish' },
        ],
      },
      always: [
        { guard: 'allCompleted', target: 'completed' },
        { guard: 'allEnded', target: 'failed' },
        { guard: 'isStranded', target: 'interrupted' },
      ],
    },
    stopping: {
      tags: 'active',
      entry: [
        { type: 'stopStarting', params: ({ context }) => ({ jobs: context.wish?.jobs ?? 'finish' }) },
        {
          type: 'tell',
          params: ({ context, event }) => ({
            type: 'campaign.stopping',
            ...teller(context.wish),
            runningJobs: event.type === 'campaign.stop' ? event.runningJobs : 0,
          }),
        },
      ],
      on: {
        'calibration.started': { actions: 'countStarted' },
        'calibration.ended': { actions: 'countEnded' },
        // Asked once more to let jobs end changes nothing: that is what it does.
        'campaign.stop': [
          { guard: 'wantsCancel', target: 'cancelling', actions: 'keepWish' },
          { guard: 'wantsLeave', actions: ['keepWish', { type: 'stopStarting', params: { jobs: 'leave' } }] },
        ],
      },
      always: [
        { guard: 'allCompleted', target: 'completed' },
        { guard: 'allEnded', target: 'failed' },
        { guard: 'nothingRuns', target: 'interrupted' },
      ],
    },
    cancelling: {
      tags: 'active',
      entry: [
        { type: 'stopStarting', params: { jobs: 'cancel' } },
        'cancelAll',
        { type: 'tell', params: ({ context }) => ({ type: 'campaign.cancelling', ...teller(context.wish) }) },
      ],
      on: { 'calibration.started': { actions: 'countStarted' }, 'calibration.ended': { actions: 'countEnded' } },
      always: [
        { guard: 'allCompleted', target: 'completed' },
        { guard: 'allEnded', target: 'failed' },
        { guard: 'nothingRuns', target: 'interrupted' },
      ],
    },
    completed: { type: 'final', tags: 'terminal', output: output('completed') },
    failed: { type: 'final', tags: 'terminal', output: output('failed') },
    interrupted: { type: 'final', tags: 'terminal', output: output('interrupted') },
  },
  output: ({ event }) => (event as unknown as { output: CampaignOutput }).output,
});
