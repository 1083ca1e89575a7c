// How many jobs of each calibration wait in the engine's queue, run, are held or suspended: told when that has changed, small changes seldom.
import { type Emit, ENGINE_PLACES, type EnginePlace, type JobsSeen } from '../domain/event.ts';
import type { BatchTask } from './batch-task.ts';

export interface Census {
  add(task: BatchTask): void;
  /** The engine has said something, or a task is over. */
  changed(): void;
  /** Tells what was not told yet. */
  close(): void;
}

/** The jobs of a moment are told together, and before the engine has taken the first of them. */
const FIRST_MS = 30;
const BETWEEN_MS = 1000;
/** Where a long queue moves on by a few at a time. */
const BETWEEN_SMALL_MS = 10_000;
const SMALL = 0.1;

/** One iteration of one calibration. */
interface Count {
  readonly calibration: string;
  readonly iteration: number;
  readonly places: Record<EnginePlace, number>;
  readonly reasons: Map<string, number>;
  algorithm: EnginePlace | null;
}

export function createCensus(engine: string, emit: Emit): Census {
  const tasks = new Set<BatchTask>();
  /** What was told last and when, where it was more than nothing. */
  const told = new Map<string, { readonly event: JobsSeen; readonly at: number }>();
  let timer: NodeJS.Timeout | null = null;
  let lastAt = Number.NEGATIVE_INFINITY;

  function tell(isLast = false): void {
    if (timer !== null) clearTimeout(timer);
    timer = null;
    lastAt = performance.now();
    const counts = new Map([...told].map(([key, { event }]) => [key, nothing(event)]));
    for (const task of tasks) {
      if (task.isOver) tasks.delete(task);
      else count(counts, task);
    }
    for (const [key, counted] of counts) {
      const event = eventOf(engine, counted);
      const last = told.get(key) ?? { event: eventOf(engine, nothing(counted)), at: Number.NEGATIVE_INFINITY };
      if (JSON.stringify(event) === JSON.stringify(last.event)) continue;
      if (!isLast && isSmall(last.event, event) && lastAt < last.at + BETWEEN_SMALL_MS) continue;
      if (isAnything(event)) told.set(key, { event, at: lastAt });
      else told.delete(key);
      emit(event);
    }
  }

  const changed = (): void => {
    timer ??= setTimeout(() => tell(), Math.max(FIRST_MS, lastAt + BETWEEN_MS - performance.now())).unref();
  };

  return {
    add(task) {
      tasks.add(task);
      changed();
    },
    changed,
    close: () => tell(true),
  };
}

const nothing = ({ calibration, iteration }: Pick<JobsSeen, 'calibration' | 'iteration'>): Count => ({
  calibration,
  iteration,
  places: { running: 0, queued: 0, held: 0, suspended: 0 },
  reasons: new Map(),
  algorithm: null,
});

function count(counts: Map<string, Count>, task: BatchTask): void {
  const { submission, state } = task;
  const key = `${submission.calibration}/${submission.iteration}`;
  const counted = counts.get(key) ?? nothing(submission);
  counts.set(key, counted);
  const place = placeOf(task);
  if (submission.isAlgorithm === true) counted.algorithm = place;
  else counted.places[place] += 1;
  if (state?.state === 'queued' && state.reason !== null) counted.reasons.set(state.reason, (counted.reasons.get(state.reason) ?? 0) + 1);
}

/** One that was not submitted yet, or of which nothing was heard, waits. */
function placeOf({ state }: BatchTask): EnginePlace {
  switch (state?.state) {
    case 'running':
    case 'ending':
    case 'ended':
      return 'running';
    case 'held':
    case 'suspended':
      return state.state;
    default:
      return 'queued';
  }
}

function eventOf(engine: string, { calibration, iteration, places, reasons, algorithm }: Count): JobsSeen {
  const [[reason = null] = []] = [...reasons].sort(([, a], [, b]) => b - a);
  return { type: 'jobs.seen', engine, calibration, iteration, ...places, reason, algorithm };
}

const isSmall = (before: JobsSeen, after: JobsSeen): boolean =>
  before.algorithm === after.algorithm && ENGINE_PLACES.every((place) => Math.abs(after[place] - before[place]) <= SMALL * before[place]);

const isAnything = ({ running, queued, held, suspended, algorithm }: JobsSeen): boolean =>
  running + queued + held + suspended > 0 || algorithm !== null;
