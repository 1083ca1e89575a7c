// What of a kind already waits in the queue of the engine: new ones behind it lose nothing by coming later, together with others.
import type { BatchTask } from './batch-task.ts';

export interface Backlog {
  /** Accepted by the engine just now. `kind`: those of one kind wait for the same places. */
  add(kind: string, tasks: readonly BatchTask[]): void;
  /** True while so many of this kind wait that a few more would begin no sooner for being submitted now. */
  isLong(kind: string, few: number): boolean;
}

interface Line {
  tasks: BatchTask[];
  /** How many there were when the last ones came. */
  most: number;
}

/** Fewer than these are nothing for an engine, and soon done. */
const LEAST = 100;

export function createBacklog(): Backlog {
  const lines = new Map<string, Line>();

  function linesOf(kind: string): Line {
    const line = lines.get(kind) ?? { tasks: [], most: 0 };
    line.tasks = line.tasks.filter(({ isOver }) => !isOver);
    return line;
  }

  return {
    add(kind, tasks) {
      const line = linesOf(kind);
      line.tasks.push(...tasks);
      line.most = line.tasks.length;
      lines.set(kind, line);
    },
    // As with the room for jobs in the queue: refilled when half of them are done. Where most of them run there is room, and nothing waits.
    isLong(kind, few) {
      const { tasks, most } = linesOf(kind);
      if (tasks.length < LEAST || few >= tasks.length || tasks.length <= most / 2) return false;
      const waiting = tasks.filter(({ state }) => state === null || state.state === 'queued').length;
      return waiting > tasks.length / 2;
    },
  };
}
