// `caf cancel`: ends the invocation that works on a results directory, and its running jobs.
import type { Command } from 'commander';
import { CafError } from '../../domain/errors.ts';
import { shortPath } from '../../report/error-text.ts';
import { addExamples } from '../examples.ts';
import type { Io } from '../io.ts';
import { findResults } from '../results.ts';

interface CancelOptions {
  readonly keepJobs?: boolean;
}

/** Between the two signals: the first must have been handled. */
const SECOND_SIGNAL_MS = 500;
const LOOK_MS = 200;
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
    ['caf cancel', 'as Ctrl-C twice'],
    ['caf cancel --keep-jobs', 'as Ctrl-C once'],
  ]);
}

async function cancel(directory: string | undefined, { keepJobs }: CancelOptions, io: Io): Promise<void> {
  const results = await findResults(directory, io);
  const { openJournalForReading } = await import('../../database/journal-reader.ts');
  const { processLife, isSameProcess } = await import('../../backends/process-identity.ts');
  const reader = openJournalForReading(results);
  const { owner } = reader.status();
  reader.close();
  const name = shortPath(results, io.cwd);
  if (owner === null || processLife(owner) === 'gone') {
    io.stderr.write(`nothing to cancel: no caf works on ${name}\n`);
    return;
  }
  if (!isSameProcess(owner)) {
    throw new CafError('CAF_RESULTS_LOCKED', `${name} is in use by pid ${owner.pid} on ${owner.host}, another machine`, {
      hint: `on ${owner.host}: kill -TERM ${owner.pid}`,
    });
  }
  io.stderr.write(`ending caf pid ${owner.pid} on ${owner.host}${keepJobs === true ? '; its jobs run on' : ' and its jobs'}\n`);
  signal(owner.pid);
  if (keepJobs !== true) {
    await pause(SECOND_SIGNAL_MS);
    // Asked again before each signal: pids are reused.
    if (isSameProcess(owner)) signal(owner.pid);
  }
  const giveUpAt = performance.now() + PATIENCE_MS;
  while (isSameProcess(owner)) {
    if (performance.now() > giveUpAt) {
      throw new CafError('CAF_RESULTS_LOCKED', `caf pid ${owner.pid} has not ended within ${PATIENCE_MS / 1000} s`, {
        hint: `kill -KILL ${owner.pid} is safe: caf run continues from what was recorded`,
      });
    }
    await pause(LOOK_MS);
  }
  io.stderr.write('ended\n\n  caf run   continue\n');
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
