// Loads and checks the config a command names: a file, a directory with a caf.config.ts, or the one here.
import { statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { CampaignSpec } from '../domain/calibration.ts';
import type { Io } from './io.ts';

export const DEFAULT_CONFIG = 'caf.config.ts';

/** Absolute path; it need not exist. */
export function findConfig(config: string | undefined, io: Io): string {
  const path = resolve(io.cwd, config ?? DEFAULT_CONFIG);
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true ? join(path, DEFAULT_CONFIG) : path;
}

export async function loadSpec(config: string | undefined, io: Io): Promise<CampaignSpec> {
  const { loadConfig } = await import('../config/load-config.ts');
  return loadConfig(findConfig(config, io));
}
