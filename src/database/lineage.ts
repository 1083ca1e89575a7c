// Which versions a database was made of, and what two of them have in common: the parents in VERSION files, found wherever they lie.
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { CafError } from '../domain/errors.ts';
import type { ChainLock } from '../worker/contract.ts';
import { describeDatabase } from './chain.ts';
import { hasRefs } from './find-ref.ts';
import { parseVersionFile, VERSION_FILE } from './layout.ts';
import { openDatabase } from './open.ts';
import { findDatabaseDirectories, versionIdAt } from './scan.ts';
import type { ParentInput } from './types.ts';

/** The results directory that a database lies in; null when it stands alone. */
export function resultsOf(directory: string): string | null {
  for (let at = resolve(directory); ; at = dirname(at)) {
    if (hasRefs(at)) return at;
    if (at === dirname(at)) return null;
  }
}

/** Knows where versions lie: in the results directories of the databases it was given, and where parents say. */
export interface Lineage {
  /** Null when no database found is that version. */
  directoryOf(versionId: string): string | null;
  /** Of the roles that hand content on; from its VERSION file. None for a version that is not found. */
  parentsOf(versionId: string): readonly Pick<ParentInput, 'role' | 'versionId'>[];
  /** A version as it was when it was made: an iteration with those before it, anything else alone. Highest priority first. */
  chainOf(directory: string): ChainLock;
}

/** What a database was made of, as opposed to what it was made with (dependencies, the user's databases). */
const HANDED_ON: readonly ParentInput['role'][] = ['previous', 'merge', 'base'];

export function createLineage(directories: readonly string[]): Lineage {
  const places = new Map<string, string>();
  const learn = (directory: string): void => {
    const id = versionIdAt(directory);
    if (id !== null && !places.has(id)) places.set(id, directory);
  };
  for (const directory of directories) {
    learn(directory);
    learnLocators(directory, learn);
  }
  for (const results of new Set(directories.map(resultsOf))) if (results !== null) findDatabaseDirectories(results).forEach(learn);

  const parentsOf: Lineage['parentsOf'] = (versionId) => {
    const directory = places.get(versionId);
    if (directory === undefined) return [];
    const version = parseVersionFile(readFileSync(join(directory, VERSION_FILE), 'utf8'));
    return (version?.parents ?? []).filter(({ role }) => HANDED_ON.includes(role));
  };
  return {
    directoryOf: (versionId) => places.get(versionId) ?? null,
    parentsOf,
    chainOf(directory) {
      const own = describeDatabase(directory);
      const previous = own.versionId === null ? [] : parentsOf(own.versionId).filter(({ role }) => role === 'previous');
      const below = previous.map(({ versionId }) => {
        const found = places.get(versionId);
        if (found !== undefined) return describeDatabase(found);
        throw new CafError('CAF_DB_MISSING', `${directory} is an iteration on top of version ${versionId}, which is not found`, {
          hint: "Use the calibration's result (<calibration>/localdb), which holds all of its iterations.",
        });
      });
      return { v: 1, databases: [own, ...below] };
    },
  };
}

/** Parents of flattened databases are told by relative paths. */
function learnLocators(directory: string, learn: (directory: string) => void): void {
  if (!existsSync(join(directory, VERSION_FILE))) return;
  const database = openDatabase(directory);
  try {
    for (const { locator } of database.parents()) if (locator !== null) learn(resolve(directory, locator));
  } finally {
    database.close();
  }
}

/**
 * The nearest version both come from: one of them, or a common ancestor that is no ancestor of another common one.
 * CAF_DB_NO_BASE when there is none, or several.
 */
export function commonAncestor(lineage: Lineage, ours: string, theirs: string): string {
  const ancestors = (id: string): ReadonlySet<string> => {
    const seen = new Set([id]);
    for (const one of seen) for (const { versionId } of lineage.parentsOf(one)) seen.add(versionId);
    return seen;
  };
  const ofTheirs = ancestors(theirs);
  const common = [...ancestors(ours)].filter((id) => ofTheirs.has(id) && lineage.directoryOf(id) !== null);
  const nearest = common.filter((id) => !common.some((other) => other !== id && ancestors(other).has(id)));
  const [only] = nearest;
  if (only !== undefined && nearest.length === 1) return only;
  const short = (id: string) => id.slice(0, 12);
  throw new CafError(
    'CAF_DB_NO_BASE',
    only === undefined
      ? `${short(ours)} and ${short(theirs)} have no ancestor in common that can be found`
      : `${short(ours)} and ${short(theirs)} have ${nearest.length} nearest ancestors in common: ${nearest.map(short).join(', ')}`,
    { hint: 'Say from which database both come: --base DIR; or --base none when everything that differs is a conflict.' },
  );
}
