// Which files of an attempt's directory are its outputs, and what in there may not be collected. Nothing outside of it is ever followed.
import { type Dirent, lstatSync, readdirSync, readlinkSync, realpathSync, statSync } from 'node:fs';
import { isAbsolute, join, matchesGlob, sep } from 'node:path';
import { OWN_FILES } from './contract.ts';

export interface Outputs {
  /** Relative paths, sorted by code units; caf's own files are left out. */
  readonly files: readonly string[];
  /** One sentence each, beginning with the path. */
  readonly problems: readonly string[];
  /** The own files that are there. */
  readonly own: readonly string[];
}

interface Entry {
  /** Relative to the directory. */
  readonly path: string;
  readonly dirent: Dirent;
}

/** `mustMatch`: the user wrote the patterns, so each must match at least one file. One readdir when there is nothing to collect. */
export function collectOutputs(directory: string, patterns: readonly string[], mustMatch: boolean): Outputs {
  const entries = listEntries(directory, patterns);
  const problems: string[] = [];
  const own = entries.filter(({ path }) => OWN_FILES.includes(path));
  for (const { path, dirent } of own) if (!dirent.isFile()) problems.push(`${shown(path)} is ${kindOf(dirent)}, not a regular file`);

  const files: string[] = [];
  const matched = new Set<string>();
  for (const { path, dirent } of entries) {
    if (OWN_FILES.includes(path)) continue;
    const hits = patterns.filter((pattern) => matches(path, pattern));
    if (dirent.isDirectory()) continue;
    if (hits.length === 0) {
      // A link to a directory is not gone into: a pattern that looks behind it would silently find nothing.
      const isBehind = patterns.some((pattern) => pattern.startsWith(`${path}/`));
      if (dirent.isSymbolicLink() && isBehind) problems.push(`${shown(path)} is a symbolic link, and links are not followed`);
      continue;
    }
    const problem = problemOf(directory, path, dirent, entries);
    if (problem === 'skip') continue;
    if (problem !== null) problems.push(`${shown(path)} ${problem}`);
    else files.push(path);
    for (const pattern of hits) matched.add(pattern);
  }
  if (mustMatch) {
    for (const pattern of patterns)
      if (!matched.has(pattern)) problems.push(`${shown(pattern)} matches no file: ${whatIsThere(files, entries)}`);
  }
  return { files: files.sort(), problems, own: own.map(({ path }) => path) };
}

/** The outputs of an attempt that was accepted. */
export const listOutputs = (directory: string, patterns: readonly string[]): readonly string[] =>
  collectOutputs(directory, patterns, false).files;

function listEntries(directory: string, patterns: readonly string[]): Entry[] {
  const isDeep = patterns.some((pattern) => pattern.includes('/') || pattern.includes('**'));
  const entries: Entry[] = [];
  const folders = [''];
  for (let next = folders.pop(); next !== undefined; next = folders.pop()) {
    for (const dirent of readdirSync(join(directory, next), { withFileTypes: true })) {
      const path = next + dirent.name;
      entries.push({ path, dirent });
      if (isDeep && dirent.isDirectory()) folders.push(`${path}/`);
    }
  }
  return entries;
}

const matches = (path: string, pattern: string): boolean =>
  pattern === '*' ? !path.includes('/') && !path.startsWith('.') : path === pattern || matchesGlob(path, pattern);

/** Why this entry cannot be an output; null = it can; `skip` = it is no file, and none was meant. */
function problemOf(directory: string, path: string, dirent: Dirent, entries: readonly Entry[]): string | 'skip' | null {
  if (dirent.isFile()) {
    const { nlink, ino } = lstatSync(join(directory, path));
    return nlink === 1 ? null : hardLinkProblem(directory, nlink, ino, entries);
  }
  if (!dirent.isSymbolicLink()) return `is ${kindOf(dirent)}, not a file`;
  const target = readlinkSync(join(directory, path));
  let real: string;
  try {
    real = realpathSync(join(directory, path));
  } catch {
    return `is a symbolic link to ${shown(target)}, which does not exist`;
  }
  if (!real.startsWith(realpathSync(directory) + sep)) return `is a symbolic link to ${shown(target)}, outside of the output directory`;
  if (isAbsolute(target))
    return `is a symbolic link with the absolute target ${shown(target)}, which is no longer there once the job is accepted`;
  return statSync(real).isFile() ? null : 'skip';
}

/** A file with names elsewhere could still be changed from there. */
function hardLinkProblem(directory: string, nlink: number, ino: number, entries: readonly Entry[]): string | null {
  const inside = entries.filter(({ path, dirent }) => dirent.isFile() && lstatSync(join(directory, path)).ino === ino).length;
  return inside === nlink ? null : `is a hard link to a file that has another name outside of the output directory`;
}

function kindOf(dirent: Dirent): string {
  if (dirent.isFIFO()) return 'a named pipe';
  if (dirent.isSocket()) return 'a socket';
  if (dirent.isSymbolicLink()) return 'a symbolic link';
  if (dirent.isDirectory()) return 'a directory';
  return 'a device';
}

function whatIsThere(files: readonly string[], entries: readonly Entry[]): string {
  const names = (files.length > 0 ? files : entries.map(({ path }) => path).filter((path) => !OWN_FILES.includes(path))).slice(0, 5);
  return names.length === 0
    ? 'the job made no file'
    : `there is ${names.map(shown).join(', ')}${entries.length > names.length + OWN_FILES.length ? ' ...' : ''}`;
}

const shown = (path: string): string => JSON.stringify(path.length > 200 ? `${path.slice(0, 200)}...` : path);
