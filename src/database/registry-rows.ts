// The registry's tables in caf.db: versions, refs and reflog. No transactions here: who writes opens and commits them.
import { lazyStatements, type Sqlite } from './journal-open.ts';
import { currentRefs, type RefChange, type RefKind } from './refs-file.ts';
import type { VersionRecord } from './scan.ts';

export interface RegistryRows {
  putVersion(version: VersionRecord): void;
  setState(versionId: string, state: string): void;
  version(versionId: string): VersionRecord | null;
  versions(): readonly VersionRecord[];
  ref(name: string): { readonly name: string; readonly kind: RefKind; readonly versionId: string } | null;
  /** Moves or removes a ref and writes the reflog; the caller has compared. */
  change(change: Omit<RefChange, 'seq' | 'directory'>): void;
  lastChangeOf(ref: string): { readonly old: string | null } | null;
  /** The branch of a calibration that was changed last: `pedestals`, or `pedestals~2` after a retry. */
  newestBranch(calibration: string): string | null;
  /** Largest seq; 0 for none. */
  lastSeq(): number;
  changesAfter(seq: number): readonly RefChange[];
  /** Rows as these lines tell. */
  replaceRefs(changes: readonly RefChange[]): void;
  replaceVersions(versions: readonly VersionRecord[]): void;
}

const VERSION_COLUMNS =
  'version_id AS versionId, content_id AS contentId, view_id AS viewId, dir AS directory, state, calibration, iteration, created_at AS createdAt';

export function createRegistryRows(db: Sqlite): RegistryRows {
  const lazily = lazyStatements(db);
  const putVersion = lazily(
    `INSERT INTO version(version_id, content_id, view_id, dir, state, calibration, iteration, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET dir = excluded.dir, state = excluded.state, calibration = excluded.calibration, iteration = excluded.iteration`,
  );
  const setState = lazily('UPDATE version SET state = ? WHERE version_id = ?');
  const version = lazily(`SELECT ${VERSION_COLUMNS} FROM version WHERE version_id = ?`);
  const versions = lazily(`SELECT ${VERSION_COLUMNS} FROM version ORDER BY calibration, iteration, dir`);
  const ref = lazily('SELECT name, kind, version_id AS versionId FROM ref WHERE name = ?');
  const putRef = lazily(
    'INSERT INTO ref(name, kind, version_id) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET kind = excluded.kind, version_id = excluded.version_id',
  );
  const dropRef = lazily('DELETE FROM ref WHERE name = ?');
  const log = lazily('INSERT INTO reflog(seq, ref, kind, old, new, at, actor, reason) VALUES (?, ?, ?, ?, ?, ?, ?, ?)');
  const lastSeq = lazily('SELECT coalesce(max(seq), 0) AS seq FROM reflog');
  const lastChange = lazily('SELECT old FROM reflog WHERE ref = ? ORDER BY seq DESC LIMIT 1');
  const newestBranch = lazily(
    "SELECT ref FROM reflog JOIN ref ON ref.name = reflog.ref WHERE ref.kind = 'branch' AND (ref = @name OR ref GLOB @name || '~[0-9]*') ORDER BY seq DESC LIMIT 1",
  );
  const changesAfter = lazily(
    `SELECT seq, ref, kind, old, new, at, actor, reason, (SELECT dir FROM version WHERE version_id = reflog.new) AS directory
     FROM reflog WHERE seq > ? ORDER BY seq`,
  );
  const nextSeq = (): number => (lastSeq().get() as { readonly seq: number }).seq + 1;

  return {
    putVersion({ versionId, contentId, viewId, directory, state, calibration, iteration, createdAt }) {
      putVersion().run(versionId, contentId, viewId, directory, state, calibration, iteration, createdAt);
    },
    setState: (versionId, state) => void setState().run(state, versionId),
    version: (versionId) => (version().get(versionId) as VersionRecord | undefined) ?? null,
    versions: () => versions().all() as VersionRecord[],
    ref: (name) => (ref().get(name) as ReturnType<RegistryRows['ref']>) ?? null,
    change({ ref: name, kind, old, new: versionId, at, actor, reason }) {
      if (versionId === null) dropRef().run(name);
      else putRef().run(name, kind, versionId);
      log().run(nextSeq(), name, kind, old, versionId, at, actor, reason);
    },
    lastChangeOf: (name) => (lastChange().get(name) as { readonly old: string | null } | undefined) ?? null,
    newestBranch: (name) => (newestBranch().get({ name }) as { readonly ref: string } | undefined)?.ref ?? null,
    lastSeq: () => nextSeq() - 1,
    changesAfter: (seq) => changesAfter().all(seq) as RefChange[],
    replaceRefs(changes) {
      db.exec('DELETE FROM ref; DELETE FROM reflog;');
      for (const { seq, ref: name, kind, old, new: to, at, actor, reason } of changes)
        log().run(seq, name, kind, old, to, at, actor, reason);
      for (const { name, kind, versionId } of currentRefs(changes).values()) putRef().run(name, kind, versionId);
    },
    replaceVersions(all) {
      db.exec('DELETE FROM version;');
      for (const one of all) this.putVersion(one);
    },
  };
}
