// What the rest of CAF may know of a local database: entries in, versions and answers out. No better-sqlite3 type leaks.
import type { Iov, Run } from '../domain/iov.ts';
import type { MadeBy, StoredPayload } from '../domain/payload.ts';
import type { ChainLock, ChainMember } from '../worker/contract.ts';

/** Who and what produced a group of entries (one per algorithm of an iteration, one per source of a flatten, one per import). */
export interface TransactionInput {
  /** RFC 3339, UTC. */
  readonly at: string;
  /** user@host */
  readonly actor: string;
  readonly calibration: string | null;
  readonly algorithm: string | null;
  readonly iteration: number | null;
  readonly attempt: number | null;
  /** Collector job, or what else they came from. */
  readonly collectorJob: string | null;
  readonly inputsDigest: string | null;
  readonly codeDigest: string | null;
  readonly configDigest: string | null;
  readonly message: string;
}

export interface EntryInput {
  readonly payload: StoredPayload;
  /** The final label. */
  readonly iov: Iov;
  /** Index into transactions. */
  readonly transaction: number;
  /** The revision it had in the database.txt it was imported from: export writes it again. */
  readonly revision?: string;
}

export interface ParentInput {
  readonly role: 'previous' | 'dependency' | 'user' | 'global' | 'merge' | 'base';
  readonly versionId: string;
  readonly locator: string | null;
}

export interface DatabaseInput {
  /** In commit order: larger index wins. */
  readonly entries: readonly EntryInput[];
  readonly transactions: readonly TransactionInput[];
  /** In chain order, 0 = highest priority. */
  readonly parents: readonly ParentInput[];
  /** The chain that was used to produce it; null for imports. */
  readonly chain: ChainLock | null;
}

export interface PublishedVersion {
  readonly versionId: string;
  readonly contentId: string;
  readonly viewId: string;
  readonly entries: number;
  /** Absolute directory. */
  readonly directory: string;
}

/** Answer to "which payload is valid for this run?" */
export interface Answer {
  readonly name: string;
  readonly sha256: string;
  readonly revision: string;
  readonly size: number;
  readonly mediaType: string;
  /** Of an intra-run payload: the events at which its second and later parts begin; null for any other. */
  readonly boundaries: readonly number[] | null;
  readonly label: string;
  readonly versionId: string | null;
  /** The entry's own interval. */
  readonly iov: Iov;
  /** Largest interval around the run on which this very answer stays the answer. Cache by this, never by `iov`. */
  readonly effective: Iov;
  readonly madeBy: MadeBy | null;
  /** Absolute path of the payload file. */
  readonly file: string;
}

/** One resolved, disjoint interval of a chain. */
export interface ChainSegment {
  readonly name: string;
  readonly iov: Iov;
  readonly sha256: string;
  readonly md5: string;
  readonly revision: string;
  readonly size: number;
  readonly mediaType: string;
  /** As in Answer. */
  readonly boundaries: readonly number[] | null;
  readonly member: ChainMember;
  readonly file: string;
}

/** An opened chain: immutable databases, highest priority first. */
export interface Chain {
  readonly lock: ChainLock;
  /** Null = no database has it. */
  lookup(name: string, run: Run): Answer | null;
  /** All names that any member knows. */
  names(): readonly string[];
  /** The materialised view, clipped to `range` when given. */
  segments(range?: Iov): readonly ChainSegment[];
  /** The bytes, checked against the hash: CAF_DB_PAYLOAD_CORRUPT, CAF_DB_PAYLOAD_MISSING. */
  read(answer: Answer): Buffer;
  close(): void;
}
