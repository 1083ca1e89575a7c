// Intra-run payloads: several values in one document, each valid from an event of the run on.
import { CafError } from '../domain/errors.ts';
import type { PayloadPart } from '../domain/payload.ts';
import { canonicalJson, decodePayload } from './codec.ts';
import { hashBytes } from './store.ts';

/** One value of an intra-run payload, from `firstEvent` to the event before the next one's. */
export interface EventPart<Value = unknown> {
  readonly firstEvent: number;
  readonly value: Value;
}

/** What lies in the payload's file: n parts and the n - 1 events at which the next one begins. */
export interface PartsDocument {
  readonly boundaries: readonly number[];
  readonly parts: readonly unknown[];
}

/** Throws CAF_PAYLOAD_INVALID unless the first part begins at event 0 and each later one at a larger event. */
export function checkEventParts(name: string, parts: readonly EventPart[]): void {
  const wrong = (problem: string, hint: string): CafError => new CafError('CAF_PAYLOAD_INVALID', `${name}: ${problem}`, { hint });
  if (!Array.isArray(parts) || parts.length === 0) {
    throw wrong('an intra-run payload has at least one part', 'Give a list of { firstEvent, value }.');
  }
  for (const [index, part] of parts.entries()) {
    const first: unknown = part?.firstEvent;
    if (typeof first !== 'number' || !Number.isSafeInteger(first) || first < 0) {
      throw wrong(`parts[${index}].firstEvent is ${String(first)}, not the number of an event`, 'Events count from 0.');
    }
    if (index === 0 && first !== 0) throw wrong(`its first part begins at event ${first}`, 'The first part begins at event 0.');
    const before = parts[index - 1]?.firstEvent ?? -1;
    if (first <= before) {
      throw wrong(`parts[${index}] begins at event ${first}, not after parts[${index - 1}] at ${before}`, 'Sort the parts by event.');
    }
  }
}

export const partsDocument = (parts: readonly EventPart[]): PartsDocument => ({
  boundaries: parts.slice(1).map(({ firstEvent }) => firstEvent),
  parts: parts.map(({ value }) => value),
});

/** The document in the bytes of an intra-run payload; null when they hold none. */
export function readParts(bytes: Uint8Array): PartsDocument | null {
  const document = jsonIn(bytes) as Partial<PartsDocument> | null;
  if (typeof document !== 'object' || document === null || !Array.isArray(document.parts) || !Array.isArray(document.boundaries))
    return null;
  const firstEvents = [0, ...document.boundaries];
  const areInOrder = firstEvents.every(
    (event, index) => Number.isSafeInteger(event) && (index === 0 || event > (firstEvents[index - 1] ?? 0)),
  );
  return areInOrder && document.parts.length === firstEvents.length ? { boundaries: document.boundaries, parts: document.parts } : null;
}

/** Null when the bytes are no JSON. */
function jsonIn(bytes: Uint8Array): unknown {
  try {
    return decodePayload(bytes);
  } catch (error) {
    if (error instanceof CafError) return null;
    throw error;
  }
}

/** The rows of the table `part`. */
export const describeParts = ({ boundaries, parts }: PartsDocument): readonly PayloadPart[] =>
  parts.map((value, index) => ({
    firstEvent: index === 0 ? 0 : (boundaries[index - 1] ?? 0),
    sha256: hashBytes(Buffer.from(canonicalJson(value), 'utf8')).sha256,
  }));

/** The events at which parts begin, without the first. */
export const boundariesOfParts = (parts: readonly PayloadPart[]): readonly number[] => parts.slice(1).map(({ firstEvent }) => firstEvent);

/** Index of the part for an event: the number of boundaries up to it (the rule of Belle II's IntraRunDependency). */
export const partAt = (boundaries: readonly number[], event: number): number => boundaries.filter((boundary) => boundary <= event).length;
