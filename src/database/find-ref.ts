// From a name to the directory of a database: `results@tag`, `results@branch`, `results@<first digits of a version id>`. Reads files only.
import { existsSync } from 'node:fs';
import { isAbsolute, join, resolve } from 'node:path';
import { CafError } from '../domain/errors.ts';
import { nearest } from '../domain/nearest.ts';
import { JOURNAL_FILE } from '../domain/results-directory.ts';
import { readRefChanges } from './refs.ts';
import { currentRefs, REFS_FILE, type Ref } from './refs-file.ts';
import { findDatabaseDirectories, findVersion, versionIdAt } from './scan.ts';

/** Names of tags and branches; `~` is left to the branches that caf makes. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9_.+-]{0,99}$/;
const DIGITS = /^[0-9a-f]{7,64}$/;

/** CAF_DB_REF */
export function checkRefName(name: string): void {
  if (NAME.test(name)) return;
  throw new CafError('CAF_DB_REF', `${JSON.stringify(name.slice(0, 120))} is not allowed as the name of a tag or branch`, {
    hint: 'Use letters, digits and _ . + - (at most 100, beginning with a letter or digit).',
  });
}

/** `results@name` in its two parts; null when it is nothing of the kind. */
export function splitAddress(path: string): { readonly results: string; readonly name: string } | null {
  const at = path.lastIndexOf('@');
  if (at === -1 || path.slice(at).includes('/')) return null;
  return { results: resolve(path.slice(0, at) || '.'), name: path.slice(at + 1) };
}

export const hasRefs = (results: string): boolean => existsSync(join(results, REFS_FILE)) || existsSync(join(results, JOURNAL_FILE));

/** The directory of what a name stands for, checked by its version id. CAF_DB_REF, CAF_DB_MISSING when the database is gone. */
export function findNamed(results: string, name: string): string {
  const refs = currentRefs(readRefChanges(results));
  const ref = refs.get(name);
  if (ref !== undefined) return directoryOfRef(results, ref);
  const byDigits = DIGITS.test(name) ? findByDigits(results, name) : null;
  if (byDigits !== null) return byDigits;
  const near = nearest(name, [...refs.keys()]);
  const known = [...refs.keys()].slice(-8).join(', ');
  throw new CafError('CAF_DB_REF', `There is no tag or branch ${name} in ${results}`, {
    hint: near !== null ? `Did you mean ${near}?` : known === '' ? 'It has none yet: caf db tag makes one.' : `There are ${known}.`,
  });
}

/** Where a ref's database lies now. CAF_DB_MISSING. */
export function directoryOfRef(results: string, { name, kind, versionId, directory }: Ref): string {
  const hinted = directory === null ? null : isAbsolute(directory) ? directory : join(results, directory);
  const found = hinted !== null && versionIdAt(hinted) === versionId ? hinted : findVersion(results, versionId);
  if (found !== null) return found;
  throw new CafError('CAF_DB_MISSING', `The database of the ${kind} ${name} is gone: no directory in ${results} is version ${versionId}`, {
    hint: hinted === null ? 'Restore it from a copy.' : `It was at ${hinted}: restore it from a copy.`,
  });
}

function findByDigits(results: string, digits: string): string | null {
  const found = findDatabaseDirectories(results).filter((directory) => versionIdAt(directory)?.startsWith(digits) === true);
  const versions = new Set(found.map(versionIdAt));
  if (versions.size > 1) {
    throw new CafError('CAF_DB_REF', `${digits} is the beginning of ${versions.size} versions: ${[...versions].join(', ')}`, {
      hint: 'Give more digits.',
    });
  }
  return found[0] ?? null;
}
