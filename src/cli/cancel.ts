// What `caf cancel` does: asks the caf that works on a results directory to stop, through a file, and waits for its end.
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { openJournalForReading } from '../database/journal-reader.ts';
import type { InvocationRecord, OwnerRecord } from '../database/journal-records.ts';
import { isNoticed, requestsDirectory, type StopRequest, withdrawStopRequest, writeStopRequest } from '../database/stop-request.ts';
import { CafError } from '../domain/errors.ts';
import { type AttemptRecord, isEngineJob } from '../domain/job.ts';
import { unreachable } from '../domain/result.ts';
import { JOURNAL_FILE } from '../domain/results-directory.ts';
import type { StopWish } from '../domain/stop-wish.ts';
import { actorHere } from '../host/actor.ts';
import { createWaker } from '../host/waker.ts';
import { shortPath } from '../report/error-text.ts';
import { count, oneLine } from '../report/text.ts';
import { leftAttempts } from '../runners/algorithm-attempts.ts';
import { endAttempts, leftAlgorithms } from '../runners/leftover-jobs.ts';
import type { CancelOptions } from './commands/cancel.ts';
import type { Io } from './io.ts';
import { findResults } from './results.ts';
import { resumeIn } from './resume.ts';
import { readSubmission } from './submission.ts';

/** How long a request may stay unnoticed: clients of network file systems believe for a minute that a directory has not changed. */
const PATIENCE_MS = 90_000;

export async function cancelCampaign(directory: string | undefined, { drain, keepJobs, reason }: CancelOptions, io: Io): Promise<void> {
  const results = await findResults(directory, io, { orSubmitted: true });
  const name = shortPath(results, io.cwd);
  const jobs: StopWish['jobs'] = drain ? 'finish' : keepJobs ? 'leave' : 'cancel';
  const owner = readHolder(results);
  const left = owner === null ? null : await endOwner({ results, name, owner, jobs, reason, io });
  const isWithdrawn = owner === null && (await withdraw(results, io));
  const ended = jobs === 'cancel' ? await endLeftovers(results, io) : 0;
  if (left === null && ended === 0 && !isWithdrawn) io.stderr.write(`nothing to cancel: no caf works on ${name}\n`);
  if (left === 'work' || ended > 0 || isWithdrawn) io.stderr.write(`\n  ${await resumeIn(results, io)}   continue\n`);
}

/** A campaign that was submitted as a batch job and has not begun, or died, is ended by the engine. False when there is none. */
async function withdraw(results: string, io: Io): Promise<boolean> {
  if (readSubmission(results) === null) return false;
  const { withdrawSubmission } = await import('./submitted-job.ts');
  return withdrawSubmission(results, io);
}

interface Cancelling {
  readonly results: string;
  readonly name: string;
  readonly owner: OwnerRecord;
  readonly jobs: StopWish['jobs'];
  readonly reason: string | null;
  readonly io: Io;
}

/** Resolves when the owner has given the results directory back or is dead, to whether it left work to be done. */
async function endOwner({ results, name, owner, jobs, reason, io }: Cancelling): Promise<'work' | 'nothing'> {
  if (!owner.command.startsWith('caf run')) {
    throw new CafError(
      'CAF_RESULTS_LOCKED',
      `${name} is in use by ${owner.command} (pid ${owner.pid} on ${owner.host}), which is no campaign`,
      {
        hint: 'it takes a moment: wait for its end',
      },
    );
  }
  const who = `caf pid ${owner.pid}${owner.host === hostname() ? '' : ` on ${owner.host}`}`;
  const say = (text: string) => io.stderr.write(`${who} ${text}\n`);
  const { running } = readFacts(results);
  const request = {
    v: 1,
    id: randomUUID(),
    lease: owner.token,
    jobs,
    by: actorHere(),
    pid: process.pid,
    at: new Date().toISOString(),
  } as const;
  const waker = createWaker(requestsDirectory(results), new AbortController().signal);
  const giveUpAt = performance.now() + PATIENCE_MS;
  let wasNoticed = false;
  try {
    writeRequest(results, { ...request, why: reason === null ? null : oneLine(reason) });
    for (;;) {
      const holder = readHolder(results);
      if (holder?.token !== owner.token) {
        const { outcome } = readFacts(results);
        say(endText(jobs, holder, outcome, running));
        return holder === null && outcome !== 'completed' ? 'work' : 'nothing';
      }
      if (!wasNoticed && isNoticed(results, request.id)) {
        wasNoticed = true;
        say(noticeText(jobs, running));
      }
      if (!wasNoticed && performance.now() > giveUpAt) throw unheardError(who, owner);
      await waker.wait();
    }
  } finally {
    waker.close();
    withdrawStopRequest(results, request.id);
  }
}

