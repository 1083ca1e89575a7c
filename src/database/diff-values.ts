// `caf db diff --values`: the changes between two databases, with what changed inside their JSON payloads.
import { type Iov, intersect, type Run, singleRun } from '../domain/iov.ts';
import { decodePayload } from '../payloads/codec.ts';
import { valueVersion } from '../payloads/name.ts';
import { readChecked } from '../payloads/store.ts';
import { compareValues, type ValueComparison } from './compare-values.ts';
import type { PayloadRow } from './content.ts';
import { type Change, diffViews } from './diff.ts';
import { knownName } from './known-name.ts';
import { type LocalDatabase, openDatabase } from './open.ts';

export interface DiffOptions {
  /** Only changes that hold for this run. */
  readonly run?: Run;
  readonly name?: string;
  readonly values: boolean;
}

/** `values`: null where one side has no payload or one of both is no JSON value. */
export type DetailedChange = Change & { readonly values?: ValueComparison | null };

/** CAF_DB_NOT_FOUND for a name that neither has; CAF_DB_PAYLOAD_MISSING and CAF_DB_PAYLOAD_CORRUPT only with `values`. */
export function diffDetailed(a: string, b: string, options: DiffOptions): { readonly v: 1; readonly changes: readonly DetailedChange[] } {
  const left = openDatabase(a);
  try {
    const right = openDatabase(b);
    try {
      const names = new Set([...left.names(), ...right.names()]);
      if (options.name !== undefined) knownName(options.name, [...names], `${left.directory} and ${right.directory}`);
      const changes = left.viewId === right.viewId ? [] : diffViews(left, right);
      const chosen = changes.filter((change) => isAsked(change, options));
      if (!options.values) return { v: 1, changes: chosen };
      const compare = createComparer(left, right);
      return { v: 1, changes: chosen.map((change) => ({ ...change, values: compare(change) })) };
    } finally {
      right.close();
    }
  } finally {
    left.close();
  }
}

const isAsked = ({ name, iov }: { readonly name: string; readonly iov: Iov }, { run, name: asked }: DiffOptions): boolean =>
  (asked === undefined || asked === name) && (run === undefined || intersect(iov, singleRun(run)) !== null);

/** The same two payloads on several intervals are compared once. */
function createComparer(left: LocalDatabase, right: LocalDatabase): (change: Change) => ValueComparison | null {
  const known = new Map<string, ValueComparison | null>();
  const readValue = (database: LocalDatabase, name: string, sha256: string): { readonly value: unknown } | null => {
    const payload: PayloadRow | undefined = database.view(name)?.payloads.find((one) => one.sha256 === sha256);
    if (payload === undefined || valueVersion(payload.mediaType) === null) return null;
    return { value: decodePayload(readChecked(database.fileOf(payload), sha256)) };
  };
  return ({ name, from, to }) => {
    if (from === null || to === null) return null;
    const key = `${name} ${from} ${to}`;
    let found = known.get(key);
    if (found === undefined) {
      const [a, b] = [readValue(left, name, from), readValue(right, name, to)];
      found = a === null || b === null ? null : compareValues(a.value, b.value);
      known.set(key, found);
    }
    return found;
  };
}
