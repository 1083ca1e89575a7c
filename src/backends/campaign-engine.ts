// An engine with the options of its site, for a campaign that runs as one job of it.
import type { BackendSpec, BatchSpec } from '../domain/calibration.ts';
import { moduleLines } from './batch-script.ts';
import type { ArrayRequest, BatchEngine, SubmitText } from './engine.ts';
import type { NamedEngine } from './engines.ts';
import { gridengine } from './gridengine.ts';
import { htcondor } from './htcondor.ts';
import { lsf } from './lsf.ts';
import { pbs } from './pbs.ts';
import { slurm } from './slurm.ts';

export interface CampaignEngine {
  readonly engine: NamedEngine;
  submit(request: Omit<ArrayRequest<never>, 'site'>): SubmitText;
  /** Where the site wants the engine's own logs; null = within the results. */
  readonly logDirectory: string | null;
  /** Environment that the config gives to all jobs of this engine. */
  readonly env: Readonly<Record<string, string>>;
  /** Lines of shell that the site needs first. */
  readonly setup: readonly string[];
}

/** `directives`: further options, of this job only. Null for a backend that is no engine. */
export function campaignEngineOf(spec: BackendSpec, directives: readonly string[]): CampaignEngine | null {
  switch (spec.kind) {
    case 'local':
      return null;
    case 'slurm':
      return withSite(slurm, { ...spec.site, directives: [...spec.site.directives, ...directives] }, spec);
    case 'htcondor':
      return withSite(htcondor, { ...spec.site, lines: [...spec.site.lines, ...directives] }, spec);
    case 'gridengine':
      return withSite(gridengine, { ...spec.site, options: [...spec.site.options, ...directives] }, spec);
    case 'pbs':
      return withSite(pbs, { ...spec.site, options: [...spec.site.options, ...directives] }, spec);
    case 'lsf':
      return withSite(lsf, { ...spec.site, options: [...spec.site.options, ...directives] }, spec);
  }
}

/** Ties an engine to the options that only it understands. */
const withSite = <Site>(engine: BatchEngine<Site>, site: Site, { env, modules, setup, logDirectory }: BatchSpec): CampaignEngine => ({
  engine,
  logDirectory,
  env,
  setup: [...moduleLines(modules), ...setup],
  submit: (request) => engine.submit({ ...request, site }),
});
