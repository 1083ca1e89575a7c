// `caf cancel`: ends the invocation that works on a results directory, and its running jobs.
import type { Command } from 'commander';
import { CafError } from '../../domain/errors.ts';
import type { ProcessIdentity } from '../../domain/job.ts';
import { shortPath } from '../../report/error-text.ts';
import { count } from '../../report/text.ts';
import { addExamples } from '../examples.ts';
import type { Io } from '../io.ts';
import { findResults } from '../results.ts';

interface CancelOptions {
  readonly keepJobs?: boolean;
}

const LOOK_MS = 50;
const PATIENCE_MS = 60_000;

export function registerCancel(program: Command, io: Io): void {
  const command = program
    .command('cancel')
    .summary('end the caf that works on a results directory')
    .description('Ends the caf that works on a results directory, and its running jobs. What is finished is kept; caf run continues.')
    .argument('[dir]', 'results directory (default: the one of the config here)')
    .option('--keep-jobs', 'let running jobs run on: the next caf run adopts them')
    .action((directory: string | undefined, options: CancelOptions) => cancel(directory, options, io));
  addExamples(command, [
    ['caf cancel', 'as Ctrl-C twice; also ends what a killed caf has left'],
    ['caf cancel --keep-jobs', 'only caf: what runs goes on, to be adopted by the next caf run'],
  ]);
}

async function cancel(directory: string | undefined, { keepJobs }: CancelOptions, io: Io): Promise<void> {
  const results = await findResults(directory, io);
  const name = shortPath(results, io.cwd);
  const owner = await readOwner(results);
  const ended = owner === null ? false : await endOwner(owner, name, io);
  const jobs = keepJobs === true ? 0 : await endJobs(results);
  if (jobs > 0) io.stderr.write(`ended ${count(jobs, 'running job')}\n`);
  io.stderr.write(ended || jobs > 0 ? '\n  caf run   continue\n' : `nothing to cancel: no caf works on ${name}\n`);
}

async function readOwner(results: string): Promise<ProcessIdentity | null> {
  const { openJournalForReading } = await import('../../database/journal-reader.ts');
  const reader = openJournalForReading(results);
  try {
    return reader.status().owner;
  } finally {
    reader.close();
  }
}

/** By SIGTERM: it stops at once, and leaves its jobs to be adopted. False when it was gone already. */
async function endOwner(owner: ProcessIdentity, name: string, io: Io): Promise<boolean> {
  const { processLife, isSameProcess } = await import('../../host/process-identity.ts');
  if (processLife(owner) === 'gone') return false;
  if (!isSameProcess(owner)) {
    throw new CafError('CAF_RESULTS_LOCKED', `${name} is in use by pid ${owner.pid} on ${owner.host}, another machine`, {
      hint: `on ${owner.host}: caf cancel`,
    });
  }
  signal(owner.pid);
  const giveUpAt = performance.now() + PATIENCE_MS;
  while (isSameProcess(owner)) {
    if (performance.now() > giveUpAt) {
      throw new CafError('CAF_RESULTS_LOCKED', `caf pid ${owner.pid} has not ended within ${PATIENCE_MS / 1000} s`, {
        hint: `kill -KILL ${owner.pid} is safe: caf run continues from what was recorded`,
      });
    }
    await pause(LOOK_MS);
  }
  io.stderr.write(`ended caf pid ${owner.pid}\n`);
  return true;
}

/** Ends what this machine still runs for the campaign: also what a caf that was killed has left. How many. */
async function endJobs(results: string): Promise<number> {
  const { openJournalForReading } = await import('../../database/journal-reader.ts');
  const { endAttempts } = await import('../../runners/leftover-jobs.ts');
  const reader = openJournalForReading(results);
  const attempts = reader.journal?.unfinishedAttempts() ?? [];
  reader.close();
  return endAttempts(results, attempts);
}

function signal(pid: number): void {
  try {
    process.kill(pid, 'SIGTERM');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // Ended by itself just now.
    if (code === 'ESRCH') return;
    throw new CafError('CAF_RESULTS_LOCKED', `caf pid ${pid} belongs to another user and cannot be ended from here`, { cause: error });
  }
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
