// From a path on the command line to a checked campaign: find, load, settle, check.
import type { CampaignSpec } from '../domain/calibration.ts';
import { CafError } from '../domain/errors.ts';
import { checkCampaign } from './check-config.ts';
import { findConfig } from './find-config.ts';
import { type LoadedConfig, loadConfig } from './load-config.ts';
import { checkContext, resolveSettings, type Settings, type SettingsInput } from './settings.ts';

export interface LoadedCampaign extends LoadedConfig {
  readonly spec: CampaignSpec;
  /** With the origin of each value. */
  readonly settings: Settings;
}

export interface CampaignInput extends Pick<SettingsInput, 'flags' | 'env' | 'cwd'> {
  /** A file, a directory with a caf.config.ts, or undefined for the one in `cwd`. */
  readonly config?: string | undefined;
  /** Told before the check, which is most of the work. */
  readonly onLoaded?: () => void;
}

/** Throws CafError, exit 2 all: CAF_CONFIG_NOT_FOUND, _LOAD, _EXPORT, _INVALID, _CYCLE, and CAF_USAGE for flags and environment. */
export async function loadCampaign({ config, flags, env, cwd, onLoaded }: CampaignInput): Promise<LoadedCampaign> {
  const loaded = await loadConfig(findConfig(config, cwd));
  onLoaded?.();
  const settings = resolveSettings({ flags, env, cwd, configPath: loaded.path, config: loaded.raw });
  if (!settings.ok) {
    const [first] = settings.error;
    if (settings.error.length === 1 && first !== undefined) throw new CafError('CAF_USAGE', `${first.path}: ${first.message}`);
    throw new CafError('CAF_USAGE', `${settings.error.length} settings are wrong`, { problems: settings.error });
  }
  const spec = checkCampaign(loaded.raw, checkContext(loaded.path, settings.value));
  if (!spec.ok) throw spec.error;
  return { ...loaded, spec: spec.value, settings: settings.value };
}
