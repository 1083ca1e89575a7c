// Each event as one line: a sentence, then key=value. For plain reports and for `caf logs`.
import type { CafEvent } from '../domain/event.ts';
import type { AttemptOutcome } from '../domain/job.ts';
import { jobText } from '../domain/job.ts';
import { unreachable } from '../domain/result.ts';
import { durationText, oneLine } from './text.ts';

export interface EventLine {
  /** `detail` lines are many: one or more per job. */
  readonly weight: 'change' | 'failure' | 'detail';
  readonly text: string;
}

export function describeEvent(event: CafEvent): EventLine {
  switch (event.type) {
    case 'campaign.started': {
      const { config, output, calibrations } = event;
      const reused = calibrations.filter((calibration) => calibration.reused).length;
      return change('campaign started', { config, output, calibrations: calibrations.length, reused });
    }
    case 'campaign.ended': {
      const { completed, failed, blocked, notStarted, payloads, seconds, signal, by, jobsLeft } = event;
      const facts = { completed, failed, blocked, not_started: notStarted, payloads, elapsed: elapsed(seconds) };
      return {
        ...change(`campaign ${event.outcome}`, { ...facts, signal, by, jobs_left: jobsLeft }),
        ...(event.outcome === 'failed' ? { weight: 'failure' } : {}),
      };
    }
    case 'campaign.stopping':
      return change('campaign stopping', { signal: event.signal, by: event.by, running_jobs: event.runningJobs });
    case 'campaign.cancelling':
      return change('campaign cancelling its running jobs', { signal: event.signal, by: event.by });
    case 'calibration.reused':
      return change(`${event.calibration} reused`, { iterations: event.iterations, payloads: event.payloads });
    case 'calibration.started':
      return change(`${event.calibration} started`, { iteration: event.iteration, because: event.reason });
    case 'calibration.state':
      return { ...change(`${event.calibration} ${event.state}`, { iteration: event.iteration }), weight: 'detail' };
    case 'calibration.completed': {
      const { iterations, converged, payloads, seconds } = event;
      return change(`${event.calibration} completed`, { iterations, converged, payloads, elapsed: elapsed(seconds) });
    }
    case 'calibration.failed': {
      const { error, seconds } = event;
      return failure(`${event.calibration} failed`, { code: error.code, detail: error.message, elapsed: elapsed(seconds) });
    }
    case 'calibration.blocked':
      return failure(`${event.calibration} blocked`, { by: event.by.join(',') });
    case 'iteration.started':
      return change(`${event.calibration} iteration ${event.iteration} started`, { jobs: event.jobs, reused: event.reused });
    case 'iteration.committed': {
      const { payloads, iterate, directory } = event;
      return change(`${event.calibration} iteration ${event.iteration} committed`, { payloads, iterate, localdb: directory });
    }
    case 'collection.archived': {
      const { calibration, iteration, collection, jobs, entries, bytes } = event;
      return change(`${calibration}/${iteration}/${collection} archived`, { jobs, entries, bytes });
    }
    case 'jobs.seen': {
      const { engine, running, queued, held, suspended, reason, algorithm } = event;
      const some = { running, queued, held: held || null, suspended: suspended || null, reason, algorithm };
      return detail(`${event.calibration}/${event.iteration} jobs on ${engine}`, some);
    }
    case 'job.started':
      return detail(`${jobText(event)} ${event.adopted ? 'adopted' : 'started'}`, { attempt: event.attempt, directory: event.directory });
    case 'job.retried':
      return failure(`${jobText(event)} failed, trying again`, {
        attempt: event.attempt,
        ...outcomeFacts(event.outcome),
        directory: event.directory,
      });
    case 'job.finished': {
      const { state } = event.outcome;
      const facts = {
        attempt: event.attempt,
        ...outcomeFacts(event.outcome),
        elapsed: elapsed(event.usage?.seconds),
        node: event.usage?.node,
      };
      return {
        ...failure(`${jobText(event)} ${state}`, { ...facts, directory: event.directory }),
        weight: state === 'failed' ? 'failure' : 'detail',
      };
    }
    case 'algorithm.started':
      return change(`${algorithmText(event)} started`, {});
    case 'execution.started':
      return detail(`${algorithmText(event)} execution ${event.seq} started`, { runs: event.runs.length, iov: event.iov.join(',') });
    case 'execution.finished': {
      const { seq, result, iov, runs, seconds, payloads, error } = event.execution;
      const facts = { runs: runs.length, iov: iov.join(','), payloads: payloads.length, elapsed: elapsed(seconds), detail: error };
      return detail(`${algorithmText(event)} execution ${seq} ${result}`, facts);
    }
    case 'result.reported':
      return detail(`${algorithmText(event)} reported ${event.report.result}`, { iov: event.report.iov.join(',') });
    case 'algorithm.finished': {
      const { finalState, results, gaps, error } = event;
      const facts = { ...results, gaps: gaps?.length, code: error?.code, detail: error?.message };
      return finalState === 'completed'
        ? change(`${algorithmText(event)} completed`, facts)
        : failure(`${algorithmText(event)} failed`, facts);
    }
    case 'warning':
      return change(`warning: ${event.calibration === undefined ? '' : `${event.calibration}: `}${oneLine(event.message)}`, {
        code: event.code,
        hint: event.hint,
      });
    default:
      return unreachable(event);
  }
}

type Facts = Readonly<Record<string, string | number | boolean | null | undefined>>;

const change = (sentence: string, facts: Facts): EventLine => ({ weight: 'change', text: withFacts(sentence, facts) });
const failure = (sentence: string, facts: Facts): EventLine => ({ weight: 'failure', text: withFacts(sentence, facts) });
const detail = (sentence: string, facts: Facts): EventLine => ({ weight: 'detail', text: withFacts(sentence, facts) });

const algorithmText = (event: { calibration: string; iteration: number; algorithm: string }) =>
  `${event.calibration}/${event.iteration}/${event.algorithm}`;

const elapsed = (seconds: number | undefined) => (seconds === undefined ? undefined : durationText(seconds).replace(' ', ''));

const outcomeFacts = (outcome: AttemptOutcome): Facts => ({
  cause: outcome.state === 'failed' ? outcome.cause : undefined,
  detail: outcome.state === 'succeeded' ? undefined : outcome.detail,
});

function withFacts(sentence: string, facts: Facts): string {
  const pairs = Object.entries(facts).flatMap(([key, value]) =>
    value === undefined || value === null || value === '' ? [] : [`${key}=${quote(String(value))}`],
  );
  return [sentence, ...pairs].join(' ');
}

function quote(value: string): string {
  const line = oneLine(value);
  return /[\s"=]/.test(line) ? JSON.stringify(line) : line;
}
