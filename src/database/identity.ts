// The three identities of a database: what was committed, what it answers, and the event that made it. SHA-256 over UTF-8 text.
import { createHash } from 'node:crypto';
import { formatIov, type Iov, keysToIov } from '../domain/iov.ts';
import { canonicalJson } from '../payloads/codec.ts';
import type { ChainLock } from '../worker/contract.ts';
import type { EntryInput, ParentInput, TransactionInput } from './types.ts';

const GROUP_CHARACTERS = 1 << 18;

/** Same commits, order included: one line per entry, `name sha256 e,r,e,r`. */
export function contentIdOf(entries: readonly EntryInput[]): string {
  const hash = createLineHash();
  for (const { payload, iov } of entries) hash.add(identityLine(payload.name, payload.sha256, iov));
  return hash.digest();
}

export interface IdentitySegment {
  readonly name: string;
  readonly sha256: string;
  readonly lo: number;
  readonly hi: number;
}

/**
 * Same answers, however it was built. The segments are disjoint and sorted by name (code units), then start; those that touch
 * and carry the same bytes are joined here, so that it does not matter which database of a chain they come from.
 */
export function viewIdOf(segments: Iterable<IdentitySegment>): string {
  const hash = createLineHash();
  let open: { name: string; sha256: string; lo: number; hi: number } | null = null;
  for (const { name, sha256, lo, hi } of segments) {
    if (open !== null && open.name === name && open.sha256 === sha256 && open.hi === lo - 1) {
      open.hi = hi;
      continue;
    }
    if (open !== null) hash.add(identityLine(open.name, open.sha256, keysToIov(open.lo, open.hi)));
    open = { name, sha256, lo, hi };
  }
  if (open !== null) hash.add(identityLine(open.name, open.sha256, keysToIov(open.lo, open.hi)));
  return hash.digest();
}

/** The event "these entries were made by these, on top of those": it fixes all its ancestors (Merkle). */
export function versionIdOf(version: {
  readonly contentId: string;
  readonly parents: readonly ParentInput[];
  readonly transactions: readonly TransactionInput[];
  readonly chainDigest: string | null;
}): string {
  return sha256Of(
    canonicalJson({
      content: version.contentId,
      parents: version.parents.map(({ role, versionId }) => [role, versionId]),
      provenance: { chain: version.chainDigest, transactions: version.transactions.map(provenanceOf) },
    }),
  );
}

/** Which databases a chain consists of, wherever they lie and however they are called. */
export const chainDigestOf = (lock: ChainLock): string =>
  sha256Of(canonicalJson(lock.databases.map(({ versionId, contentId, viewId }) => ({ versionId, contentId, viewId }))));

export const sha256Of = (data: string | Uint8Array): string => createHash('sha256').update(data).digest('hex');

export const compareNames = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

const identityLine = (name: string, sha256: string, iov: Iov): string => `${name} ${sha256} ${formatIov(iov)}\n`;

/** Exactly the agreed fields: what else an object carries does not count. */
const provenanceOf = (transaction: TransactionInput): TransactionInput => ({
  at: transaction.at,
  actor: transaction.actor,
  calibration: transaction.calibration,
  algorithm: transaction.algorithm,
  iteration: transaction.iteration,
  attempt: transaction.attempt,
  collectorJob: transaction.collectorJob,
  inputsDigest: transaction.inputsDigest,
  codeDigest: transaction.codeDigest,
  configDigest: transaction.configDigest,
  message: transaction.message,
});

/** Lines are hashed in groups: a call per line costs more than its hash, and a million of them must never make one string. */
function createLineHash(): { add(line: string): void; digest(): string } {
  const hash = createHash('sha256');
  let group = '';
  return {
    add(line) {
      group += line;
      if (group.length < GROUP_CHARACTERS) return;
      hash.update(group);
      group = '';
    },
    digest: () => hash.update(group).digest('hex'),
  };
}
