// Admission to this machine: jobs wait in one line for cores and, where the user set it, memory. First come, first served.
import type { Resources } from '../domain/calibration.ts';
import { formatSize } from '../domain/quantity.ts';
import type { Admission } from './backend.ts';

export interface SlotsOptions {
  /** Cores for all jobs together. */
  readonly slots: number;
  /** Memory for all jobs together, where the user limited it; null = only jobs with a memory of their own are counted. */
  readonly memoryBytes: number | null;
  /** Memory of the machine, in bytes: what jobs with a memory of their own share when the user set no limit for all. */
  readonly machineBytes: number;
}

export interface Slots {
  refuses(resources: Resources): string | null;
  admit(resources: Resources, signal: AbortSignal): Promise<Admission>;
}

interface Waiter {
  readonly cores: number;
  readonly memory: number;
  readonly admitted: (admission: Admission) => void;
  readonly refused: (reason: unknown) => void;
  readonly signal: AbortSignal;
  left: boolean;
}

/** A job at the head waits until it fits, and nobody overtakes it: a big job is never starved. */
export function createSlots({ slots, memoryBytes, machineBytes }: SlotsOptions): Slots {
  const capacity = memoryBytes ?? machineBytes;
  let freeCores = slots;
  let freeMemory = capacity;
  let waiting: Waiter[] = [];
  let head = 0;
  // One listener per signal, not per waiter: adding the n-th listener to a signal costs n steps.
  const waitersOf = new Map<AbortSignal, Set<Waiter>>();

  const memoryOf = (resources: Resources): number =>
    // A retry after out-of-memory may ask for more than there is: then it runs alone.
    resources.memoryIsSet || memoryBytes !== null ? Math.min(resources.memoryBytes, capacity) : 0;

  function take(cores: number, memory: number): Admission {
    freeCores -= cores;
    freeMemory -= memory;
    let released = false;
    return {
      release() {
        if (released) return;
        released = true;
        freeCores += cores;
        freeMemory += memory;
        admitWaiting();
      },
    };
  }

  function admitWaiting(): void {
    for (let next = waiting[head]; next !== undefined; next = waiting[head]) {
      if (!next.left) {
        if (next.cores > freeCores || next.memory > freeMemory) break;
        forget(next);
        next.admitted(take(next.cores, next.memory));
      }
      head++;
    }
    if (head === waiting.length || head > 1024) {
      waiting = waiting.slice(head);
      head = 0;
    }
  }

  function forget(waiter: Waiter): void {
    const waiters = waitersOf.get(waiter.signal);
    waiters?.delete(waiter);
    if (waiters?.size !== 0) return;
    waitersOf.delete(waiter.signal);
    waiter.signal.removeEventListener('abort', onAbort);
  }

  function onAbort(this: AbortSignal): void {
    for (const waiter of waitersOf.get(this) ?? []) {
      waiter.left = true;
      waiter.refused(this.reason);
    }
    waitersOf.delete(this);
    admitWaiting();
  }

  function refuses(resources: Resources): string | null {
    if (resources.cores > slots) {
      return `it asks for ${resources.cores} cores, and the local backend has ${slots} ${slots === 1 ? 'slot' : 'slots'}`;
    }
    if (resources.memoryBytes > capacity && (resources.memoryIsSet || memoryBytes !== null)) {
      const limit = memoryBytes === null ? 'this machine has' : 'the local backend may use';
      return `it asks for ${formatSize(resources.memoryBytes)} of memory, and ${limit} ${formatSize(capacity)}`;
    }
    return null;
  }

  return {
    refuses,
    admit(resources, signal) {
      if (signal.aborted) return Promise.reject(signal.reason);
      if (resources.cores > slots) return Promise.reject(new Error(`A job was admitted that never fits: ${refuses(resources)}`));
      const memory = memoryOf(resources);
      if (head === waiting.length && resources.cores <= freeCores && memory <= freeMemory) {
        return Promise.resolve(take(resources.cores, memory));
      }
      return new Promise((admitted, refused) => {
        const waiter: Waiter = { cores: resources.cores, memory, admitted, refused, signal, left: false };
        waiting.push(waiter);
        const waiters = waitersOf.get(signal);
        if (waiters !== undefined) waiters.add(waiter);
        else {
          waitersOf.set(signal, new Set([waiter]));
          signal.addEventListener('abort', onAbort);
        }
      });
    },
  };
}
