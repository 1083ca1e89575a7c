// What each job of a collection asks for and needs of the site: the same for all, or what functions of the user say of it.
import type { Answer, CollectionSpec, JobSite, JobToSize, Resources } from '../domain/calibration.ts';
import type { Problem } from '../domain/errors.ts';
import { argumentsOfJob, filesOfJob } from '../plan/split.ts';
import type { PlannedCollection } from './campaign-plan.ts';
import type { ResolvedFile } from './resolve-files.ts';

export const resourcesOfJob = ({ spec, resources }: PlannedCollection, job: number): Resources => resources?.[job] ?? spec.resources;

export interface AskedOfJobs {
  /** By job; null = all the same. */
  readonly resources: readonly Resources[] | null;
  readonly sites: readonly JobSite[] | null;
}

/** Of one function: what is wrong about one job is wrong about thousands. */
const MAX_PROBLEMS = 5;

/** Asks the user's functions about each job, once. */
export function askOfJobs(
  spec: CollectionSpec,
  files: readonly ResolvedFile[],
  jobs: number,
): AskedOfJobs & { readonly problems: readonly Problem[] } {
  if (spec.resourcesOf === null && spec.siteOf === null) return { resources: null, sites: null, problems: [] };
  // With `split: { arguments }` every job has all files.
  const describeFiles = lastKept((own: readonly ResolvedFile[]) => ({
    files: own.map(({ absolute }) => absolute),
    bytes: own.reduce((sum, { size }) => sum + (size ?? 0), 0),
  }));
  const toSize = Array.from({ length: jobs }, (_, job) => ({
    job,
    ...describeFiles(filesOfJob(spec.split, files, job)),
    arguments: argumentsOfJob(spec.split, job),
  }));
  const resources = askEach(spec.resourcesOf, toSize);
  const sites = askEach(spec.siteOf, toSize);
  return { resources: resources.values, sites: sites.values, problems: [...resources.problems, ...sites.problems] };
}

function askEach<T>(ask: ((job: JobToSize) => Answer<T>) | null, jobs: readonly JobToSize[]) {
  if (ask === null) return { values: null, problems: [] };
  const values: T[] = [];
  const problems: Problem[] = [];
  for (const job of jobs) {
    const { value, problems: wrong } = ask(job);
    problems.push(...wrong);
    if (value !== null) values.push(value);
    if (problems.length >= MAX_PROBLEMS) break;
  }
  return { values, problems };
}

function lastKept<From extends object, To>(make: (from: From) => To): (from: From) => To {
  let kept: { readonly from: From; readonly to: To } | null = null;
  return (from) => {
    if (kept?.from !== from) kept = { from, to: make(from) };
    return kept.to;
  };
}
