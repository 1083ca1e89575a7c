// Changes of the registry by the one writer of a results directory: versions, branches that follow their calibration, names set by hand.
import { CafError } from '../domain/errors.ts';
import type { Sqlite } from './journal-open.ts';
import { appendRefChanges, type RefChange, type RefKind, readRefLines } from './refs-file.ts';
import { createRegistryRows, type RegistryRows } from './registry-rows.ts';
import type { VersionRecord } from './scan.ts';

export interface RefMove {
  readonly name: string;
  readonly kind: RefKind;
  /** Null removes the name. */
  readonly to: string | null;
  /** What the name must stand for now (null: nothing), else it was moved by somebody else: CAF_DB_REF_MOVED. */
  readonly expected: string | null;
  readonly at: string;
  readonly actor: string;
  readonly reason: string;
}

export interface RegistryWriter {
  readonly rows: RegistryRows;
  /** Inside a transaction: a version was published; the branch of its calibration goes there. `parent`: the iteration below it. */
  committed(version: VersionRecord, parent: string | null, by: Pick<RefMove, 'at' | 'actor'>): void;
  /** Inside a transaction. CAF_DB_REF, CAF_DB_REF_MOVED. */
  move(move: RefMove): void;
  check(move: RefMove): void;
  /** After the commit: writes what is new to caf.refs, durably. */
  mirror(): void;
}

export function createRegistryWriter(db: Sqlite, results: string): RegistryWriter {
  const rows = createRegistryRows(db);
  /** How much of the reflog caf.refs has; null before the first look. */
  let written: number | null = null;
  /** caf.refs is the truth: where it knows more than the tables (an older caf.db was put back), the tables follow. */
  const reconcile = (): number => {
    if (written !== null) return written;
    const changes = readRefLines(results);
    if (changes.length > rows.lastSeq()) rows.replaceRefs(changes);
    written = changes.length;
    return written;
  };
  const change = (entry: Omit<RefChange, 'seq' | 'directory'>): void => {
    reconcile();
    rows.change(entry);
  };
  const advance = (name: string, old: string | null, to: string, by: Pick<RefMove, 'at' | 'actor'>, reason: string): void =>
    change({ ref: name, kind: 'branch', old, new: to, ...by, reason });

  return {
    rows,
    committed(version, parent, by) {
      reconcile();
      rows.putVersion(version);
      const { calibration, iteration, versionId } = version;
      if (calibration === null) return;
      const branch = rows.newestBranch(calibration);
      const tip = branch === null ? null : (rows.ref(branch)?.versionId ?? null);
      if (tip === versionId) return;
      const what = iteration === null ? 'result' : `iteration ${iteration}`;
      if (branch !== null && tip !== null && continues(rows, branch, tip, parent)) advance(branch, tip, versionId, by, what);
      else {
        const name = freeBranch(rows, calibration);
        const from = branch === null ? '' : `; ${branch} is kept`;
        if (parent !== null) advance(name, null, parent, by, `${what} is done again on top of this one${from}`);
        advance(name, parent, versionId, by, parent === null ? `${what}${from}` : what);
      }
    },
    move({ name, kind, to, expected, at, actor, reason }) {
      reconcile();
      const now = rows.ref(name);
      checkMove(name, kind, now, to, expected);
      if ((now?.versionId ?? null) !== to) change({ ref: name, kind, old: now?.versionId ?? null, new: to, at, actor, reason });
    },
    check({ name, kind, to, expected }) {
      checkMove(name, kind, rows.ref(name), to, expected);
    },
    mirror() {
      const have = reconcile();
      const changes = rows.changesAfter(have);
      // A write that fails may have left the first of them: then it is looked at again.
      written = null;
      appendRefChanges(results, changes);
      written = have + changes.length;
    },
  };
}

/** The tip is the iteration below, or the result that was made of it. */
function continues(rows: RegistryRows, branch: string, tip: string, parent: string | null): boolean {
  if (parent === null) return false;
  return tip === parent || (rows.version(tip)?.iteration === null && rows.lastChangeOf(branch)?.old === parent);
}

/** `pedestals`, then `pedestals~2`, `pedestals~3`, ... */
function freeBranch(rows: RegistryRows, calibration: string): string {
  let name = calibration;
  for (let number = 2; rows.ref(name) !== null; number += 1) name = `${calibration}~${number}`;
  return name;
}

function checkMove(name: string, kind: RefKind, now: ReturnType<RegistryRows['ref']>, to: string | null, expected: string | null): void {
  if (now !== null && now.kind !== kind) {
    throw new CafError('CAF_DB_REF', `${name} is a ${now.kind}, not a ${kind}`, { hint: `Choose another name for the ${kind}.` });
  }
  if (now === null && to === null)
    throw new CafError('CAF_DB_REF', `There is no ${kind} ${name}`, { hint: 'See the names with: caf db ls' });
  const is = now?.versionId ?? null;
  if (kind === 'tag' && is !== null && to !== null && is !== to) {
    throw new CafError('CAF_DB_REF', `The tag ${name} exists and is fixed: it stands for version ${is.slice(0, 12)}`, {
      hint: 'Choose another name; or remove the tag first: caf db tag --delete',
    });
  }
  if (is !== expected && is !== to) {
    const says = (id: string | null): string => (id === null ? 'nothing' : `version ${id.slice(0, 12)}`);
    throw new CafError(
      'CAF_DB_REF_MOVED',
      `${name} stands for ${says(is)} by now, not for ${says(expected)}: somebody moved it meanwhile`,
      {
        hint: `See who and why: caf db reflog ${name}; then decide again.`,
      },
    );
  }
}
