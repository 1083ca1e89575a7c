// The options of all jobs of a plan, each with where its value comes from, for --dry-run: also what jobs ask for one by one, and what was raised for a retry.
import type { JournalReads } from '../database/journal-records.ts';
import { engineOfAlgorithms, type OptionOrigin, type Resources } from '../domain/calibration.ts';
import { formatDuration, formatSize } from '../domain/quantity.ts';
import type { PlannedCalibration, PlannedCollection } from './campaign-plan.ts';
import { createJobInputs } from './job-inputs.ts';
import { resourcesOfJob } from './job-resources.ts';

/** `jobs`: how many of them it concerns; absent = all. */
export type JobsOption = OptionOrigin & { readonly jobs?: number };

export interface JobsWithOptions {
  /** Of the collection or algorithm. */
  readonly name: string;
  readonly jobs: number;
  readonly backend: string;
  readonly options: readonly JobsOption[];
}

/** Algorithms are among them where they are jobs of an engine. `reads` null = nothing ever ran. */
export function optionsOfJobs(
  { spec, collections, redo, start }: PlannedCalibration,
  reads: JournalReads | null,
): { readonly collections: readonly JobsWithOptions[]; readonly algorithms: readonly JobsWithOptions[] } {
  return {
    collections: collections.map((planned) => {
      const { name, backend } = planned.spec;
      const raised = redo === 'nothing' && reads !== null ? raisedForRetry(planned, spec.name, start.iteration, reads) : [];
      const own = optionsBySite(planned).flatMap((each): readonly JobsOption[] =>
        isAsked(each.name) ? askedByJobs(planned, each, spec.name) : [each],
      );
      return { name, jobs: planned.jobs, backend: backend.kind, options: [...own, ...raised] };
    }),
    algorithms: spec.algorithms
      .filter(({ backend }) => engineOfAlgorithms(backend) !== null)
      .map(({ name, backend, options }) => ({ name, jobs: 1, backend: backend.kind, options: options() })),
  };
}

/** Those of the site as each job needs it; a job that says nothing has the collection's. */
function optionsBySite({ sites, spec }: PlannedCollection): readonly JobsOption[] {
  if (sites === null) return spec.options();
  const told = new Map<string, JobsOption[]>();
  for (const [text, jobs] of countBy(sites.map(({ options }) => JSON.stringify(options()))))
    for (const each of JSON.parse(text) as readonly OptionOrigin[]) {
      const same = told.get(each.name) ?? [];
      const known = same.findIndex(({ value, from }) => from === each.from && JSON.stringify(value) === JSON.stringify(each.value));
      if (known < 0) same.push({ ...each, jobs });
      else same[known] = { ...each, jobs: (same[known]?.jobs ?? 0) + jobs };
      told.set(each.name, same);
    }
  return [...told.values()].flatMap((same) => (same.length > 1 ? same : same.map(({ jobs: _, ...ofAll }) => ofAll)));
}

/** How what a job asks for is written. */
const ASKED: Readonly<Record<'cores' | 'memory' | 'time', (resources: Resources) => string | number>> = {
  cores: ({ cores }) => cores,
  memory: ({ memoryBytes }) => formatSize(memoryBytes),
  time: ({ timeMs }) => formatDuration(timeMs),
};
const isAsked = (name: string): name is keyof typeof ASKED => Object.hasOwn(ASKED, name);

/** What the function of the user says, unless it leaves all jobs as they would be without it. */
function askedByJobs({ resources, spec }: PlannedCollection, option: OptionOrigin, calibration: string): readonly JobsOption[] {
  const { name, value } = option;
  if (resources === null || !isAsked(name)) return [option];
  const path = `calibrations.${calibration}.collections.${spec.name}.resources`;
  const asked = countBy(resources.map((each) => ASKED[name](each)));
  if (asked.size === 0 || (asked.size === 1 && asked.has(value as string | number))) return [option];
  return [...asked].map(([text, jobs]) => ({ name, value: text, from: 'job' as const, path, ...(asked.size === 1 ? {} : { jobs }) }));
}

/** Of jobs that failed for want of it, and are tried again when caf goes on. */
function raisedForRetry(planned: PlannedCollection, calibration: string, iteration: number, reads: JournalReads): readonly JobsOption[] {
  const past = reads.jobs(calibration, iteration, planned.spec.name);
  const inputOf = createJobInputs(planned, { calibration, iteration }, past);
  const raised = [...past.keys()].flatMap((job) => {
    const input = job < planned.jobs ? inputOf(job) : null;
    if (input === null) return [];
    // One that is still at work is not asked for again.
    const resources = input.past.kind === 'open' ? input.past.record.resources : input.resources;
    return [{ asked: resourcesOfJob(planned, job), resources }];
  });
  return (['memory', 'time'] as const).flatMap((name) => {
    const texts = raised.flatMap(({ asked, resources }) => (ASKED[name](asked) === ASKED[name](resources) ? [] : [ASKED[name](resources)]));
    return [...countBy(texts)].map(([value, jobs]) => ({ name, value, from: 'retry' as const, path: null, jobs }));
  });
}

function countBy<T>(values: readonly T[]): ReadonlyMap<T, number> {
  const counts = new Map<T, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return counts;
}
