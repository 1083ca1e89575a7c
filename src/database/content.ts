// What a database holds, resolved in memory: payloads with their revisions, entries in order, and the view of each name.
import { CafError } from '../domain/errors.ts';
import { checkIov, iovToKeys } from '../domain/iov.ts';
import type { PayloadPart, StoredPayload } from '../domain/payload.ts';
import { checkPayloadName, valueVersion } from '../payloads/name.ts';
import { compareNames, contentIdOf, type IdentitySegment, viewIdOf } from './identity.ts';
import { coalesce, type Parts, paint } from './resolve.ts';
import type { EntryInput } from './types.ts';

/** A payload of one database: bytes under a name. The same bytes under two names are two of these. */
export interface PayloadRow {
  readonly name: string;
  readonly sha256: string;
  readonly md5: string;
  readonly size: number;
  /** Shortest md5 prefix of 6 or more digits that is unique for this name here, in order of first appearance. */
  readonly revision: string;
  readonly mediaType: string;
  /** Of an intra-run payload. */
  readonly parts?: readonly PayloadPart[];
}

export interface EntryRow {
  /** From 1, in commit order; larger wins. */
  readonly seq: number;
  readonly payload: PayloadRow;
  readonly lo: number;
  readonly hi: number;
  /** Index into the transactions. */
  readonly transaction: number;
  /** The revision in the database.txt it was imported from, where that differs. */
  readonly writtenRevision: string | null;
}

/** The answers of one name: disjoint, sorted; `seq` = the winning entry of a segment's first part. */
export interface NameView {
  readonly lo: Float64Array;
  readonly hi: Float64Array;
  readonly payloads: readonly PayloadRow[];
  readonly seqs: readonly number[];
}

export interface Content {
  readonly payloads: readonly (PayloadRow & { readonly extension: string })[];
  readonly entries: readonly EntryRow[];
  /** By name, in the order of first appearance. */
  readonly views: ReadonlyMap<string, NameView>;
  readonly contentId: string;
  readonly viewId: string;
}

/** Checks and resolves entries in commit order. CAF_IOV_*, CAF_PAYLOAD_NAME. */
export function resolveContent(inputs: readonly EntryInput[]): Content {
  const payloads = new PayloadTable();
  const entries: EntryRow[] = [];
  const byName = new Map<string, EntryRow[]>();
  for (const input of inputs) {
    const payload = payloads.add(input.payload);
    const [lo, hi] = iovToKeys(checkIov(input.iov));
    const written = input.revision ?? null;
    const writtenRevision = written === payload.revision ? null : written;
    const entry: EntryRow = { seq: entries.length + 1, payload, lo, hi, transaction: input.transaction, writtenRevision };
    entries.push(entry);
    const sameName = byName.get(payload.name);
    if (sameName === undefined) byName.set(payload.name, [entry]);
    else sameName.push(entry);
  }
  const views = new Map<string, NameView>();
  for (const [name, sameName] of byName) views.set(name, viewOfEntries(sameName));
  return { payloads: payloads.rows, entries, views, contentId: contentIdOf(inputs), viewId: viewIdOf(segmentsOf(views)) };
}

/** The view of the entries of one name, in commit order. */
export function viewOfEntries(entries: readonly EntryRow[]): NameView {
  const parts = coalesce(paintEntries(entries), (a, b) => entries[a]?.payload === entries[b]?.payload);
  const payloads = new Array<PayloadRow>(parts.length);
  const seqs = new Array<number>(parts.length);
  for (let part = 0; part < parts.length; part++) {
    const entry = entries[parts.winner[part] ?? 0] as EntryRow;
    payloads[part] = entry.payload;
    seqs[part] = entry.seq;
  }
  return { lo: parts.lo, hi: parts.hi, payloads, seqs };
}

/** Which entry wins where, parts of different entries kept apart even when they carry the same bytes. */
export function paintEntries(entries: readonly EntryRow[]): Parts {
  const lo = new Float64Array(entries.length);
  const hi = new Float64Array(entries.length);
  for (let index = 0; index < entries.length; index++) {
    lo[index] = entries[index]?.lo ?? 0;
    hi[index] = entries[index]?.hi ?? 0;
  }
  return paint(lo, hi);
}

