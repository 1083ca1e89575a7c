// Names for versions: tags stay, branches move; who, when and why is kept. What `caf db tag`, `branch`, `ls` and `reflog` do.
import { CafError } from '../domain/errors.ts';
import { checkRefName, directoryOfRef } from './find-ref.ts';
import { readRefChanges } from './refs.ts';
import { currentRefs, type RefChange, type RefKind } from './refs-file.ts';
import { openRegistry, type RegistryOptions } from './registry.ts';
import { scanDatabases, type VersionRecord } from './scan.ts';
import { stateOf } from './state.ts';

export interface NameRequest extends RegistryOptions {
  readonly name: string;
  readonly kind: RefKind;
  /** Directory of the database it shall stand for; null removes the name. */
  readonly target: string | null;
  readonly note: string;
  readonly actor: string;
  readonly dryRun?: boolean;
}

export interface NamedVersion {
  readonly v: 1;
  readonly name: string;
  readonly kind: RefKind;
  readonly old: string | null;
  readonly new: string | null;
  readonly dryRun: boolean;
}

/**
 * Makes, moves or removes a tag or branch. What the name stands for is read before the lease is taken: of two who move it at once,
 * one wins and the other is told (CAF_DB_REF_MOVED). CAF_DB_REF, CAF_RESULTS_LOCKED while a campaign runs, CAF_USAGE without a note.
 */
export async function nameVersion(results: string, request: NameRequest): Promise<NamedVersion> {
  const { name, kind, target, note, actor, dryRun = false, now = () => new Date() } = request;
  const expected = currentRefs(readRefChanges(results)).get(name)?.versionId ?? null;
  if (target !== null && expected === null) checkRefName(name);
  const isNewTag = kind === 'tag' && target !== null && expected === null;
  if (note === '' && !isNewTag) {
    throw new CafError('CAF_USAGE', `${target === null ? 'Removing' : 'Moving'} the ${kind} ${name} needs a note that says why`, {
      hint: 'Add: --note "..."',
    });
  }
  const registry = await openRegistry(results, request);
  try {
    const to = target === null ? null : registry.register(target).versionId;
    const move = { name, kind, to, expected, at: now().toISOString(), actor, reason: note };
    if (dryRun) registry.check(move);
    else registry.move([move]);
    return { v: 1, name, kind, old: expected, new: to, dryRun };
  } finally {
    registry.close();
  }
}

export interface ListedRef {
  readonly name: string;
  readonly kind: RefKind;
  readonly versionId: string;
  readonly state: string;
  readonly at: string;
  /** Absolute; null when its database is gone. */
  readonly directory: string | null;
}

export interface Listing {
  readonly v: 1;
  readonly results: string;
  readonly refs: readonly ListedRef[];
  /** All databases of the results directory; only when asked. */
  readonly versions: readonly VersionRecord[] | null;
  /** Databases that cannot be read. */
  readonly problems: readonly { readonly directory: string; readonly message: string }[];
}

/** Branches and tags as caf.refs tells, each with the state of its database now; `all`: every database found. Needs no lease. */
export function listNames(results: string, all: boolean): Listing {
  const refs = [...currentRefs(readRefChanges(results)).values()].map((ref): ListedRef => {
    const { name, kind, versionId, at } = ref;
    try {
      const directory = directoryOfRef(results, ref);
      return { name, kind, versionId, at, directory, state: stateOf(directory) };
    } catch (error) {
      if (!(error instanceof CafError)) throw error;
      return { name, kind, versionId, at, directory: null, state: error.code === 'CAF_DB_MISSING' ? 'missing' : 'unreadable' };
    }
  });
  const scan = all ? scanDatabases(results) : null;
  return { v: 1, results, refs, versions: scan?.versions ?? null, problems: scan?.problems ?? [] };
}

/** Changes of one name or of all, newest first. CAF_DB_REF for a name that never was. */
export function reflogOf(results: string, name: string | null): readonly RefChange[] {
  const changes = readRefChanges(results).filter(({ ref }) => name === null || ref === name);
  if (name !== null && changes.length === 0) {
    throw new CafError('CAF_DB_REF', `There never was a tag or branch ${name} in ${results}`, { hint: 'See the names with: caf db ls' });
  }
  return [...changes].reverse();
}
