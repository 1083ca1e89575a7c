// `caf db merge`: two versions that come from one are joined; what both changed is decided by a strategy, a file, or nobody.
import { readFileSync } from 'node:fs';
import { CafError, type Problem } from '../domain/errors.ts';
import { checkIov, formatIov, type Iov, iovToKeys } from '../domain/iov.ts';
import type { ChainLock } from '../worker/contract.ts';
import { type MaterialSegment, openChain } from './chain.ts';
import { checkNote, type EditOptions, type EditReport, publishEdit, type Source } from './edit.ts';
import { commonAncestor, createLineage } from './lineage.ts';
import { type Conflict, type Decision, type Dispute, mergeViews } from './merge.ts';
import { findDatabase } from './open.ts';
import { createWinners, type Winners } from './segment-winners.ts';

export const MERGE_STRATEGIES = ['fail', 'ours', 'theirs', 'newest'] as const;
export type MergeStrategy = (typeof MERGE_STRATEGIES)[number];

export interface MergeRequest {
  readonly ours: string;
  readonly theirs: string;
  /** Default: the nearest ancestor they have in common. `none`: everything that differs is a conflict. */
  readonly base?: string;
  readonly strategy: MergeStrategy;
  /** Decisions, first looked at before the strategy. */
  readonly resolutions: readonly Resolution[];
}

export interface Resolution {
  readonly name: string;
  readonly iov: Iov;
  readonly take: 'ours' | 'theirs' | 'base' | 'none';
}

export interface MergeReport extends EditReport {
  /** Version id; null for none. */
  readonly base: string | null;
  readonly conflicts: readonly Conflict[];
  /** Conflicts that a resolution or the strategy decided. */
  readonly decided: number;
}

/**
 * CAF_DB_CONFLICT with every conflict nobody decided (a dry run reports them instead); CAF_DB_NO_BASE; CAF_USAGE without a note, or for
 * resolutions that decide nothing.
 */
export async function mergeDatabases(request: MergeRequest, options: EditOptions): Promise<MergeReport> {
  checkNote('caf db merge', options);
  const [ours, theirs] = [findDatabase(request.ours), findDatabase(request.theirs)];
  const lineage = createLineage([ours, theirs]);
  const locks = [lineage.chainOf(ours), lineage.chainOf(theirs)] as const;
  const base = baseOf(request, lineage, locks);
  const all: readonly ChainLock[] = base === null ? locks : [...locks, lineage.chainOf(base)];
  const sources = all.flatMap(({ databases }, side): Source[] =>
    databases.map((member) => ({ member, role: side === 2 ? 'base' : 'merge' })),
  );
  const chain = openChain({ v: 1, databases: sources.map(({ member }) => member) });
  try {
    let first = 0;
    const winners = createWinners(chain);
    const [our = [], their = [], common = []] = all.map((lock) => {
      const segments = materialiseFrom(lock, first);
      first += lock.databases.length;
      return request.strategy === 'newest' ? segments.flatMap(winners.split) : segments;
    });
    const judge = createJudge(winners.timeOf, request);
    const { segments, conflicts } = mergeViews(common, our, their, judge.decide);
    judge.checkUnused();
    if (conflicts.length > 0 && options.dryRun !== true) throw conflictError(conflicts, request);
    const decided = judge.decided();
    // A dry run shows what is undecided as it is in ours.
    const after = conflicts.length === 0 ? segments : mergeViews(common, our, their, (dispute) => judge.decide(dispute) ?? 'ours').segments;
    const edit = { before: our, after, what: 'caf db merge' };
    const report = await publishEdit(chain, onlyOnce(sources), edit, options);
    return { ...report, base: all[2]?.databases[0]?.versionId ?? null, conflicts, decided };
  } finally {
    chain.close();
  }
}

function baseOf({ base }: MergeRequest, lineage: ReturnType<typeof createLineage>, locks: readonly ChainLock[]): string | null {
  if (base === 'none') return null;
  if (base !== undefined) return findDatabase(base);
  const [ours = null, theirs = null] = locks.map((lock) => lock.databases[0]?.versionId ?? null);
  if (ours === null || theirs === null) {
    throw new CafError('CAF_DB_DRAFT', 'The draft of a running iteration cannot be merged', { hint: 'Wait until it is published.' });
  }
  return lineage.directoryOf(commonAncestor(lineage, ours, theirs));
}

/** The view of one side, its members numbered as in the chain of all. */
function materialiseFrom(lock: ChainLock, first: number): readonly MaterialSegment[] {
  const chain = openChain(lock);
  try {
    return chain.materialise().map((segment) => ({ ...segment, member: segment.member + first }));
  } finally {
    chain.close();
  }
}

