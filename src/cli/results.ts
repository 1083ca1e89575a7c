// Which results directory a command looks at: the one named, else the default one.

import { existsSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { CONFIG_NAMES } from '../config/find-config.ts';
import { DEFAULT_OUTPUT } from '../domain/calibration.ts';
import { CafError } from '../domain/errors.ts';
import { JOURNAL_FILE } from '../domain/results-directory.ts';
import { shortPath } from '../report/error-text.ts';
import type { Io } from './io.ts';
import { readSubmission } from './submission.ts';

export const LOG_FILE = 'caf.log';
/** What a caf in the background prints. */
export const OUT_FILE = 'caf.out';

interface Wanted {
  /** One whose campaign was submitted as a batch job and has not begun will do, too: it has no journal yet. */
  readonly orSubmitted?: boolean;
}

/** Absolute path. A directory with a config means its calibration_results. Without `directory`: CAF_OUTPUT, else calibration_results here, else what the config here says. */
export async function findResults(directory: string | undefined, io: Io, { orSubmitted = false }: Wanted = {}): Promise<string> {
  const checkResults = (path: string) => {
    const submitted = orSubmitted ? [path, join(path, DEFAULT_OUTPUT)].find((each) => readSubmission(each) !== null) : undefined;
    return submitted ?? checkJournal(path, io);
  };
  const named = directory ?? (io.env.CAF_OUTPUT || undefined);
  if (named !== undefined) return checkResults(resolve(io.cwd, named));
  const here = join(io.cwd, DEFAULT_OUTPUT);
  if (existsSync(join(here, JOURNAL_FILE)) || readSubmission(here) !== null) return checkResults(here);
  // Inside a results directory.
  if (existsSync(join(io.cwd, JOURNAL_FILE))) return io.cwd;
  if (CONFIG_NAMES.some((name) => existsSync(join(io.cwd, name)))) {
    const { readCampaign } = await import('./read-campaign.ts');
    const { spec } = await readCampaign({}, io);
    return checkResults(spec.output);
  }
  throw notFound(here, io);
}

function checkJournal(directory: string, io: Io): string {
  if (existsSync(join(directory, JOURNAL_FILE))) return directory;
  // The journal itself was named.
  if (basename(directory) === JOURNAL_FILE && existsSync(directory)) return dirname(directory);
  // As caf run takes it.
  const below = join(directory, DEFAULT_OUTPUT);
  if (existsSync(join(below, JOURNAL_FILE))) return below;
  throw notFound(directory, io);
}

function notFound(directory: string, io: Io): CafError {
  const short = shortPath(directory, io.cwd);
  const submission = readSubmission(directory);
  if (submission !== null) {
    const { engine, id, name, by, at } = submission;
    return new CafError('CAF_RESULTS_NOT_FOUND', `${short} has not begun: ${engine} ${id ?? name} was submitted by ${by} at ${at}`, {
      hint: 'wait for it (caf status --watch), or take it out of the queue (caf cancel)',
    });
  }
  if (!existsSync(directory)) {
    return new CafError('CAF_RESULTS_NOT_FOUND', `There is no results directory ${short}`, {
      hint: 'caf run makes it; or name another directory',
    });
  }
  return new CafError('CAF_RESULTS_NOT_FOUND', `${short} has no ${JOURNAL_FILE}: it is not a results directory of caf`, {
    hint: 'name the directory that caf run was given with --output',
  });
}
