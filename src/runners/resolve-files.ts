// Turns the patterns of a collection into files: literal paths, globs, and URLs, which pass untouched.
import { accessSync, constants, readdirSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, isAbsolute, join, resolve } from 'node:path';
import type { Problem } from '../domain/errors.ts';
import { nearest } from '../domain/nearest.ts';
import { keepHeapSmall } from '../host/lean-memory.ts';

export interface ResolvedFile {
  /** As the user would write it: relative to the config, absolute where the pattern is, or the URL. */
  readonly path: string;
  /** Absolute path, or the URL. */
  readonly absolute: string;
  /** Bytes; null for URLs, which are never looked at. */
  readonly size: number | null;
  /** Modification time in nanoseconds. Any change counts as a changed input. */
  readonly mtimeNs: bigint | null;
}

const URL_SCHEME = /^[a-z][a-z0-9+.-]*:\/\//i;
/** What is made of so many files would let the heap grow by a third. */
const MANY = 10_000;
const GLOB_MAGIC = /[*?[\]{}()!+@]/;

/** Sorted by path as written, each file once. Every pattern must match; what does not is a problem at `path[i]`. */
export function resolveFiles(
  patterns: readonly string[],
  directory: string,
  path: string,
): { readonly files: readonly ResolvedFile[]; readonly problems: readonly Problem[] } {
  const found = new Map<string, ResolvedFile>();
  const problems: Problem[] = [];
  for (const [index, pattern] of patterns.entries()) {
    const at = `${path}[${index}]`;
    if (URL_SCHEME.test(pattern)) {
      found.set(pattern, { path: pattern, absolute: pattern, size: null, mtimeNs: null });
      continue;
    }
    const literal = lookAt(resolve(directory, pattern));
    const isPattern = GLOB_MAGIC.test(pattern);
    if (typeof literal === 'string' && !isPattern) {
      problems.push({ path: at, message: `${quote(pattern)} cannot be read: ${literal}` });
      continue;
    }
    // A file of exactly this name wins over its reading as a glob: names may hold brackets.
    const names = literal === null || typeof literal === 'string' ? (isPattern ? glob(pattern, directory) : []) : [pattern];
    if (literal !== null && typeof literal !== 'string' && literal.isDirectory)
      problems.push({ path: at, message: `${quote(pattern)} is a directory; expected files, for instance ${quote(join(pattern, '*'))}` });
    else if (names.length === 0) problems.push({ path: at, message: noMatch(pattern, directory) });
    if (names.length > MANY) keepHeapSmall();
    for (const as of names) {
      const absolute = resolve(directory, as);
      if (found.has(absolute)) continue;
      const stat = lookAt(absolute);
      if (typeof stat === 'string') problems.push({ path: at, message: `${quote(as)} cannot be read: ${stat}` });
      if (stat === null || typeof stat === 'string' || stat.isDirectory) continue;
      if (!isReadable(absolute)) problems.push({ path: at, message: `${quote(as)} cannot be read; check its permissions` });
      found.set(absolute, { path: as, absolute, size: stat.size, mtimeNs: stat.mtimeNs });
    }
  }
  const files = [...found.values()].sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
  return { files, problems };
}

const requireHere = createRequire(import.meta.url);

function glob(pattern: string, directory: string): readonly string[] {
  // Loaded at the first use: it takes as long as all else that this room needs.
  const { globSync } = requireHere('tinyglobby') as typeof import('tinyglobby');
  const absolute = isAbsolute(pattern);
  return globSync(pattern, { cwd: directory, absolute, onlyFiles: true, followSymbolicLinks: true, expandDirectories: false, dot: false });
}

interface Looked {
  readonly size: number;
  readonly mtimeNs: bigint;
  readonly isDirectory: boolean;
}

/** Null when there is nothing; the system's word when it does not tell: a circle of links, a directory that may not be entered, a name too long. */
function lookAt(path: string): Looked | string | null {
  try {
    const stat = statSync(path, { bigint: true, throwIfNoEntry: false });
    return stat === undefined ? null : { size: Number(stat.size), mtimeNs: stat.mtimeNs, isDirectory: stat.isDirectory() };
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function isReadable(path: string): boolean {
  try {
    accessSync(path, constants.R_OK);
    return true;
  } catch {
    return false;
  }
}

function noMatch(pattern: string, directory: string): string {
  const target = resolve(directory, pattern);
  const folder = dirname(target);
  if (GLOB_MAGIC.test(pattern)) return `${quote(pattern)} matches no file below ${directory}`;
  const stat = lookAt(folder);
  if (stat === null) return `there is no file ${quote(pattern)}: its directory ${folder} does not exist`;
  const near = typeof stat !== 'string' && stat.isDirectory ? nearest(basename(target), readdirSync(folder)) : null;
  return `there is no file ${quote(pattern)} below ${directory}${near === null ? '' : `; did you mean ${quote(join(dirname(pattern), near))}?`}`;
}

const quote = (text: string): string => `'${text}'`;
