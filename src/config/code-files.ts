// The files code lies in: each is read, hashed and parsed at most once.
import { createHash } from 'node:crypto';
import { closeSync, fstatSync, openSync, readFileSync, readSync, realpathSync, statSync } from 'node:fs';
import { dirname, relative, sep } from 'node:path';
import { MISSING_FILE } from '../plan/fingerprint.ts';
import type { Effects } from './code-effects.ts';
import { type ImportTarget, isInPackage, resolveImport } from './code-packages.ts';
import { type CodeModule, readPieces } from './code-pieces.ts';

export class FileCache {
  readonly #base: string;
  readonly #hashes = new Map<string, string>();
  readonly #states = new Map<string, string>();
  readonly #modules = new Map<string, CodeModule | null>();
  readonly #targets = new Map<string, ImportTarget>();

  constructor(base: string) {
    this.#base = base;
  }

  /** Relative to the config, so that a copy of the whole tree has the same digests. */
  show(path: string): string {
    return relative(this.#base, path).split(sep).join('/');
  }

  /** SHA-256 as hex; MISSING_FILE where there is none. */
  hash(path: string): string {
    return remember(this.#hashes, path, () => hashFile(path));
  }

  /** Its hash, and where it lies when the path leads there through links: an exchanged link is a change, whatever the content. */
  state(path: string): string {
    return remember(this.#states, path, () => {
      const hash = this.hash(path);
      const place = hash === MISSING_FILE ? path : realpathSync(path);
      return place === path ? hash : `${hash} at ${place}`;
    });
  }

  /** Null for what is no ES module, and for what lies in a package. */
  module(path: string): CodeModule | null {
    return remember(this.#modules, path, () => (isInPackage(path) || !/\.m?[jt]s$/.test(path) ? null : readModule(path)));
  }

  /** Whether running code of the module at `path` may change what others see, through whatever functions of local files. */
  acts(path: string, effects: Effects): boolean {
    const open = [{ path, effects }];
    const seen = new Set<string>();
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      if (next.effects.acts) return true;
      for (const name of next.effects.calls) {
        const key = `${next.path}\n${name}`;
        if (seen.has(key)) continue;
        seen.add(key);
        const called = this.#functionAt(next.path, name);
        if (called === 'unknown') return true;
        if (called !== 'of a package') open.push(called);
      }
    }
    return false;
  }

  /** The function a name stands for in a module; what is no function, or passed on from a third module, is not followed. */
  #functionAt(path: string, name: string): { readonly path: string; readonly effects: Effects } | 'of a package' | 'unknown' {
    const module = this.module(path);
    const own = module?.functions.get(name);
    if (own !== undefined) return { path, effects: own };
    const binding = module?.imports.get(name);
    if (binding === undefined) return 'unknown';
    const target = this.resolve(binding.from, path);
    if (target.kind === 'package' || target.kind === 'ignored') return 'of a package';
    if (target.kind === 'unknown') return 'unknown';
    const there = this.module(target.path);
    const exported = there?.exports.get(binding.name);
    const effects = typeof exported === 'string' ? there?.functions.get(exported) : undefined;
    return effects === undefined ? 'unknown' : { path: target.path, effects };
  }

  resolve(specifier: string, importer: string): ImportTarget {
    return remember(this.#targets, `${dirname(importer)}\n${specifier}`, () => resolveImport(specifier, importer));
  }
}

const remember = <Value>(known: Map<string, Value>, key: string, make: () => Value): Value => {
  let value = known.get(key);
  if (value === undefined) {
    value = make();
    known.set(key, value);
  }
  return value;
};

function readModule(path: string): CodeModule | null {
  const source = readIfThere(path);
  if (source === null) return null;
  try {
    return readPieces(path, source);
  } catch (error) {
    // The config was loaded before, so this is code that Node reads otherwise, CommonJS for instance: it counts whole.
    if (error instanceof SyntaxError || isUnsupportedSyntax(error)) return null;
    throw error;
  }
}

/** Node strips types, but refuses TypeScript that would have to be translated (enum, namespace). */
const isUnsupportedSyntax = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' && error.code.endsWith('TYPESCRIPT_SYNTAX');

function readIfThere(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
}

/** An image of a container may have gigabytes, and would be read at each start. */
const LARGE_BYTES = 64e6;

/** Chunk by chunk: a program's argument may name a large file. Beyond that it counts by size and time, as input files do. */
function hashFile(path: string): string {
  let descriptor: number;
  try {
    descriptor = openSync(path, 'r');
  } catch (error) {
    if (isMissing(error)) return MISSING_FILE;
    // A program may be executed without being readable.
    if (error instanceof Error && 'code' in error && error.code === 'EACCES') return sizeAndTime(statSync(path, { bigint: true }));
    throw error;
  }
  try {
    const stat = fstatSync(descriptor, { bigint: true });
    if (stat.size > LARGE_BYTES) return sizeAndTime(stat);
    const hash = createHash('sha256');
    const chunk = Buffer.allocUnsafe(1 << 16);
    for (let size = readSync(descriptor, chunk); size > 0; size = readSync(descriptor, chunk)) hash.update(chunk.subarray(0, size));
    return hash.digest('hex');
  } finally {
    closeSync(descriptor);
  }
}

const sizeAndTime = ({ size, mtimeNs }: { readonly size: bigint; readonly mtimeNs: bigint }): string => `${size} bytes of ${mtimeNs}`;

const isMissing = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR');
