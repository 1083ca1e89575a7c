// What the end of an attempt means: success, or a failure with its cause in words; and whether another attempt makes sense.
import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import type { AttemptEnd } from '../backends/backend.ts';
import { readFileSystem, spaceText } from '../database/filesystem.ts';
import { type CollectionSpec, isCommand, type Resources } from '../domain/calibration.ts';
import { bounded } from '../domain/errors.ts';
import type { AttemptOutcome, FailureCause, Usage } from '../domain/job.ts';
import { formatDuration, formatSize } from '../domain/quantity.ts';
import { unreachable } from '../domain/result.ts';
import { signalName } from '../host/signal-name.ts';
import { RECORDS_FILE, RESULT_FILE, type ResultFile, STDERR_FILE } from '../worker/contract.ts';
import { collectOutputs } from '../worker/outputs.ts';
import { lastLine, readResult } from './read-result.ts';

export interface AttemptFacts {
  readonly spec: Pick<CollectionSpec, 'collect' | 'outputs' | 'outputsRequired'>;
  readonly token: string;
  /** Absolute. */
  readonly directory: string;
  /** The job's input files; URLs are not looked at. */
  readonly files: readonly { readonly path: string }[];
}

export interface Judgement {
  readonly outcome: AttemptOutcome;
  /** Null when it never ran. */
  readonly usage: Usage | null;
  readonly warnings: readonly string[];
  /** Relative paths of its output files; empty unless it succeeded. */
  readonly outputs: readonly string[];
  /** Whether it left records. */
  readonly hasRecords: boolean;
}

/** Of one job; a program may say anything. */
const MAX_WARNINGS = 20;

type Verdict = Pick<Judgement, 'outcome'> & Partial<Omit<Judgement, 'usage'>>;

const failed = (cause: FailureCause, detail: string): Verdict => ({ outcome: { state: 'failed', cause, detail } });

/** Looks into the attempt's directory: one readdir, and result.json where there is one. */
export function judgeAttempt(end: AttemptEnd, facts: AttemptFacts): Judgement {
  const verdict = blameDisk(blameInput(judge(end, facts), facts), facts);
  return { warnings: [], outputs: [], hasRecords: false, ...verdict, usage: end.how === 'not-started' ? null : end.usage };
}

function judge(end: AttemptEnd, facts: AttemptFacts): Verdict {
  if (end.how === 'cancelled') return { outcome: { state: 'cancelled', detail: 'it was cancelled' } };
  const { cause, detail } = failureOf(end);
  switch (end.how) {
    case 'signalled':
      return judgeCrash(facts, cause, detail);
    case 'exited':
      return end.code === 0 ? judgeResult(facts, failed(cause, detail)) : judgeCrash(facts, cause, detail);
    case 'unknown':
      return judgeResult(facts, failed(cause, detail), true);
    default:
      return failed(cause, detail);
  }
}

/** What an end means when nothing that was written speaks against it. */
export function failureOf(end: Exclude<AttemptEnd, { how: 'cancelled' }>): { readonly cause: FailureCause; readonly detail: string } {
  switch (end.how) {
    case 'not-started':
      return { cause: 'not-started', detail: `it could not be started: ${end.message}` };
    case 'time-limit':
      return { cause: 'time-limit', detail: `it ran longer than its time limit of ${formatDuration(end.limitMs)}` };
    case 'out-of-memory': {
      const detail =
        end.usedBytes === null
          ? `it used more memory than its limit of ${formatSize(end.limitBytes)}`
          : `it used ${formatSize(end.usedBytes)} of memory; its limit is ${formatSize(end.limitBytes)}`;
      return { cause: 'out-of-memory', detail };
    }
    case 'removed': {
      const detail = `it was cancelled, not by caf${end.by === null ? '' : ` but by ${end.by}`}; caf run starts it again`;
      return { cause: 'removed', detail };
    }
    case 'preempted':
      return { cause: 'preempted', detail: 'it had to make room for another job' };
    case 'node-lost':
      return { cause: 'node-lost', detail: end.detail };
    case 'signalled':
      return { cause: 'signal', detail: `it was ended by ${signalText(end.signal)}` };
    case 'exited':
      return {
        cause: 'exit',
        detail: end.code === 0 ? 'it exited with status 0 before collect had returned' : `it exited with status ${statusText(end.code)}`,
      };
    case 'unknown':
      return { cause: 'node-lost', detail: end.detail ?? OUTLIVED };
    default:
      return unreachable(end);
  }
}

const OUTLIVED = 'it outlived its caf and left no result.json, so its exit status is not known';

/** It ended badly; what it says about that itself comes first. */
function judgeCrash(facts: AttemptFacts, cause: FailureCause, detail: string): Verdict {
  const read = readResult(join(facts.directory, RESULT_FILE), facts.token);
  if (read.state === 'read' && read.result.result === 'failure') return judgeFailure(read.result, cause);
  // A Node child that crashes ends its log with a native stack.
  const last = isCommand(facts.spec.collect) ? lastLine(join(facts.directory, STDERR_FILE)) : null;
  return failed(cause, last === null ? detail : `${detail}: ${last}`);
}

function judgeFailure({ error }: ResultFile, cause: FailureCause): Verdict {
  if (typeof error?.message !== 'string') return failed(cause, 'it says result failure');
  const told = { CAF_INPUT_MISSING: 'bad-input', CAF_DISK_FULL: 'disk-full' } as const;
  return failed(
    told[error.code as keyof typeof told] ?? cause,
    error.hint === undefined ? bounded(error.message) : `${bounded(error.message)} (${bounded(error.hint)})`,
  );
}

