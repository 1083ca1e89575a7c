// caf.refs: the changes of branches and tags of a results directory, one JSON line each, never rewritten: made with the first name by hand.
import { join } from 'node:path';
import { CafError } from '../domain/errors.ts';
import { appendLines, readLines } from './append-lines.ts';

export const REFS_FILE = 'caf.refs';

export type RefKind = 'branch' | 'tag';

/** One line of the reflog. */
export interface RefChange {
  /** From 1, without holes. */
  readonly seq: number;
  readonly ref: string;
  readonly kind: RefKind;
  /** Version ids; null = was not there, is not there any more. */
  readonly old: string | null;
  readonly new: string | null;
  /** Where the new version lay: relative to the results directory, or absolute. A hint; the version id is checked. */
  readonly directory: string | null;
  /** RFC 3339, UTC. */
  readonly at: string;
  /** user@host */
  readonly actor: string;
  readonly reason: string;
}

/** What a name stands for now. */
export interface Ref {
  readonly name: string;
  readonly kind: RefKind;
  readonly versionId: string;
  readonly directory: string | null;
  readonly at: string;
}

/** CAF_DB_DAMAGED, with the line. */
export function readRefLines(results: string): readonly RefChange[] {
  const path = join(results, REFS_FILE);
  return readLines(path).map((line, index) => {
    const change = parseChange(line);
    if (change !== null && change.seq === index + 1) return change;
    throw new CafError('CAF_DB_DAMAGED', `${path}:${index + 1}: not change ${index + 1} of a branch or tag: ${line.slice(0, 80)}`, {
      hint: 'Restore the file from a copy.',
    });
  });
}

function parseChange(line: string): RefChange | null {
  let value: Partial<RefChange> | null;
  try {
    value = JSON.parse(line) as Partial<RefChange> | null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
  if (value === null || typeof value !== 'object') return null;
  const { seq, ref, kind, at, actor, reason } = value;
  const isVersion = (id: unknown): id is string | null => id === null || (typeof id === 'string' && /^[0-9a-f]{64}$/.test(id));
  if (typeof seq !== 'number' || typeof ref !== 'string' || (kind !== 'branch' && kind !== 'tag')) return null;
  if (!isVersion(value.old) || !isVersion(value.new) || typeof at !== 'string') return null;
  if (typeof actor !== 'string' || typeof reason !== 'string') return null;
  const directory = typeof value.directory === 'string' ? value.directory : null;
  return { seq, ref, kind, old: value.old, new: value.new, directory, at, actor, reason };
}

export const appendRefChanges = (results: string, changes: readonly RefChange[]): void =>
  appendLines(
    join(results, REFS_FILE),
    changes.map((change) => JSON.stringify(change)),
    { durable: true },
  );

/** By name, in the order in which they were last changed. */
export function currentRefs(changes: readonly RefChange[]): ReadonlyMap<string, Ref> {
  const refs = new Map<string, Ref>();
  for (const { ref, kind, new: versionId, directory, at } of changes) {
    refs.delete(ref);
    if (versionId !== null) refs.set(ref, { name: ref, kind, versionId, directory, at });
  }
  return refs;
}
