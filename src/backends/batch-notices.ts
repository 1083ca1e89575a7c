// What the user should hear of an engine: that it does not answer, and what waits for somebody. Each once, not at every query.
import type { Emit } from '../domain/event.ts';
import type { BatchTask } from './batch-task.ts';

export interface Notices {
  /** After each query: `trouble` in words, or null; and all tasks that are watched. */
  asked(trouble: string | null, tasks: Iterable<BatchTask>): void;
  /** After each submission. */
  submitted(trouble: string | null): void;
}

/** A single failed query is nothing: controllers are busy. */
const FAILURES_TO_TELL = 2;

export function createNotices(engine: string, emit: Emit): Notices {
  let failures = 0;
  let isTold = false;
  let toldOfSubmission: string | null = null;
  const toldOf = new Set<string>();

  function tellOfWaiting(tasks: Iterable<BatchTask>): void {
    const waiting = new Map<string, { readonly advice: string; readonly ids: string[] }>();
    for (const { state, id } of tasks) {
      if (state === null || id === null) continue;
      const reason = state.state === 'unknown' ? state.word : state.state === 'queued' || state.state === 'held' ? state.reason : null;
      const advice = state.state === 'unknown' ? `${engine} says a state that caf does not know; it goes on watching` : adviceOf(state);
      if (reason === null || advice === null || toldOf.has(`${id} ${reason}`)) continue;
      toldOf.add(`${id} ${reason}`);
      const entry = waiting.get(reason) ?? { advice, ids: [] };
      entry.ids.push(id);
      waiting.set(reason, entry);
    }
    for (const [reason, { advice, ids }] of waiting) {
      emit({
        type: 'warning',
        code: 'CAF_ENGINE',
        message: `${ids.length === 1 ? `the job ${ids[0]} waits` : `${ids.length} jobs wait (${ids[0]} is the first)`} on ${engine}: ${reason}`,
        hint: advice,
      });
    }
  }

  return {
    asked(trouble, tasks) {
      if (trouble === null) {
        if (isTold) emit({ type: 'warning', code: 'CAF_ENGINE', message: `${engine} answers again` });
        failures = 0;
        isTold = false;
        tellOfWaiting(tasks);
        return;
      }
      failures += 1;
      if (failures < FAILURES_TO_TELL || isTold) return;
      isTold = true;
      emit({
        type: 'warning',
        code: 'CAF_ENGINE',
        message: `${engine} does not answer: ${trouble}`,
        hint: 'nothing is lost: caf goes on asking, and jobs go on running',
      });
    },
    submitted(trouble) {
      if (trouble !== null && trouble !== toldOfSubmission) {
        emit({
          type: 'warning',
          code: 'CAF_ENGINE',
          message: `${engine} takes no jobs at the moment: ${trouble}`,
          hint: 'caf waits, looks whether they arrived, and tries again',
        });
      }
      toldOfSubmission = trouble;
    },
  };
}

const adviceOf = (state: NonNullable<BatchTask['state']>): string | null =>
  state.state === 'queued' || state.state === 'held' ? state.advice : null;
