// What the user should hear of an engine: that it does not answer, what waits for somebody, a node that fails all it gets, and the engine's own warnings. Each once, not at every query.
import type { Emit } from '../domain/event.ts';
import type { AttemptEnd } from './backend.ts';
import type { BatchTask } from './batch-task.ts';
import type { BatchEngine, EngineState } from './engine.ts';

export interface Notices {
  /** After each query: `trouble` in words, or null; and all tasks that are watched. */
  asked(trouble: string | null, tasks: Iterable<BatchTask>): void;
  /** After each submission. */
  submitted(trouble: string | null): void;
  /** After each job. */
  ended(end: AttemptEnd): void;
  /** What the engine says beside taking a job. */
  warned(warning: string): void;
}

/** A single failed query is nothing: controllers are busy. */
const FAILURES_TO_TELL = 2;

/** So many jobs that failed at once, and none that did not, make a node suspect where other nodes do better. */
const FAILURES_OF_NODE = 5;
/** A node that is broken fails jobs quickly, and so gets more of them than others. */
const QUICK_SECONDS = 60;

export function createNotices({ name: engine, avoid }: Pick<BatchEngine<never>, 'name' | 'avoid'>, emit: Emit): Notices {
  let failures = 0;
  let isTold = false;
  let toldOfSubmission: string | null = null;
  const toldOf = new Set<string>();
  const warnedOf = new Set<string>();
  const nodes = new Map<string, { failed: number; succeeded: number }>();

  function tellOfNodes(): void {
    const isElsewhereWell = [...nodes.values()].some(({ succeeded }) => succeeded > 0);
    for (const [node, { failed, succeeded }] of nodes) {
      if (!isElsewhereWell || succeeded > 0 || failed < FAILURES_OF_NODE || toldOf.has(node)) continue;
      toldOf.add(node);
      const option = avoid?.(node) ?? null;
      emit({
        type: 'warning',
        code: 'CAF_ENGINE',
        message: `${failed} jobs failed within a minute on ${node}, where none succeeded, while others do elsewhere`,
        hint: `tell the administrators of ${engine}${option === null ? '' : `, and keep off it with ${option} of the backend`}`,
      });
    }
  }

  function tellOfWaiting(tasks: Iterable<BatchTask>): void {
    const waiting = new Map<string, Notice & { readonly ids: string[] }>();
    for (const { state, id } of tasks) {
      if (state === null || id === null) continue;
      const notice = noticeOf(engine, state);
      if (notice === null || toldOf.has(`${id} ${notice.what}`)) continue;
      toldOf.add(`${id} ${notice.what}`);
      const entry = waiting.get(notice.what) ?? { ...notice, ids: [] };
      entry.ids.push(id);
      waiting.set(notice.what, entry);
    }
    for (const { is, are, what, advice, ids } of waiting.values()) {
      const who = ids.length === 1 ? `the job ${ids[0]} ${is}` : `${ids.length} jobs ${are} (${ids[0]} is the first)`;
      emit({ type: 'warning', code: 'CAF_ENGINE', message: `${who} ${what}`, hint: advice });
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
    ended(end) {
      if (end.how === 'not-started' || end.usage.node === undefined) return;
      const isFailed = end.how === 'signalled' || (end.how === 'exited' && end.code !== 0);
      const isOk = end.how === 'exited' && end.code === 0;
      if (!isOk && !(isFailed && end.usage.seconds < QUICK_SECONDS)) return;
      const known = nodes.get(end.usage.node) ?? { failed: 0, succeeded: 0 };
      nodes.set(end.usage.node, known);
      const isNews = isFailed || known.succeeded === 0;
      known[isOk ? 'succeeded' : 'failed'] += 1;
      if (isNews) tellOfNodes();
    },
    warned(warning) {
      if (warnedOf.has(warning)) return;
      warnedOf.add(warning);
      emit({ type: 'warning', code: 'CAF_ENGINE', message: `${engine} took the jobs, but warns: ${warning}` });
    },
  };
}

interface Notice {
  /** Of one job, and of several. */
  readonly is: string;
  readonly are: string;
  readonly what: string;
  readonly advice: string;
}

/** What somebody may have to do something about; null = nothing. */
function noticeOf(engine: string, state: EngineState): Notice | null {
  const waits = (reason: string, advice: string): Notice => ({ is: 'waits', are: 'wait', what: `on ${engine}: ${reason}`, advice });
  switch (state.state) {
    case 'unknown':
      return waits(state.word, `${engine} says a state that caf does not know; it goes on watching`);
    case 'held':
      return waits(state.reason, state.advice);
    case 'queued':
      return state.reason === null || state.advice === null ? null : waits(state.reason, state.advice);
    case 'suspended': {
      const why = state.reason === null ? '' : `: ${state.reason}`;
      return {
        is: 'is suspended',
        are: 'are suspended',
        what: `on ${engine}${why}`,
        advice: 'it goes on when the engine lets it; caf waits',
      };
    }
    default:
      return null;
  }
}