function noticeText(jobs: StopWish['jobs'], running: number): string {
  if (running === 0) return 'is stopping';
  switch (jobs) {
    case 'finish':
      return `starts nothing more and waits for ${count(running, 'running job')}; Ctrl-C here only ends this waiting`;
    case 'leave':
      return `leaves ${count(running, 'running job')} at work`;
    case 'cancel':
      return `is ending ${count(running, 'running job')}`;
    default:
      return unreachable(jobs);
  }
}

type Outcome = InvocationRecord['outcome'];

function endText(jobs: StopWish['jobs'], holder: OwnerRecord | null, outcome: Outcome, running: number): string {
  if (holder !== null) return `has ended; ${holder.command} (pid ${holder.pid} on ${holder.host}) works here since, and goes on`;
  switch (outcome) {
    case 'completed':
    case 'failed':
      return `came to its end before: the campaign ${outcome}`;
    case null:
      return 'died before it could write down how it ended; what it had finished is kept';
    case 'interrupted':
      return jobs === 'leave' && running > 0 ? `has ended; ${count(running, 'job')} at work for the next caf run to adopt` : 'has ended';
    default:
      return unreachable(outcome);
  }
}

function unheardError(who: string, { pid, host }: OwnerRecord): CafError {
  const where = host === hostname() ? '' : `on ${host}: `;
  return new CafError('CAF_RESULTS_LOCKED', `${who} has not noticed the request within ${PATIENCE_MS / 1000} s`, {
    hint: `${where}kill -KILL ${pid} is safe: caf run continues from what was recorded`,
  });
}

function writeRequest(results: string, request: StopRequest): void {
  try {
    writeStopRequest(results, request);
  } catch (error) {
    throw new CafError('CAF_RESULTS_UNWRITABLE', `The request cannot be written: ${(error as Error).message}`, {
      hint: 'whoever may write to the results directory may cancel',
      cause: error,
    });
  }
}

/** Ends what this machine still runs for the campaign, where no caf is there to do it: a caf that was killed has left it. How many. */
async function endLeftovers(results: string, io: Io): Promise<number> {
  if (!hasJournal(results) || readHolder(results) !== null) return 0;
  const { unfinished, calibrations } = readFacts(results);
  const ended = await endAttempts(results, [...unfinished, ...calibrations.flatMap((name) => leftAlgorithms(results, name))]);
  if (ended > 0) io.stderr.write(`ended ${count(ended, 'running job')} that no caf looked after\n`);
  const elsewhere = unfinished.flatMap(({ handle }) =>
    handle === null || isEngineJob(handle) || handle.host === hostname() ? [] : [handle.host],
  );
  for (const [host, { length }] of Map.groupBy(elsewhere, (each) => each))
    io.stderr.write(`${count(length, 'job')} may still run on ${host}: caf cancel ends them there\n`);
  return ended;
}

/** Who works here and is alive, as far as this machine can tell. */
function readHolder(results: string): OwnerRecord | null {
  if (!hasJournal(results)) return null;
  const reader = openJournalForReading(results);
  try {
    return reader.isHeld() ? reader.owner() : null;
  } finally {
    reader.close();
  }
}

/** Without one it was submitted, and has not begun. */
const hasJournal = (results: string): boolean => existsSync(join(results, JOURNAL_FILE));

interface Facts {
  /** How the newest invocation ended. */
  readonly outcome: Outcome;
  /** Jobs at work. */
  readonly running: number;
  /** Attempts without a recorded end; none are known while a network file system keeps the journal to its writer. */
  readonly unfinished: readonly AttemptRecord[];
  readonly calibrations: readonly string[];
}

function readFacts(results: string): Facts {
  const reader = openJournalForReading(results);
  try {
    if (reader.journal !== null) {
      const unfinished = reader.journal.unfinishedAttempts();
      const names = reader.journal.calibrations().map(({ calibration }) => calibration);
      const running = unfinished.length + names.flatMap((name) => leftAttempts(results, name)).length;
      return { outcome: reader.journal.lastInvocation()?.outcome ?? null, running, unfinished, calibrations: names };
    }
    const { invocation, calibrations } = reader.status();
    const running = calibrations.flatMap(({ iterations }) => iterations).reduce((sum, { jobs }) => sum + jobs.running, 0);
    return { outcome: invocation?.outcome ?? null, running, unfinished: [], calibrations: [] };
  } finally {
    reader.close();
  }
}
