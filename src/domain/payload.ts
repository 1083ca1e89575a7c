// Payloads: the only thing that flows between iterations and calibrations.
import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { Iov } from './iov.ts';

/** A typed payload, made by definePayload. `schema: null` = a file payload, committed by path. */
export interface PayloadDefinition<Value = unknown> {
  readonly kind: 'payload';
  readonly name: string;
  readonly schema: StandardSchemaV1<unknown, Value> | null;
  /** Which shape its values have, from 1; recorded with each payload. Absent = 1. */
  readonly version?: number;
  /** Makes a value of an older version one that the schema takes. */
  readonly migrate?: Migration;
}

/** `from` = the version the old value was written with. */
export type Migration = (old: unknown, from: number) => unknown;

/** One part of an intra-run payload, as the database knows it. */
export interface PayloadPart {
  /** The first event it is for; 0 for the first part. */
  readonly firstEvent: number;
  /** Of the canonical bytes of its value. Lower-case hex. */
  readonly sha256: string;
}

/** A payload whose bytes lie in the object store, queued by an execution. */
export interface StoredPayload {
  readonly name: string;
  /** Lower-case hex. */
  readonly sha256: string;
  /** Lower-case hex; only for file names and Belle II exchange. */
  readonly md5: string;
  readonly size: number;
  readonly mediaType: string;
  /** Of an intra-run payload: its parts in order. */
  readonly parts?: readonly PayloadPart[];
  /** File extension of the readable copy, with its dot: `.json`, `.root`. */
  readonly extension: string;
  /** The label it gets; null = the label of its execution. */
  readonly iov: Iov | null;
}

/** Who made an entry, as kept with it. */
export interface MadeBy {
  readonly calibration: string;
  readonly algorithm: string;
  readonly iteration: number;
}
