// For those who follow a campaign that was submitted as a batch job: they wait until it has begun.
import { join } from 'node:path';
import type { EngineState } from '../backends/engine.ts';
import { CafError } from '../domain/errors.ts';
import { createWaker } from '../host/waker.ts';
import { shortPath } from '../report/error-text.ts';
import { oneLine } from '../report/text.ts';
import type { Io } from './io.ts';
import { OUT_FILE } from './results.ts';
import { LOG, readSubmission, submissionFile } from './submission.ts';

/** Between questions to the engine whether the job still waits. */
const ASK_INTERVAL_MS = 30_000;

/** At once when nothing was submitted, or it has begun. Throws CAF_SUBMIT when the job ended without beginning. */
export async function awaitBeginning(output: string, io: Io): Promise<void> {
  const submission = readSubmission(output);
  if (submission === null) return;
  const { findSubmitted, hasBegun } = await import('./submitted-job.ts');
  if (hasBegun(output, submission)) return;
  const job = `${submission.engine} ${submission.id ?? submission.name}`;
  const waker = createWaker(output, new AbortController().signal);
  let told = '';
  let askAt = performance.now();
  try {
    while (!hasBegun(output, submission)) {
      if (performance.now() >= askAt) {
        askAt = performance.now() + ASK_INTERVAL_MS;
        const known = await findSubmitted(output, io);
        if (known === null && !hasBegun(output, submission)) throw gone(job, output, submission.name, io);
        const text =
          known === null ? '' : `${shortPath(output, io.cwd)} has not begun: waiting for ${job} (${stateText(known.found.state)})\n`;
        if (text !== told) io.stderr.write(text);
        told = text;
      }
      await waker.wait();
    }
  } finally {
    waker.close();
  }
}

/** With the engine's reason, and what to do where it will wait for ever. */
function stateText(state: EngineState): string {
  const reason = 'reason' in state && state.reason !== null ? `: ${oneLine(state.reason)}` : '';
  const advice = 'advice' in state && state.advice !== null ? `; ${state.advice}` : '';
  return `${state.state}${reason}${advice}`;
}

const gone = (job: string, output: string, name: string, io: Io): CafError =>
  new CafError('CAF_SUBMIT', `${job} is not in the queue any more, and the campaign has not begun`, {
    hint: `what was said is in ${shortPath(join(output, OUT_FILE), io.cwd)} and ${shortPath(submissionFile(output, name, LOG), io.cwd)}`,
  });
