// How many jobs may be in the queue of an engine: first come, first served, and refilled in large portions, so that they become few arrays.
import type { Admission } from './backend.ts';

export interface Room {
  /** Rejects with the reason of the signal when it aborts first. */
  admit(signal: AbortSignal): Promise<Admission>;
}

interface Waiter {
  readonly signal: AbortSignal;
  readonly admitted: (admission: Admission) => void;
  readonly refused: (reason: unknown) => void;
  left: boolean;
}

/** Full at `most`; then nobody is admitted before half of them have left. */
export function createRoom(most: number): Room {
  let inside = 0;
  let isFull = false;
  let waiting: Waiter[] = [];
  const signals = new Set<AbortSignal>();

  function enter(): Admission {
    inside += 1;
    isFull ||= inside >= most;
    let released = false;
    return {
      release() {
        if (released) return;
        released = true;
        inside -= 1;
        if (inside <= most / 2) isFull = false;
        if (!isFull) admitWaiting();
      },
    };
  }

  function admitWaiting(): void {
    let next = 0;
    for (; next < waiting.length && !isFull; next += 1) {
      const waiter = waiting[next];
      if (waiter !== undefined && !waiter.left) waiter.admitted(enter());
    }
    waiting = waiting.slice(next);
  }

  function onAbort(signal: AbortSignal): void {
    signals.delete(signal);
    for (const waiter of waiting) {
      if (waiter.signal !== signal) continue;
      waiter.left = true;
      waiter.refused(signal.reason);
    }
    waiting = waiting.filter(({ left }) => !left);
  }

  return {
    admit(signal) {
      if (signal.aborted) return Promise.reject(signal.reason);
      if (!isFull) return Promise.resolve(enter());
      return new Promise((admitted, refused) => {
        waiting.push({ signal, admitted, refused, left: false });
        if (signals.has(signal)) return;
        signals.add(signal);
        signal.addEventListener('abort', () => onAbort(signal), { once: true });
      });
    },
  };
}