/** It ended well, or nobody saw how. `withoutResult`: what it means when a result.json was needed and is not there. */
function judgeResult(facts: AttemptFacts, withoutResult: Verdict, isNeeded = !isCommand(facts.spec.collect)): Verdict {
  const read = readResult(join(facts.directory, RESULT_FILE), facts.token);
  const warnings: string[] = [];
  switch (read.state) {
    case 'absent':
      if (isNeeded) return withoutResult;
      break;
    case 'unreadable':
      return failed('bad-result', read.reason);
    case 'read':
      if (read.result.result === 'failure') return judgeFailure(read.result, 'exit');
      if (read.result.result !== 'ok')
        warnings.push(`it says result ${read.result.result}, which means nothing for a collector; it counts as ok`);
      if ((read.result.payloads?.length ?? 0) > 0) warnings.push('its result.json names payloads; only algorithms commit payloads');
      if (Array.isArray(read.result.warnings))
        warnings.push(...read.result.warnings.slice(0, MAX_WARNINGS).map((warning) => bounded(String(warning))));
      break;
    default:
      return unreachable(read);
  }
  const { files, problems, own } = collectOutputs(facts.directory, facts.spec.outputs, facts.spec.outputsRequired);
  if (problems.length > 0) return failed('bad-result', `its outputs are not as agreed: ${listText(problems)}`);
  return { outcome: { state: 'succeeded' }, warnings, outputs: files, hasRecords: own.includes(RECORDS_FILE) };
}

/** A job that failed while one of its input files is missing or unreadable failed because of that. */
function blameInput(verdict: Verdict, { files }: AttemptFacts): Verdict {
  const { outcome } = verdict;
  if (outcome.state !== 'failed' || (outcome.cause !== 'exit' && outcome.cause !== 'signal' && outcome.cause !== 'bad-result'))
    return verdict;
  for (const { path } of files) {
    if (!path.startsWith('/')) continue;
    try {
      accessSync(path, constants.R_OK);
    } catch (error) {
      const what = (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'is missing' : 'cannot be read';
      return failed('bad-input', `its input file ${path} ${what}; ${outcome.detail}`);
    }
  }
  return verdict;
}

/** A full disk often leaves a job no room even for its last words. */
const FULL_BYTES = 64 * 1024;

/** A job that failed where no space is left failed because of that. */
function blameDisk(verdict: Verdict, { directory }: AttemptFacts): Verdict {
  const { outcome } = verdict;
  if (outcome.state !== 'failed' || !['exit', 'signal', 'bad-result', 'disk-full'].includes(outcome.cause)) return verdict;
  const { freeBytes, freeFiles } = readFileSystem(directory);
  const isFull = (freeBytes !== null && freeBytes < FULL_BYTES) || freeFiles === 0;
  if (!isFull && outcome.cause !== 'disk-full') return verdict;
  return failed(
    'disk-full',
    `${outcome.detail}; the disk is full at ${directory}, or a quota is reached (${spaceText({ freeBytes, freeFiles })})`,
  );
}

/** After so many lost nodes in one invocation it may well be the job that takes them down: further ones count. */
const LOSSES_FORGIVEN = 5;

/**
 * What the next attempt may use, and whether it counts against `retries`; null = another attempt makes no sense. `losses`: how many nodes
 * the job has lost in this invocation, this time included.
 */
export function retryDecision(
  outcome: AttemptOutcome,
  resources: Resources,
  losses = 0,
): { readonly resources: Resources; readonly counts: boolean } | null {
  if (outcome.state !== 'failed') return null;
  switch (outcome.cause) {
    case 'bad-input':
    case 'disk-full':
    case 'removed':
      return null;
    case 'out-of-memory':
      return { resources: { ...resources, memoryBytes: Math.ceil(resources.memoryBytes * 1.5) }, counts: true };
    case 'time-limit':
      return { resources: { ...resources, timeMs: Math.ceil(resources.timeMs * 1.5) }, counts: true };
    case 'preempted':
      return { resources, counts: false };
    case 'node-lost':
      return { resources, counts: losses > LOSSES_FORGIVEN };
    case 'exit':
    case 'signal':
    case 'bad-result':
    case 'not-started':
      return { resources, counts: true };
    default:
      return unreachable(outcome.cause);
  }
}

const SIGNAL_NAMES: Readonly<Record<string, string>> = {
  SIGSEGV: 'segmentation fault',
  SIGABRT: 'abort',
  SIGBUS: 'bus error',
  SIGFPE: 'arithmetic error',
  SIGILL: 'illegal instruction',
  SIGKILL: 'killed, often by the system for lack of memory',
  SIGTERM: 'asked to end, not by caf',
  SIGXCPU: 'limit of CPU time',
  SIGXFSZ: 'limit of file size',
  SIGPIPE: 'nobody reads what it writes',
};

const signalText = (signal: string): string => (SIGNAL_NAMES[signal] === undefined ? signal : `${signal} (${SIGNAL_NAMES[signal]})`);

/** Shells turn what happened to the program they ran into a number. */
function statusText(code: number): string {
  if (code === 126) return '126 (a shell says: not executable)';
  if (code === 127) return '127 (a shell says: command not found)';
  const signal = signalName(code - 128);
  return signal === null ? String(code) : `${code} (128 + ${code - 128}: a program it ran was ended by ${signalText(signal)})`;
}

const listText = (items: readonly string[]): string =>
  items.length <= 5 ? items.join('; ') : `${items.slice(0, 5).join('; ')}; and ${items.length - 5} more`;
