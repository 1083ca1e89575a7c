// The final databases of a campaign: the results of its calibrations in the order of their priority, without what is intermediate.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { CalibrationSpec } from '../domain/calibration.ts';
import { CafError } from '../domain/errors.ts';
import { JOURNAL_FILE } from '../domain/results-directory.ts';
import { shortPath } from '../report/error-text.ts';
import type { Io } from './io.ts';

export const isResultsDirectory = (path: string): boolean => existsSync(join(path, JOURNAL_FILE));

/**
 * Absolute paths, highest priority first: latest in topological order, as in a chain. `savePayloads: false` leaves a calibration out, as the
 * config says that was last run here. CAF_RESULTS_INCOMPLETE unless all others are complete, and made of the results that their ancestors have now.
 */
export async function findFinalDatabases(results: string, io: Io): Promise<readonly string[]> {
  const { readStatus } = await import('../report/status-model.ts');
  const { readCampaign } = await import('./read-campaign.ts');
  const { buildGraph } = await import('../plan/graph.ts');
  const status = readStatus(results);
  const { spec } = await readCampaign({ config: status.invocation?.config }, io);
  const graph = buildGraph(spec.calibrations);
  const saved = new Set(spec.calibrations.filter(({ savePayloads }) => savePayloads).map(({ name }) => name));
  const order = graph.ok ? graph.value.order.filter((name) => saved.has(name)) : [];
  const complete = new Set(status.calibrations.filter(({ localdb }) => localdb !== null).map(({ name }) => name));
  const missing = order.filter((name) => !complete.has(name));
  if (missing.length > 0) {
    const few = missing.slice(0, 5).join(', ');
    throw new CafError(
      'CAF_RESULTS_INCOMPLETE',
      `${shortPath(results, io.cwd)} is not complete: ${few}${missing.length > 5 ? ` and ${missing.length - 5} more` : ''} ${missing.length === 1 ? 'has' : 'have'} no result yet`,
      { hint: 'caf run continues; or name the databases you want one by one' },
    );
  }
  await refuseOutdated(
    results,
    spec.calibrations.filter(({ name }) => saved.has(name)),
    io,
  );
  if (order.length === 0) {
    throw new CafError(
      'CAF_DB_MISSING',
      `${shortPath(results, io.cwd)} has nothing to export: every calibration says savePayloads: false`,
      {
        hint: 'name the databases you want one by one',
      },
    );
  }
  return order.toReversed().map((name) => join(results, name, 'localdb'));
}

/** A `caf run --only` can leave them behind. */
async function refuseOutdated(results: string, calibrations: readonly CalibrationSpec[], io: Io): Promise<void> {
  const { openJournalForReading } = await import('../database/journal-reader.ts');
  const { newerAncestors } = await import('../runners/campaign-plan.ts');
  const reader = openJournalForReading(results);
  try {
    const { journal } = reader;
    // Held by its writer alone, on some network file systems: a campaign that is at work is not complete.
    if (journal === null) return;
    for (const calibration of calibrations) {
      const newer = newerAncestors(calibration, journal);
      if (newer.length === 0) continue;
      const what = `the result of ${calibration.name} was made of an earlier one of ${newer.join(', ')}`;
      throw new CafError('CAF_RESULTS_INCOMPLETE', `${shortPath(results, io.cwd)}: ${what}`, {
        hint: 'caf run does it again; or name the databases you want one by one',
      });
    }
  } finally {
    reader.close();
  }
}
