// The three identities of a database: what was committed, what it answers, and the event that made it. SHA-256 over UTF-8 text.
import { createHash } from 'node:crypto';
import { canonicalJson } from '../payloads/codec.ts';
import type { ChainLock } from '../worker/contract.ts';
import type { EntryColumns } from './entries.ts';
import { createLineWriter } from './line-bytes.ts';
import type { ParentInput, TransactionInput } from './types.ts';

type NamedBytes = Pick<IdentitySegment, 'name' | 'sha256'>;

/** Same commits, order included: one line per entry, `name sha256 e,r,e,r`. */
export function contentIdOf({ length, carried, carries, lo, hi }: EntryColumns<{ readonly payload: NamedBytes }>): string {
  const hash = createLineHash();
  const beginnings = carried.map(({ payload }) => hash.beginning(payload.name, payload.sha256));
  for (let at = 0; at < length; at++) {
    const beginning = beginnings[carries[at] ?? 0];
    if (beginning !== undefined) hash.add(beginning, lo[at] ?? 0, hi[at] ?? 0);
  }
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
  const view = createViewHash();
  for (const { name, sha256, lo, hi } of segments) view.add(name, sha256, lo, hi);
  return view.digest();
}

/** viewIdOf for segments that are told one by one, without an object for each. */
export function createViewHash(): { add(name: string, sha256: string, lo: number, hi: number): void; digest(): string } {
  const hash = createLineHash();
  let [openName, openSha256, openLo, openHi] = ['', '', 0, 0];
  const close = (): void => {
    if (openSha256 !== '') hash.add(hash.beginning(openName, openSha256), openLo, openHi);
  };
  return {
    add(name, sha256, lo, hi) {
      if (openSha256 === sha256 && openName === name && openHi === lo - 1) {
        openHi = hi;
        return;
      }
      close();
      [openName, openSha256, openLo, openHi] = [name, sha256, lo, hi];
    },
    digest() {
      close();
      return hash.digest();
    },
  };
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

/** Hashes lines `name sha256 e,r,e,r` in pieces: a million of them must never make one string. */
function createLineHash() {
  const hash = createHash('sha256');
  const lines = createLineWriter((piece) => void hash.update(piece));
  const known = new Map<string, Map<string, Uint8Array>>();
  const ofName = (name: string): Map<string, Uint8Array> => {
    const found = known.get(name);
    if (found !== undefined) return found;
    const made = new Map<string, Uint8Array>();
    known.set(name, made);
    return made;
  };
  return {
    /** `name sha256 ` as bytes, made once. */
    beginning(name: string, sha256: string): Uint8Array {
      const beginnings = ofName(name);
      const found = beginnings.get(sha256);
      if (found !== undefined) return found;
      const made = Buffer.from(`${name} ${sha256} `, 'utf8');
      beginnings.set(sha256, made);
      return made;
    },
    add: lines.add,
    digest(): string {
      lines.finish();
      return hash.digest('hex');
    },
  };
}
