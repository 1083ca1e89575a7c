// Timers for any duration: Node fires those above 2^31 ms (24.8 days) at once.

/** Longest delay setTimeout takes, in ms. */
const MAX_DELAY_MS = 2 ** 31 - 1;

export interface Timer {
  stop(): void;
}

/** Calls `action` once after `ms`, unless stopped. Does not keep the process alive. */
export function startTimer(ms: number, action: () => void): Timer {
  let left = ms;
  let timeout: NodeJS.Timeout;
  const wait = (): void => {
    const delay = Math.min(left, MAX_DELAY_MS);
    left -= delay;
    timeout = setTimeout(left > 0 ? wait : action, delay).unref();
  };
  wait();
  return { stop: () => clearTimeout(timeout) };
}
