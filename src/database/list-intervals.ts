// `caf db iovs` and `view`: the entries of one database with where each answers, and the resolved intervals of a chain by their source.
import { type Iov, iovToKeys, type KeyRange, keysToIov, type Run, runKey } from '../domain/iov.ts';
import type { MadeBy } from '../domain/payload.ts';
import type { ChainLock } from '../worker/contract.ts';
import { madeByOf, openChain } from './chain.ts';
import { paintEntries } from './content.ts';
import { knownName } from './known-name.ts';
import { type LocalDatabase, openDatabase } from './open.ts';

export interface ListedEntry {
  /** From 1, in commit order; larger wins. */
  readonly seq: number;
  readonly name: string;
  /** As it was committed. */
  readonly iov: Iov;
  /** Where it answers: what later entries of this name have left of `iov`; empty for one that is hidden altogether. */
  readonly answers: readonly Iov[];
  readonly revision: string;
  readonly sha256: string;
  readonly size: number;
  readonly madeBy: MadeBy | null;
}

/** Which entries are listed: those for which all of it holds. */
export interface EntryFilter {
  readonly name?: string;
  /** Its interval holds this run. */
  readonly run?: Run;
  /** Its interval and this one have a run in common. */
  readonly range?: Iov;
  /** True: only entries that later ones hide altogether. */
  readonly shadowed?: boolean;
}

/** caf db iovs: in commit order. CAF_DB_NOT_FOUND for a name that the database does not have. */
export function listEntries(path: string, filter: EntryFilter = {}): { readonly v: 1; readonly entries: readonly ListedEntry[] } {
  const database = openDatabase(path);
  try {
    const names = filter.name === undefined ? database.names() : [knownName(filter.name, database.names(), database.directory)];
    const transactions = database.transactions();
    const entries = names.flatMap((name) => {
      const answers = answersOf(database, name);
      return database.entries(name).map(({ seq, payload, lo, hi, transaction }, at): ListedEntry & { readonly keys: KeyRange } => ({
        seq,
        name,
        iov: keysToIov(lo, hi),
        answers: answers[at] ?? [],
        revision: payload.revision,
        sha256: payload.sha256,
        size: payload.size,
        madeBy: madeByOf(transactions[transaction]),
        keys: [lo, hi],
      }));
    });
    const listed = entries.filter((entry) => isListed(entry, filter)).sort((a, b) => a.seq - b.seq);
    return { v: 1, entries: listed.map(({ keys: _, ...entry }) => entry) };
  } finally {
    database.close();
  }
}

function isListed({ keys: [lo, hi], answers }: ListedEntry & { readonly keys: KeyRange }, { run, range, shadowed }: EntryFilter): boolean {
  if (run !== undefined && (runKey(run) < lo || runKey(run) > hi)) return false;
  if (range !== undefined) {
    const [first, last] = iovToKeys(range);
    if (hi < first || lo > last) return false;
  }
  return shadowed !== true || answers.length === 0;
}

/** Of each entry of a name, in commit order, the intervals on which it wins. */
function answersOf(database: LocalDatabase, name: string): readonly (readonly Iov[])[] {
  const entries = database.entries(name);
  const answers = entries.map((): Iov[] => []);
  const parts = paintEntries(entries);
  for (let part = 0; part < parts.length; part++) {
    answers[parts.winner[part] ?? 0]?.push(keysToIov(parts.lo[part] ?? 0, parts.hi[part] ?? 0));
  }
  return answers;
}

/** One resolved interval of a chain, and who answers there. */
export interface ViewSegment {
  readonly name: string;
  readonly iov: Iov;
  readonly sha256: string;
  readonly revision: string;
  /** Label of the database. */
  readonly from: string;
}

/** The intervals on which one database of a chain is the one that answers. */
export interface ViewSource {
  readonly label: string;
  readonly path: string;
  readonly versionId: string | null;
  /** Empty when the databases above it answer everywhere. */
  readonly segments: readonly Omit<ViewSegment, 'from'>[];
}

export interface ChainView {
  readonly v: 1;
  /** By name, then start. */
  readonly segments: readonly ViewSegment[];
  /** The same by database, highest priority first. */
  readonly sources: readonly ViewSource[];
}

/** caf db view, caf db flatten --dry-run: the view of a chain, clipped to a range. */
export function viewChain(lock: ChainLock, range?: Iov): ChainView {
  const chain = openChain(lock);
  try {
    const found = chain.materialise(range).map(({ name, lo, hi, payload, member }) => ({
      member,
      segment: { name, iov: keysToIov(lo, hi), sha256: payload.sha256, revision: payload.revision },
    }));
    const bySource = Map.groupBy(found, ({ member }) => member);
    return {
      v: 1,
      segments: found.map(({ member, segment }) => ({ ...segment, from: lock.databases[member]?.label ?? '' })),
      sources: lock.databases.map(({ label, path, versionId }, member) => ({
        label,
        path,
        versionId,
        segments: (bySource.get(member) ?? []).map(({ segment }) => segment),
      })),
    };
  } finally {
    chain.close();
  }
}
