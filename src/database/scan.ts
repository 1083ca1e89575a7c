// Finds every local database of a results directory, whatever it was renamed to: the directories are the truth.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { isAbsolute, join, relative } from 'node:path';
import { errorText } from '../domain/errors.ts';
import { OBJECTS_DIRECTORY } from '../domain/results-directory.ts';
import { parseVersionFile, VERSION_FILE } from './layout.ts';
import { openDatabase } from './open.ts';
import { isHalfMade } from './place.ts';
import type { DatabaseState } from './state.ts';

/** What the registry knows of a version. */
export interface VersionRecord {
  readonly versionId: string;
  readonly contentId: string;
  readonly viewId: string;
  /** Relative to the results directory; absolute when it lies elsewhere. */
  readonly directory: string;
  readonly state: DatabaseState;
  readonly calibration: string | null;
  /** Null for a result. */
  readonly iteration: number | null;
  readonly createdAt: string;
}

/** <calibration>/<iteration>/localdb and tags/<name> are three deep at most. */
const DEPTH = 3;
/** By depth: there are no versions in them, but perhaps a million files. Elsewhere these are names that a calibration or a tag may have. */
const NOT_ENTERED: readonly (readonly string[])[] = [[OBJECTS_DIRECTORY, 'node_modules'], [], ['collector', 'algorithms']];

/** Directories with a VERSION file, sorted. Drafts and what a killed writer left (`*.tmp-*`) are not among them. */
export function findDatabaseDirectories(results: string): readonly string[] {
  const found: string[] = [];
  const walk = (directory: string, depth: number): void => {
    if (existsSync(join(directory, VERSION_FILE))) {
      found.push(directory);
      return;
    }
    if (depth === DEPTH) return;
    for (const entry of readdirSync(directory, { withFileTypes: true })) {
      const { name } = entry;
      if (!entry.isDirectory() || name.startsWith('.') || isHalfMade(name) || NOT_ENTERED[depth]?.includes(name) === true) continue;
      walk(join(directory, name), depth + 1);
    }
  };
  walk(results, 0);
  return found.sort();
}

/** The directory of a version, by its VERSION file; null when no database here is that version. */
export function findVersion(results: string, versionId: string): string | null {
  return findDatabaseDirectories(results).find((directory) => versionIdAt(directory) === versionId) ?? null;
}

/** What the VERSION file says; null for a draft or a directory without one. */
export function versionIdAt(directory: string): string | null {
  const file = join(directory, VERSION_FILE);
  return existsSync(file) ? (parseVersionFile(readFileSync(file, 'utf8'))?.versionId ?? null) : null;
}

export interface Scan {
  readonly versions: readonly VersionRecord[];
  /** Databases that cannot be read, each with the reason. */
  readonly problems: readonly { readonly directory: string; readonly message: string }[];
}

/** Opens every database; one version that lies at two places is told once, at the first. */
export function scanDatabases(results: string, more: readonly string[] = []): Scan {
  const versions = new Map<string, VersionRecord>();
  const problems: { directory: string; message: string }[] = [];
  for (const directory of [...findDatabaseDirectories(results), ...more]) {
    try {
      const record = describeVersion(results, directory);
      if (record !== null && !versions.has(record.versionId)) versions.set(record.versionId, record);
    } catch (error) {
      problems.push({ directory, message: errorText(error).message });
    }
  }
  return { versions: [...versions.values()], problems };
}

/** Null for a draft, which has no version yet. */
export function describeVersion(results: string, directory: string): VersionRecord | null {
  const database = openDatabase(directory);
  try {
    const { versionId, contentId, viewId, state, createdAt } = database;
    if (versionId === null) return null;
    const place = placeOf(results, database.directory);
    return { versionId, contentId, viewId, state, createdAt: createdAt ?? '', directory: place, ...ownerOf(place) };
  } finally {
    database.close();
  }
}

/** Relative when it lies in the results directory: these can be moved as a whole. */
export function placeOf(results: string, directory: string): string {
  const path = relative(results, directory);
  return path.startsWith('..') || isAbsolute(path) ? directory : path;
}

/** pedestals/0/localdb, pedestals/2.reset-.../localdb, pedestals/localdb.<version> */
function ownerOf(place: string): Pick<VersionRecord, 'calibration' | 'iteration'> {
  const [, calibration, iteration] = /^([^/]+)\/(?:(\d+)[^/]*\/)?localdb[^/]*$/.exec(place) ?? [];
  return { calibration: calibration ?? null, iteration: iteration === undefined ? null : Number(iteration) };
}