/** A version that is on both sides is one parent. */
const onlyOnce = (sources: readonly Source[]): readonly Source[] =>
  sources.filter(({ member }, at) => sources.findIndex((other) => other.member.versionId === member.versionId) === at);

function createJudge(timeOf: Winners['timeOf'], { strategy, resolutions }: MergeRequest) {
  let decided = 0;
  const used = new Set<Resolution>();
  const decide = (dispute: Dispute<MaterialSegment>): Decision => {
    const resolution = resolutions.findLast(({ name, iov }) => {
      const [lo, hi] = iovToKeys(iov);
      return name === dispute.name && lo <= dispute.lo && dispute.hi <= hi;
    });
    if (resolution !== undefined) used.add(resolution);
    const decision = resolution?.take ?? (strategy === 'fail' ? null : strategy === 'newest' ? newer(timeOf, dispute) : strategy);
    if (decision !== null) decided += 1;
    return decision;
  };
  const checkUnused = (): void => {
    const unused = resolutions.filter((resolution) => !used.has(resolution));
    if (unused.length === 0) return;
    const listed = unused.map(({ name, iov }) => `${name} ${formatIov(iov)}`).join('; ');
    throw new CafError('CAF_USAGE', `${unused.length} of ${resolutions.length} resolutions decide no conflict: ${listed}`, {
      hint: 'Make the file anew: caf db merge ... --dry-run --json lists the conflicts as they are now.',
    });
  };
  return { decide, checkUnused, decided: () => decided };
}

/** By the time of the entry that wins there. An absent payload has no time: that, and equal times, decide nothing. */
function newer(timeOf: Winners['timeOf'], { ours, theirs }: Dispute<MaterialSegment>): Decision {
  const [a, b] = [timeOf(ours), timeOf(theirs)];
  if (a === null || b === null || a === b) return null;
  return a > b ? 'ours' : 'theirs';
}

function conflictError(conflicts: readonly Conflict[], { ours, theirs }: MergeRequest): CafError {
  const short = (sha256: string | null): string => (sha256 === null ? 'nothing' : sha256.slice(0, 12));
  const problems = conflicts.map((conflict): Problem => {
    const { name, iov } = conflict;
    const values = `base ${short(conflict.base)}, ours ${short(conflict.ours)}, theirs ${short(conflict.theirs)}`;
    return { path: `${name} ${formatIov(iov)}`, message: values };
  });
  return new CafError(
    'CAF_DB_CONFLICT',
    `${ours} and ${theirs} changed the same in different ways: ${conflicts.length} conflict${conflicts.length === 1 ? '' : 's'}; nothing was made`,
    {
      problems,
      hint: 'Choose --strategy ours, theirs or newest; or write decisions: --dry-run --json > merge.json, give each conflict a "take", then --resolve merge.json.',
    },
  );
}

const TAKES = ['ours', 'theirs', 'base', 'none'] as const;

/** A file as --dry-run --json writes it, with `take` added to its conflicts. CAF_USAGE with each entry that cannot be read. */
export function readResolutions(file: string): readonly Resolution[] {
  const fail = (message: string, problems: readonly Problem[] = []): never => {
    throw new CafError('CAF_USAGE', message, {
      problems,
      hint: 'A resolution is { "name", "iov": [e, r, e, r], "take": "ours" | "theirs" | "base" | "none" }; see docs/database.md.',
    });
  };
  let document: unknown;
  try {
    document = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    return fail(`${file} cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
  const list = typeof document === 'object' && document !== null && 'conflicts' in document ? document.conflicts : document;
  if (!Array.isArray(list)) return fail(`${file} has no list "conflicts"`);
  const problems: Problem[] = [];
  const resolutions = list.flatMap((item: Partial<Resolution> | null, index): Resolution[] => {
    try {
      const take = TAKES.find((one) => one === item?.take);
      if (typeof item?.name !== 'string') throw new CafError('CAF_USAGE', 'has no name');
      if (take === undefined) throw new CafError('CAF_USAGE', `${item.name} has no "take" of ${TAKES.join(', ')}`);
      return [{ name: item.name, iov: checkIov(item.iov), take }];
    } catch (error) {
      if (!(error instanceof CafError)) throw error;
      problems.push({ path: `${file}: conflicts[${index}]`, message: error.message });
      return [];
    }
  });
  return problems.length === 0 ? resolutions : fail(`${file}: ${problems.length} of ${list.length} decisions cannot be read`, problems);
}
