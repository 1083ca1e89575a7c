// `caf run --detach`: a second caf does the work in the background. This one waits until that has begun, and says how to follow it.
import { closeSync, existsSync, fstatSync, openSync, rmdirSync, rmSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import type { CampaignSpec } from '../domain/calibration.ts';
import { CafError, type CafErrorOptions, type ErrorCode } from '../domain/errors.ts';
import { type BackgroundStart, connectToStarter, startInBackground } from '../host/background.ts';
import { makeDirectories } from '../host/make-directories.ts';
import { shortPath } from '../report/error-text.ts';
import type { RunOptions } from './commands/run.ts';
import { drawFollowing } from './draw-following.ts';
import { exitCodeOf } from './exit-codes.ts';
import type { Io } from './io.ts';
import { programOf } from './program-file.ts';
import { OUT_FILE } from './results.ts';
import { runCommand } from './run.ts';
import { runArguments } from './run-arguments.ts';

/** What the caf in the background tells the one that started it. */
type Answer =
  | { readonly kind: 'started' }
  | { readonly kind: 'failed'; readonly error: { readonly code: ErrorCode; readonly message: string } & Omit<CafErrorOptions, 'cause'> };

/** Resolves when the campaign has begun in the background. Throws what would have kept `caf run` from beginning, and then nothing is left behind. */
export const detachRun = (options: RunOptions, io: Io): Promise<void> =>
  runCommand(options, io, { elsewhere: ({ spec }) => detach(options, spec, io) });

async function detach(options: RunOptions, { output }: CampaignSpec, io: Io): Promise<void> {
  const out = openOutput(output);
  let start: BackgroundStart;
  try {
    start = await startInBackground({
      argv: [...process.execArgv, programOf(import.meta.url), 'run', '--in-background', ...runArguments(options)],
      cwd: io.cwd,
      env: io.env,
      output: out.descriptor,
    });
    if (start.kind === 'ended') {
      throw new CafError('CAF_BACKGROUND', `The caf in the background ended before it had begun: ${start.reason}`, {
        hint: out.isEmpty() ? 'try without --detach' : `what it said is in ${shortPath(join(output, OUT_FILE), io.cwd)}`,
      });
    }
    const answer = start.answer as Answer;
    if (answer.kind === 'failed') throw new CafError(answer.error.code, answer.error.message, answer.error);
  } catch (error) {
    out.forget();
    throw error;
  } finally {
    out.close();
  }
  if (options.json) {
    const facts = { v: 1, type: 'campaign.detached', pid: start.pid, host: hostname(), output, out: join(output, OUT_FILE) };
    io.stdout.write(`${JSON.stringify(facts)}\n`);
  } else if (!options.quiet) {
    const head = `in the background: caf pid ${start.pid} on ${hostname()}`;
    io.stdout.write(`${drawFollowing(head, output, io).join('\n')}\n`);
  }
}

interface OutputFile {
  readonly descriptor: number;
  isEmpty(): boolean;
  /** Removes what was made here and is of no use: nothing began. */
  forget(): void;
  close(): void;
}

/** Appends: what an earlier one said stays. Throws CAF_RESULTS_UNWRITABLE. */
function openOutput(results: string): OutputFile {
  const path = join(results, OUT_FILE);
  try {
    const directory = makeDirectories(results);
    const isNew = !existsSync(path);
    const descriptor = openSync(path, 'a');
    const isEmpty = () => fstatSync(descriptor).size === 0;
    return {
      descriptor,
      isEmpty,
      forget() {
        // One that was there may be written to at this moment, by the caf that holds the directory.
        if (isNew && isEmpty()) rmSync(path, { force: true });
        if (directory !== undefined) removeEmpty(results, directory);
      },
      close: () => closeSync(descriptor),
    };
  } catch (error) {
    throw new CafError('CAF_RESULTS_UNWRITABLE', `${path} cannot be written: ${(error as Error).message}`, {
      hint: 'Choose a directory you may write to with --output, or have its permissions changed.',
      cause: error,
    });
  }
}

/** From the inside out, up to the outermost directory that was made. */
function removeEmpty(directory: string, outermost: string): void {
  try {
    for (let path = directory; path.startsWith(outermost); path = join(path, '..')) rmdirSync(path);
  } catch {
    // Somebody put something there.
  }
}

/** What the second caf does: `caf run`, and one word to the first when it has begun, or why it cannot. */
export async function runInBackground(options: RunOptions, io: Io): Promise<void> {
  const starter = connectToStarter();
  let hasAnswered = false;
  const answer = (one: Answer): Promise<void> => {
    if (hasAnswered) return Promise.resolve();
    hasAnswered = true;
    return starter.answer(one);
  };
  try {
    await runCommand(options, io, { onStarted: () => void answer({ kind: 'started' }) });
  } catch (error) {
    if (hasAnswered || !(error instanceof CafError)) throw error;
    const { code, message, hint, problems, at } = error;
    await answer({
      kind: 'failed',
      error: { code, message, problems, ...(hint === undefined ? {} : { hint }), ...(at === undefined ? {} : { at }) },
    });
    io.setExitCode(exitCodeOf(error));
  }
}
