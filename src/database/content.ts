// What a database holds, resolved in memory: payloads with their revisions, entries in order, and the view of each name.
import { CafError } from '../domain/errors.ts';
import type { PayloadPart, StoredPayload } from '../domain/payload.ts';
import { checkPayloadName, valueVersion } from '../payloads/name.ts';
import { columnsOf, type EntryColumns, type EntryList } from './entries.ts';
import { compareNames, contentIdOf, createViewHash, type IdentitySegment } from './identity.ts';
import { coalesce, type Parts, paint } from './resolve.ts';

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

/** What entries of a database carry: a payload, and the revision in the database.txt it was imported from, where that differs. */
export interface CarriedRow {
  readonly payload: PayloadRow;
  readonly writtenRevision: string | null;
}

export interface Content {
  readonly payloads: readonly ContentPayload[];
  readonly entries: EntryColumns<CarriedRow>;
  /** By name, in the order of first appearance. */
  readonly views: ReadonlyMap<string, NameView>;
  readonly contentId: string;
  readonly viewId: string;
}

/** Checks and resolves entries in commit order. CAF_IOV_*, CAF_PAYLOAD_NAME. */
export function resolveContent(list: EntryList): Content {
  const inputs = columnsOf(list);
  const payloads = new PayloadTable();
  const carried = inputs.carried.map(({ payload, revision }): CarriedRow => {
    const row = payloads.add(payload);
    return { payload: row, writtenRevision: revision === undefined || revision === row.revision ? null : revision };
  });
  const entries = { ...inputs, carried };
  const views = viewsOf(entries);
  return { payloads: payloads.rows, entries, views, contentId: contentIdOf(entries), viewId: viewIdOfViews(views) };
}

/** The entries one by one. */
export const entryRows = ({ length, carried, carries, lo, hi, transaction }: Content['entries']): readonly EntryRow[] =>
  Array.from({ length }, (_, at): EntryRow => {
    const { payload, writtenRevision } = carried[carries[at] ?? 0] as CarriedRow;
    return { seq: at + 1, payload, lo: lo[at] ?? 0, hi: hi[at] ?? 0, transaction: transaction[at] ?? 0, writtenRevision };
  });

/** Entries sorted by name, each name's in commit order, and each name painted. */
function viewsOf({ length, carried, carries, lo, hi }: Content['entries']): ReadonlyMap<string, NameView> {
  const numbers = new Map<string, number>();
  const nameOf = Int32Array.from(carried, ({ payload: { name } }) => {
    const known = numbers.get(name) ?? numbers.size;
    numbers.set(name, known);
    return known;
  });
  const begins = new Int32Array(numbers.size + 1);
  for (const one of carries) {
    const number = (nameOf[one] ?? 0) + 1;
    begins[number] = (begins[number] ?? 0) + 1;
  }
  for (let number = 0; number < numbers.size; number++) begins[number + 1] = (begins[number + 1] ?? 0) + (begins[number] ?? 0);

  const next = begins.slice();
  const byName = { at: new Int32Array(length), lo: new Float64Array(length), hi: new Float64Array(length) };
  for (let at = 0; at < length; at++) {
    const number = nameOf[carries[at] ?? 0] ?? 0;
    const place = next[number] ?? 0;
    next[number] = place + 1;
    byName.at[place] = at;
    byName.lo[place] = lo[at] ?? 0;
    byName.hi[place] = hi[at] ?? 0;
  }

  const views = new Map<string, NameView>();
  for (const [name, number] of numbers) {
    const [begin, end] = [begins[number] ?? 0, begins[number + 1] ?? 0];
    const at = byName.at.subarray(begin, end);
    const payloadOf = (index: number): PayloadRow => (carried[carries[at[index] ?? 0] ?? 0] as CarriedRow).payload;
    const parts = paint(byName.lo.subarray(begin, end), byName.hi.subarray(begin, end));
    views.set(
      name,
      viewOf(parts, payloadOf, (index) => (at[index] ?? 0) + 1),
    );
  }
  return views;
}

/** `payloadOf` and `seqOf` answer for the intervals that were painted. */
function viewOf(painted: Parts, payloadOf: (index: number) => PayloadRow, seqOf: (index: number) => number): NameView {
  const parts = coalesce(painted, (a, b) => payloadOf(a) === payloadOf(b));
  const payloads = new Array<PayloadRow>(parts.length);
  const seqs = new Array<number>(parts.length);
  for (let part = 0; part < parts.length; part++) {
    const winner = parts.winner[part] ?? 0;
    payloads[part] = payloadOf(winner);
    seqs[part] = seqOf(winner);
  }
  return { lo: parts.lo, hi: parts.hi, payloads, seqs };
}

/** The view of the entries of one name, in commit order. */
export const viewOfEntries = (entries: readonly EntryRow[]): NameView =>
  viewOf(
    paintEntries(entries),
    (index) => (entries[index] as EntryRow).payload,
    (index) => entries[index]?.seq ?? 0,
  );

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

/** viewIdOf for all segments of these views. */
function viewIdOfViews(views: ReadonlyMap<string, NameView>): string {
  const hash = createViewHash();
  for (const [name, { payloads, lo, hi }] of [...views].sort(([a], [b]) => compareNames(a, b))) {
    for (let at = 0; at < payloads.length; at++) hash.add(name, payloads[at]?.sha256 ?? '', lo[at] ?? 0, hi[at] ?? 0);
  }
  return hash.digest();
}

/** With the extension of its file. */
export type ContentPayload = PayloadRow & { readonly extension: string };

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
  if (known.mediaType === payload.mediaType && known.parts === undefined && payload.parts === undefined) return;
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
