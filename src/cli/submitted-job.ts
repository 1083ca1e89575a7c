// The batch job that a campaign was submitted as: whether the engine still has it, whether the campaign has begun in it, and its end by the engine.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { engineNamed, type NamedEngine } from '../backends/engines.ts';
import { openJournalForReading } from '../database/journal-reader.ts';
import { CafError } from '../domain/errors.ts';
import { unreachable } from '../domain/result.ts';
import { JOURNAL_FILE } from '../domain/results-directory.ts';
import { cancelJob, type Found, findJob } from './engine-job.ts';
import type { Io } from './io.ts';
import { BEGUN, forgetSubmission, readSubmission, type Submission, submissionFile } from './submission.ts';

/** Ends the job of a campaign that was submitted, where it still waits or runs; false when there is none any more. For `caf cancel`. */
export async function withdrawSubmission(output: string, io: Io): Promise<boolean> {
  const known = await findSubmitted(output, io);
  if (known === null) return false;
  const { submission, job, found, engine } = known;
  if (!(await cancelJob(engine, found.task, io.env)))
    throw new CafError('CAF_SUBMIT', `${submission.engine} did not take the wish to cancel ${job}`, { hint: 'try again: caf cancel' });
  forgetSubmission(output, submission);
  io.stderr.write(`cancelled ${job} (${found.state.state})\n`);
  return true;
}

interface Submitted {
  readonly submission: Submission;
  readonly engine: NamedEngine;
  /** For people: `slurm 4711`. */
  readonly job: string;
  readonly found: Extract<Found, { is: 'there' }>;
}

/** The job that was submitted before, unless the engine has it no more; what is known of it goes then. Throws CAF_SUBMIT when the engine does not answer. */
export async function findSubmitted(output: string, io: Io): Promise<Submitted | null> {
  const submission = readSubmission(output);
  const engine = submission === null ? null : engineNamed(submission.engine);
  if (submission === null || engine === null) return null;
  if (hasEnded(output, submission)) {
    forgetSubmission(output, submission);
    return null;
  }
  const found = await findJob(engine, submission, io.env);
  const job = `${submission.engine} ${submission.id ?? submission.name}`;
  switch (found.is) {
    case 'there':
      return { submission, engine, job, found };
    case 'gone':
      forgetSubmission(output, submission);
      return null;
    case 'unknown':
      throw new CafError('CAF_SUBMIT', `${submission.engine} does not say whether it still has ${submission.id ?? submission.name}`, {
        hint: 'try again later',
      });
    default:
      return unreachable(found);
  }
}

/** Number of the newest invocation on a results directory; 0 = there was none. */
export const lastInvocation = (output: string): number => look(output).invocation;

/** Whether a `caf run` began on the directory since it was submitted. */
export const hasBegun = (output: string, { after }: Submission): boolean => look(output).invocation > after;

/** The job began, and its caf has given the directory back: the engine may still show it for a moment. */
function hasEnded(output: string, { name, after }: Submission): boolean {
  if (!existsSync(submissionFile(output, name, BEGUN))) return false;
  const { invocation, isHeld } = look(output);
  return invocation > after && !isHeld;
}

function look(output: string): { readonly invocation: number; readonly isHeld: boolean } {
  if (!existsSync(join(output, JOURNAL_FILE))) return { invocation: 0, isHeld: false };
  const reader = openJournalForReading(output);
  try {
    const newest = reader.journal === null ? reader.status().invocation : reader.journal.lastInvocation();
    return { invocation: newest?.invocation ?? 0, isHeld: reader.isHeld() };
  } finally {
    reader.close();
  }
}
