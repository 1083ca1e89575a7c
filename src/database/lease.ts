// The lease on a results directory: who writes the journal, whether it is still alive, and that who lost it writes no more.
import { randomUUID } from 'node:crypto';
import { CafError } from '../domain/errors.ts';
import type { ProcessIdentity } from '../domain/job.ts';
import { ownIdentity, processLife } from '../host/process-identity.ts';
import type { Sqlite, Statement } from './journal-open.ts';
import type { OwnerRecord } from './journal-records.ts';

export const BEAT_INTERVAL_MS = 10_000;
const STALE_AFTER_MS = 5 * 60_000;

export interface LeaseOptions {
  readonly directory: string;
  /** What to tell others: `caf run`. */
  readonly command: string;
  readonly now: () => Date;
  readonly env: NodeJS.ProcessEnv;
  readonly identity: ProcessIdentity;
}

export interface Lease {
  readonly token: string;
  /** Throws CAF_LEASE_LOST when it is somebody else's by now. To be called inside the transaction that it guards. */
  check(): void;
  /** A sign of life; also inside a transaction. */
  beat(): void;
  recordInvocation(invocation: number): void;
  release(): void;
}

/** Whether the owner is alive, as far as this machine can tell: on another host by the age of its last beat. */
export function isOwnerAlive(owner: OwnerRecord, now: Date, env: NodeJS.ProcessEnv = process.env): boolean {
  const life = processLife(owner);
  if (life !== 'unknown') return life === 'alive';
  // A beat from the future counts by its distance too: else a wrong clock would lock a directory for years.
  return Math.abs(now.getTime() - Date.parse(owner.beatAt)) <= staleAfterMs(env);
}

function staleAfterMs(env: NodeJS.ProcessEnv): number {
  const given = Number(env.CAF_LEASE_STALE_MS);
  return env.CAF_LEASE_STALE_MS !== undefined && Number.isFinite(given) && given >= 0 ? given : STALE_AFTER_MS;
}

const SELECT_OWNER =
  'SELECT token, host, boot_id AS bootId, pid, start_ticks AS startTicks, beat, beat_at AS beatAt, command, acquired_at AS acquiredAt, invocation FROM owner';

export const readOwner = (db: Sqlite): OwnerRecord | null => (db.prepare(SELECT_OWNER).get() as OwnerRecord | undefined) ?? null;

/** One transaction: nobody can come between the look and the taking. Throws CAF_RESULTS_LOCKED. */
export function acquireLease(db: Sqlite, options: LeaseOptions): Lease {
  const { identity, now } = options;
  const token = randomUUID();
  db.transaction(() => {
    const owner = readOwner(db);
    if (owner !== null && isOwnerAlive(owner, now(), options.env)) throw lockedError(options.directory, owner, now());
    const at = now().toISOString();
    db.prepare(
      `INSERT OR REPLACE INTO owner(id, token, host, boot_id, pid, start_ticks, beat, beat_at, command, acquired_at)
         VALUES (1, ?, ?, ?, ?, ?, 0, ?, ?, ?)`,
    ).run(token, identity.host, identity.bootId, identity.pid, identity.startTicks, at, options.command, at);
  }).exclusive();
  return createLease(db, token, options);
}

function createLease(db: Sqlite, token: string, { directory, identity, now }: LeaseOptions): Lease {
  const select: Statement = db.prepare('SELECT 1 FROM owner WHERE token = ?');
  const beat: Statement = db.prepare('UPDATE owner SET beat = beat + 1, beat_at = ? WHERE token = ?');
  const lost = () => {
    const owner = readOwner(db);
    const by =
      owner === null
        ? 'Another caf took it over, and has ended since'
        : `${owner.host} pid ${owner.pid} (${owner.command}) took it over at ${owner.acquiredAt}`;
    return new CafError('CAF_LEASE_LOST', `${directory} is not this process's (${identity.host} pid ${identity.pid}) any more. ${by}`, {
      hint: 'Nothing more was written from here. See what goes on with: caf status',
    });
  };
  return {
    token,
    check() {
      if (select.get(token) === undefined) throw lost();
    },
    beat() {
      if (beat.run(now().toISOString(), token).changes === 0) throw lost();
    },
    recordInvocation(invocation) {
      db.prepare('UPDATE owner SET invocation = ? WHERE token = ?').run(invocation, token);
    },
    release() {
      db.prepare('DELETE FROM owner WHERE token = ?').run(token);
    },
  };
}

/** CAF_RESULTS_LOCKED: who has it, since when, and what can be done. */
export function lockedError(directory: string, owner: OwnerRecord, now: Date): CafError {
  const sameHost = owner.host === ownIdentity().host;
  const process = `${owner.host} pid ${owner.pid} (${owner.command})`;
  const started = `started ${ageText(now, owner.acquiredAt)} ago`;
  return new CafError(
    'CAF_RESULTS_LOCKED',
    `${directory} is in use by ${process}, ${started}, last sign of life ${ageText(now, owner.beatAt)} ago`,
    {
      hint: `Wait for it (caf status --watch), end it (caf cancel), or choose another directory with --output.${
        sameHost ? '' : ` If ${owner.host} is down, it is taken over ${STALE_AFTER_MS / 60_000} minutes after the last sign of life.`
      }`,
    },
  );
}

/** `26 min`; never negative, whatever the clocks did. */
function ageText(now: Date, then: string): string {
  const seconds = Math.max(0, Math.round((now.getTime() - Date.parse(then)) / 1000));
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86_400)} days`;
}
