// Entries in commit order as columns: a million of them are four arrays of numbers instead of three million objects. Pure.
import { checkIov, iovToKeys } from '../domain/iov.ts';
import type { StoredPayload } from '../domain/payload.ts';
import type { EntryInput } from './types.ts';

export interface EntryColumns<Carried> {
  readonly length: number;
  /** What the entries carry; many may carry the same. */
  readonly carried: readonly Carried[];
  /** Of each entry: the index of what it carries. */
  readonly carries: Int32Array;
  readonly lo: Float64Array;
  readonly hi: Float64Array;
  /** Index into the transactions. */
  readonly transaction: Int32Array;
}

/** A payload under the revision that it was imported with, if any. */
export interface CarriedInput {
  readonly payload: StoredPayload;
  readonly revision?: string;
}

/** Entries to be published: one by one, or as columns that were checked when they were made. */
export type EntryList = readonly EntryInput[] | EntryColumns<CarriedInput>;

const isOneByOne = (entries: EntryList): entries is readonly EntryInput[] => Array.isArray(entries);

/** CAF_IOV_* for the first interval that is not one. */
export function columnsOf(entries: EntryList): EntryColumns<CarriedInput> {
  if (!isOneByOne(entries)) return entries;
  const columns = emptyColumns(entries, entries.length);
  for (const [at, { iov, transaction }] of entries.entries()) {
    const [lo, hi] = iovToKeys(checkIov(iov));
    setEntry(columns, at, at, lo, hi, transaction);
  }
  return columns;
}

/** Entries that were read, each carrying itself. */
export function columnsOfRows<Row extends { readonly lo: number; readonly hi: number; readonly transaction: number }>(
  rows: readonly Row[],
): EntryColumns<Row> {
  const columns = emptyColumns(rows, rows.length);
  for (const [at, { lo, hi, transaction }] of rows.entries()) setEntry(columns, at, at, lo, hi, transaction);
  return columns;
}

/** Columns that grow, for entries whose number is not known beforehand. */
export function createColumns(): {
  add(carries: number, lo: number, hi: number): void;
  /** All of transaction 0. */
  finish<Carried>(carried: readonly Carried[]): EntryColumns<Carried>;
} {
  let columns = emptyColumns([], 1024);
  let length = 0;
  return {
    add(carries, lo, hi) {
      if (length === columns.length) columns = grown(columns);
      setEntry(columns, length++, carries, lo, hi, 0);
    },
    finish: (carried) => ({
      length,
      carried,
      carries: columns.carries.subarray(0, length),
      lo: columns.lo.subarray(0, length),
      hi: columns.hi.subarray(0, length),
      transaction: columns.transaction.subarray(0, length),
    }),
  };
}

const emptyColumns = <Carried>(carried: readonly Carried[], length: number): EntryColumns<Carried> => ({
  length,
  carried,
  carries: new Int32Array(length),
  lo: new Float64Array(length),
  hi: new Float64Array(length),
  transaction: new Int32Array(length),
});

function setEntry(columns: EntryColumns<unknown>, at: number, carries: number, lo: number, hi: number, transaction: number): void {
  columns.carries[at] = carries;
  columns.lo[at] = lo;
  columns.hi[at] = hi;
  columns.transaction[at] = transaction;
}

function grown(columns: EntryColumns<never>): EntryColumns<never> {
  const larger = emptyColumns<never>([], columns.length * 2);
  larger.carries.set(columns.carries);
  larger.lo.set(columns.lo);
  larger.hi.set(columns.hi);
  larger.transaction.set(columns.transaction);
  return larger;
}
