// From the words on the command line to a checked campaign, and to what its code is.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { checkConfig } from '../config/check-config.ts';
import { findConfig } from '../config/find-config.ts';
import { loadConfig } from '../config/load-config.ts';
import type { CampaignSpec } from '../domain/calibration.ts';
import { CafError } from '../domain/errors.ts';
import type { Iov } from '../domain/iov.ts';
import { shortPath } from '../report/error-text.ts';
import type { CodeOfCampaign } from '../runners/campaign-plan.ts';
import type { Io } from './io.ts';

export interface CampaignWords {
  /** Path of a config file or its directory; undefined = the one here. */
  readonly config?: string | undefined;
  /** Relative to the working directory. */
  readonly output?: string | undefined;
  readonly backend?: string | undefined;
  readonly iov?: Iov | undefined;
}

export interface ReadCampaign {
  readonly spec: CampaignSpec;
  readonly code: CodeOfCampaign;
}

/** Throws CafError with all problems at once. */
export async function readCampaign(words: CampaignWords, io: Io): Promise<ReadCampaign> {
  const path = findConfig(words.config, io.cwd);
  const { raw, modules } = await loadConfig(path);
  const checked = checkConfig(raw, {
    configPath: path,
    output: words.output === undefined ? undefined : resolve(io.cwd, words.output),
    backendOverride: words.backend,
    iov: words.iov,
  });
  if (!checked.ok) {
    const { length } = checked.error;
    throw new CafError('CAF_CONFIG_INVALID', `${shortPath(path, io.cwd)} has ${length} problem${length === 1 ? '' : 's'}`, {
      problems: checked.error,
    });
  }
  return { spec: checked.value, code: codeOf(modules) };
}

function codeOf(modules: readonly string[]): CodeOfCampaign {
  const files = Object.fromEntries(modules.map((path) => [path, createHash('sha256').update(readFileSync(path)).digest('hex')]));
  const all = createHash('sha256').update(JSON.stringify(files)).digest('hex');
  return { of: () => ({ collectors: all, algorithms: all, files }) };
}
