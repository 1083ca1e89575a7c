// Edits by hand: each makes a new version whose parents are the old ones, with a note. Merge, running update, filled gaps, extended payloads.
import { CafError, type Problem } from '../domain/errors.ts';
import { formatIov, type Iov, type Run } from '../domain/iov.ts';
import type { ChainLock, ChainMember } from '../worker/contract.ts';
import { type MaterialSegment, type OpenChain, openChain } from './chain.ts';
import { type Change, diffSegments } from './diff.ts';
import { extendLast, fillGaps } from './fill-gaps.ts';
import { parentOf, publishSegments } from './flatten.ts';
import { knownName } from './known-name.ts';
import { describeProblem, planRunningUpdate, type UpdateMode, type UpdateOperation } from './running-update.ts';
import { checkUsable } from './state.ts';
import type { ParentInput, PublishedVersion } from './types.ts';

export interface EditOptions {
  /** The directory to make; ignored by a dry run. */
  readonly directory: string;
  /** Why. Mandatory unless it is a dry run. */
  readonly note: string;
  /** user@host */
  readonly actor: string;
  /** RFC 3339, UTC. */
  readonly at: string;
  readonly dryRun?: boolean;
}

export interface EditReport {
  readonly v: 1;
  /** Against the database that was edited. */
  readonly changes: readonly Change[];
  /** Null for a dry run. */
  readonly published: PublishedVersion | null;
}

/** Members of a chain in the roles they have for the new version. */
export type Source = { readonly member: ChainMember; readonly role: ParentInput['role'] };

/** CAF_USAGE: an edit by hand says why. */
export function checkNote(what: string, { note, dryRun }: EditOptions): void {
  if (note.trim() === '' && dryRun !== true) {
    throw new CafError('CAF_USAGE', `${what} makes a new version by hand and needs a note that says why`, { hint: 'Add: --note "..."' });
  }
}

/** Publishes edited segments of the sources, or only says what they change against `before`. */
export async function publishEdit(
  chain: OpenChain,
  sources: readonly Source[],
  edit: { readonly before: readonly MaterialSegment[]; readonly after: readonly MaterialSegment[]; readonly what: string },
  options: EditOptions,
): Promise<EditReport> {
  const changes = diffSegments(edit.before, edit.after);
  if (options.dryRun === true) return { v: 1, changes, published: null };
  const published = await publishSegments(chain, edit.after, {
    directory: options.directory,
    parents: sources.map(({ member, role }) => parentOf(member, role, options.directory)),
    message: `${options.note.trim()} [${edit.what} by ${options.actor} at ${options.at}]`,
    producedBy: null,
  });
  return { v: 1, changes, published };
}

const lockOf = (sources: readonly Source[]): ChainLock => ({ v: 1, databases: sources.map(({ member }) => member) });

async function editOne(
  member: ChainMember,
  what: string,
  options: EditOptions,
  change: (segments: readonly MaterialSegment[]) => readonly MaterialSegment[],
): Promise<EditReport> {
  checkNote(what, options);
  const sources: readonly Source[] = [{ member, role: 'base' }];
  const chain = openChain(lockOf(sources));
  try {
    const before = chain.materialise();
    return await publishEdit(chain, sources, { before, after: change(before), what }, options);
  } finally {
    chain.close();
  }
}

/** `caf db fill-gaps`. CAF_DB_NOT_FOUND when the database has no payload of this name. */
export const fillGapsOf = (
  member: ChainMember,
  how: { readonly openLast: boolean; readonly name?: string },
  options: EditOptions,
): Promise<EditReport> =>
  editOne(member, 'caf db fill-gaps', options, (segments) => {
    if (how.name !== undefined) knownName(how.name, [...new Set(segments.map(({ name }) => name))], member.path);
    return fillGaps(segments, how);
  });

/** `caf db extend`. CAF_DB_NOT_FOUND when the database has no payload of this name. */
export const extendPayload = (member: ChainMember, name: string, iov: Iov, options: EditOptions): Promise<EditReport> =>
  editOne(member, 'caf db extend', options, (segments) => {
    const extended = extendLast(segments, name, iov);
    if (extended !== null) return extended;
    const names = [...new Set(segments.map((segment) => segment.name))];
    throw new CafError('CAF_DB_NOT_FOUND', `${member.path} has no payload ${name}; it has ${names.join(', ') || 'none'}`, {
      hint: 'See its intervals with: caf db show',
    });
  });

export interface UpdateReport extends EditReport {
  readonly operations: readonly UpdateOperation[];
  /** The state of staging, when it is not yet validated: then only a dry run is possible. */
  readonly warning: string | null;
}

/** `caf db running-update`. CAF_DB_UPDATE with every precondition that does not hold; CAF_DB_STATE unless staging is validated. */
export async function updateRunning(
  running: ChainMember,
  staging: ChainMember,
  how: { readonly firstRun: Run; readonly mode: UpdateMode },
  options: EditOptions,
): Promise<UpdateReport> {
  checkNote('caf db running-update', options);
  const sources: readonly Source[] = [
    { member: running, role: 'base' },
    { member: staging, role: 'merge' },
  ];
  const chain = openChain(lockOf(sources));
  try {
    const warning = checkStagingState(chain, options);
    const before = segmentsOfMember(chain, 0);
    const plan = planRunningUpdate(before, entriesOfMember(chain, 1), how.firstRun, how.mode);
    if (plan.problems.length > 0) {
      const problems = plan.problems.map((problem): Problem => {
        const member = problem.of === 'running' ? running : staging;
        return { path: `${member.path}: ${problem.name} ${formatIov(problem.iov)}`, message: problem.problem };
      });
      const [first] = plan.problems;
      throw new CafError(
        'CAF_DB_UPDATE',
        `${staging.label} cannot update ${running.label} from run ${how.firstRun.join(',')} on (${how.mode}): ${plan.problems.length} problem${plan.problems.length === 1 ? '' : 's'}${first === undefined ? '' : `; the first: ${describeProblem(first)}`}`,
        { problems, hint: 'Correct the staging database, or choose another --run or mode (caf db running-update --help).' },
      );
    }
    const report = await publishEdit(chain, sources, { before, after: plan.segments, what: 'caf db running-update' }, options);
    return { ...report, operations: plan.operations, warning };
  } finally {
    chain.close();
  }
}

/** Who puts constants before running reconstruction has looked at them. */
function checkStagingState(chain: OpenChain, { dryRun }: EditOptions): string | null {
  const { directory, state } = chain.database(1);
  try {
    checkUsable(directory, state, ['validated', 'published']);
    return null;
  } catch (error) {
    if (dryRun === true && error instanceof CafError && state !== 'invalid') return error.message;
    throw error;
  }
}

/** The view of one member of a chain, as if it were alone. */
const segmentsOfMember = (chain: OpenChain, member: number): readonly MaterialSegment[] =>
  chain
    .database(member)
    .names()
    .flatMap((name) => {
      const view = chain.database(member).view(name);
      return (view?.payloads ?? []).map((payload, at): MaterialSegment => {
        const [lo, hi, seq] = [view?.lo[at] ?? 0, view?.hi[at] ?? 0, view?.seqs[at] ?? 0];
        return { name, lo, hi, payload, member, seq };
      });
    });

/** The entries of one member as they were committed, overlaps and all. */
const entriesOfMember = (chain: OpenChain, member: number): readonly MaterialSegment[] =>
  chain
    .database(member)
    .entries()
    .map(({ payload, lo, hi, seq }) => ({ name: payload.name, lo, hi, payload, member, seq }));
