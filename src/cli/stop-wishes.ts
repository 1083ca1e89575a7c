// Who may wish that a campaign stops, in one place: signals, and requests from other shells.
import { listenForStopRequests, type StopRequest } from '../database/stop-request.ts';
import { bounded } from '../domain/errors.ts';
import type { StopWish } from '../domain/stop-wish.ts';

export const STOP_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
/** In the background nobody hangs up. */
export const BACKGROUND_SIGNALS = ['SIGINT', 'SIGTERM'] as const;
export type StopSignal = (typeof STOP_SIGNALS)[number];

/** What `signal` of a wish says of those that came through `caf cancel`. */
export const ASKED = 'caf cancel';

export interface StopWishes {
  /** Hands every wish to the campaign, also those that came before it began. Returns how to unregister. */
  readonly onStop: (stop: (wish: StopWish) => void) => () => void;
  close(): void;
}

export interface StopWishesOptions {
  readonly results: string;
  /** Token of the lease of this process. */
  readonly lease: string;
  readonly signals: readonly StopSignal[];
}

export function createStopWishes({ results, lease, signals }: StopWishesOptions): StopWishes {
  let stop: ((wish: StopWish) => void) | null = null;
  let isStopping = false;
  const waiting: StopWish[] = [];
  const wish = (one: StopWish) => {
    isStopping = true;
    if (stop === null) waiting.push(one);
    else stop(one);
  };
  const onSignal = (signal: StopSignal) => {
    // At Ctrl-C somebody is there to wait or to press again; otherwise the jobs are left to be adopted. A second wish ends everything.
    wish({ signal, jobs: isStopping ? 'cancel' : signal === 'SIGINT' ? 'finish' : 'leave' });
  };
  const requests = listenForStopRequests(results, lease, (request) => wish(wishOf(request)));
  return {
    onStop(handler) {
      stop = handler;
      // Once the campaign has begun, which it does in this turn.
      queueMicrotask(() => {
        for (const one of waiting.splice(0)) handler(one);
      });
      const listeners = signals.map((signal) => [signal, () => onSignal(signal)] as const);
      for (const [signal, listener] of listeners) process.on(signal, listener);
      return () => {
        for (const [signal, listener] of listeners) process.off(signal, listener);
      };
    },
    close: () => requests.close(),
  };
}

const wishOf = ({ jobs, by, why }: StopRequest): StopWish => ({
  signal: ASKED,
  jobs,
  by: bounded(why === null ? by : `${by}: ${why}`),
});
