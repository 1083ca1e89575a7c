// A campaign as events, for the tests of reports: times by hand, so that every screen is the same everywhere.
import type { CafEvent, JobsSeen, TimedEvent } from '../../src/domain/event.ts';
import { type Board, emptyBoard, foldBoard } from '../../src/report/board.ts';
import { createStyle } from '../../src/report/style.ts';

export const T0 = Date.parse('2026-11-21T20:14:03.000Z');

export const at = (seconds: number, event: CafEvent): TimedEvent => ({ ...event, at: new Date(T0 + seconds * 1000).toISOString() });

export const plan = (...names: readonly (string | readonly [name: string, ...dependsOn: string[]])[]): CafEvent => ({
  type: 'campaign.started',
  output: '/data/calibration_results',
  config: '/data/caf.config.ts',
  version: '0.1.0',
  calibrations: names.map((each) => {
    const [name, ...dependsOn] = typeof each === 'string' ? [each] : each;
    return { name, dependsOn, maxIterations: 5, reason: 'never run', reused: false };
  }),
});

export const begin = (calibration: string, jobs: number, reused = 0): CafEvent[] => [
  { type: 'calibration.started', calibration, reason: 'never run', iteration: 0 },
  { type: 'calibration.state', calibration, iteration: 0, state: 'running_collector' },
  { type: 'iteration.started', calibration, iteration: 0, jobs, reused },
];

export const jobStarted = (calibration: string, job: number): CafEvent => ({
  type: 'job.started',
  calibration,
  iteration: 0,
  collection: 'random',
  job,
  attempt: 0,
  directory: `${calibration}/0/collector/random/${job}.attempt-0`,
  adopted: false,
});

export const jobFinished = (
  calibration: string,
  job: number,
  outcome: Extract<CafEvent, { type: 'job.finished' }>['outcome'] = { state: 'succeeded' },
  directory = `${calibration}/0/collector/random/${job}`,
): CafEvent => ({
  type: 'job.finished',
  calibration,
  iteration: 0,
  collection: 'random',
  job,
  attempt: 0,
  outcome,
  usage: { seconds: 41, maxRssBytes: null },
  directory,
  willRetry: false,
});

export const jobsSeen = (calibration: string, places: Partial<JobsSeen>): CafEvent => ({
  type: 'jobs.seen',
  engine: 'slurm',
  calibration,
  iteration: 0,
  running: 0,
  queued: 0,
  held: 0,
  suspended: 0,
  reason: null,
  algorithm: null,
  ...places,
});

export const completed = (calibration: string, seconds: number, iterations = 2, converged = true): CafEvent => ({
  type: 'calibration.completed',
  calibration,
  iterations,
  converged,
  payloads: 3,
  seconds,
});

export const foldAll = (events: readonly TimedEvent[]): Board => events.reduce(foldBoard, emptyBoard);

export const plainStyle = createStyle({ colour: false, unicode: true });
export const asciiStyle = createStyle({ colour: false, unicode: false });

/** The screen of cli.md: one reused, one completed, one collecting, one in its algorithms, one failing, one waiting. */
export const busyEvents = (): TimedEvent[] => [
  at(0, plan('svd-noise', 'cdc-t0', 'ecal-gain', 'klm-time', 'arich-align', ['top-align', 'ecal-gain', 'arich-align'])),
  at(0, { type: 'calibration.reused', calibration: 'svd-noise', iterations: 1, payloads: 1 }),
  ...begin('cdc-t0', 2).map((event) => at(1, event)),
  at(2, jobStarted('cdc-t0', 0)),
  at(3, jobFinished('cdc-t0', 0)),
  at(1083, completed('cdc-t0', 1083)),
  ...begin('ecal-gain', 128).map((event) => at(1100, event)),
  ...Array.from({ length: 97 }, (_, job) => [at(1101, jobStarted('ecal-gain', job)), at(1102, jobFinished('ecal-gain', job))]).flat(),
  ...Array.from({ length: 31 }, (_, i) => at(1103, jobStarted('ecal-gain', 97 + i))),
  ...begin('klm-time', 112, 112).map((event) => at(902, event)),
  at(1200, { type: 'calibration.state', calibration: 'klm-time', iteration: 0, state: 'running_algorithms' }),
  at(1200, {
    type: 'algorithm.started',
    calibration: 'klm-time',
    iteration: 0,
    algorithm: 'times',
    directory: 'klm-time/0/algorithms/times',
  }),
  ...begin('arich-align', 64).map((event) => at(1349, event)),
  ...Array.from({ length: 9 }, (_, job) => at(1350, jobFinished('arich-align', job))),
  ...[17, 18, 40].map((job) => at(1351, jobFinished('arich-align', job, { state: 'failed', cause: 'signal', detail: 'SIGSEGV' }))),
];