/** All segments, sorted by name, then start. */
export function* segmentsOf(views: ReadonlyMap<string, NameView>): Generator<IdentitySegment> {
  for (const name of [...views.keys()].sort(compareNames)) {
    const view = views.get(name);
    if (view === undefined) continue;
    for (const [index, payload] of view.payloads.entries()) {
      yield { name, sha256: payload.sha256, lo: view.lo[index] ?? 0, hi: view.hi[index] ?? 0 };
    }
  }
}

type ContentPayload = Content['payloads'][number];

class PayloadTable {
  readonly rows: ContentPayload[] = [];
  readonly #byContent = new Map<string, ContentPayload>();
  /** An import names the same few payloads a million times: the object is known before its digests are compared. */
  readonly #byObject = new Map<StoredPayload, ContentPayload>();
  readonly #revisions = new Set<string>();

  /** Identical bytes under one name are one row. */
  add(payload: StoredPayload): ContentPayload {
    let row = this.#byObject.get(payload);
    if (row === undefined) {
      row = this.#addNew(payload);
      this.#byObject.set(payload, row);
    }
    return row;
  }

  #addNew(payload: StoredPayload): ContentPayload {
    const known = this.#byContent.get(`${payload.name} ${payload.sha256}`);
    if (known !== undefined) {
      checkSameMeaning(known, payload);
      return known;
    }
    checkPayloadName(payload.name);
    if (!/^[0-9a-f]{64}$/.test(payload.sha256) || !/^[0-9a-f]{32}$/.test(payload.md5)) {
      throw new CafError('CAF_PAYLOAD_INVALID', `${payload.name} has no proper digests: sha256 ${payload.sha256}, md5 ${payload.md5}`, {
        hint: 'Store the payload first.',
      });
    }
    const row: ContentPayload = {
      name: payload.name,
      sha256: payload.sha256,
      md5: payload.md5,
      size: payload.size,
      revision: takeRevision(this.#revisions, payload),
      mediaType: payload.mediaType,
      extension: payload.extension,
      ...(payload.parts === undefined ? {} : { parts: payload.parts }),
    };
    this.#byContent.set(`${payload.name} ${payload.sha256}`, row);
    this.rows.push(row);
    return row;
  }
}

/** One row says one thing of the bytes of a name: bytes written with two versions of a definition would be migrated wrongly once. */
function checkSameMeaning(known: PayloadRow, payload: StoredPayload): void {
  const [a, b] = [valueVersion(known.mediaType), valueVersion(payload.mediaType)];
  const isSame = (a === b || a === null || b === null) && (known.parts === undefined) === (payload.parts === undefined);
  if (isSame) return;
  const form = (version: number | null, { parts }: Pick<PayloadRow, 'parts'>) =>
    `version ${version}${parts === undefined ? '' : ', intra-run'}`;
  throw new CafError(
    'CAF_PAYLOAD_VERSION',
    `The same bytes of ${known.name} (${known.sha256.slice(0, 12)}) were written as ${form(a, known)} and as ${form(b, payload)} of its definition`,
    { hint: 'Keep these databases apart, as members of a chain: there each payload is read with its own version.' },
  );
}

/** Assigns the next revision of a name; `taken` remembers them as `name revision`. */
export function takeRevision(taken: Set<string>, payload: Pick<StoredPayload, 'name' | 'md5' | 'sha256'>): string {
  // Two different contents with one md5 can be made on purpose: their second one is named by its SHA-256.
  for (const digest of [payload.md5, payload.sha256]) {
    for (let digits = 6; digits <= 32; digits++) {
      const revision = digest.slice(0, digits);
      if (taken.has(`${payload.name} ${revision}`)) continue;
      taken.add(`${payload.name} ${revision}`);
      return revision;
    }
  }
  throw new Error(`no revision is free for ${payload.name} ${payload.sha256}`);
}
