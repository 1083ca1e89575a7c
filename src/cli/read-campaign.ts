// From the words on the command line to a checked campaign, and to what its code is.
import { createCodeReader } from '../config/code-digest.ts';
import { loadCampaign } from '../config/load-campaign.ts';
import { giveFrontDoor } from '../config/resolver.ts';
import type { Settings } from '../config/settings.ts';
import type { CampaignSpec } from '../domain/calibration.ts';
import { formatIov, type Iov } from '../domain/iov.ts';
import { keepHeapSmall } from '../host/lean-memory.ts';
import * as frontDoor from '../index.ts';
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
  /** With the origin of each value. */
  readonly settings: Settings;
  readonly code: CodeOfCampaign;
}

/** A config that fills this much (thousands of calibrations or jobs; few fill half) takes longer to check and plan than what is lost by changing flags this early. */
const LARGE_BYTES = 15e6;

/** Throws CafError with all problems at once. */
export async function readCampaign(words: CampaignWords, io: Io): Promise<ReadCampaign> {
  giveFrontDoor(frontDoor);
  const { spec, modules, settings } = await loadCampaign({
    config: words.config,
    flags: { output: words.output, backend: words.backend, iov: words.iov === undefined ? undefined : formatIov(words.iov) },
    env: io.env,
    cwd: io.cwd,
    onLoaded: () => {
      if (process.memoryUsage().heapUsed > LARGE_BYTES) keepHeapSmall();
    },
  });
  return { spec, settings, code: codeOf(spec, modules) };
}

function codeOf(spec: CampaignSpec, modules: readonly string[]): CodeOfCampaign {
  const reader = createCodeReader({ configPath: spec.configPath, modules });
  const byName = new Map(spec.calibrations.map((calibration) => [calibration.name, calibration]));
  return {
    of: (name, recorded) => {
      const calibration = byName.get(name);
      if (calibration === undefined) throw new Error(`${name} is not in the config`);
      return reader.of(calibration, recorded);
    },
  };
}
