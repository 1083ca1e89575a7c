// Which code a calibration uses, as digests: an edit elsewhere in the same files does not redo it, an edit it reaches always does.
//
// It starts from the statement that defines the calibration and adds, again and again, the statements that declare what is mentioned,
// across imports of local files. Whatever a loaded module does at its top level belongs to it. Packages count by name and version.
// Where this cannot be told (defined within a function, import(), require, eval, no module), all local files count, whole.
// Not followed: files that code reads by itself, and what a program imports; programs count by the files named in their argument vector.
import { createHash } from 'node:crypto';
import { closeSync, openSync, readFileSync, readSync, statSync } from 'node:fs';
import { dirname, isAbsolute, relative, sep } from 'node:path';
import { type CalibrationSpec, type Command, isCommand, type SourceLocation, type UserFunction } from '../domain/calibration.ts';
import type { Fingerprint } from '../domain/journal.ts';
import { type ImportTarget, isInPackage, resolveImport } from './code-packages.ts';
import { type Binding, type CodeModule, type CodePiece, readPieces } from './code-pieces.ts';

export interface CodeDigest {
  readonly collectors: string;
  /** Of everything: what collectors use is a part of it. */
  readonly algorithms: string;
  /** Every file that was looked at, absolute path -> SHA-256: while they are equal, so are the digests. */
  readonly files: Readonly<Record<string, string>>;
}

export type CodeOf = Pick<CalibrationSpec, 'name' | 'source' | 'collections' | 'algorithms'>;

export interface CodeReader {
  /** `recorded` = the fingerprint of the last time: while its files are equal nothing is parsed. */
  of(calibration: CodeOf, recorded?: Fingerprint | null): CodeDigest;
}

export interface CodeReaderOptions {
  /** Absolute path. */
  readonly configPath: string;
  /** Local modules that were loaded with the config, absolute paths: what counts when it cannot be told. */
  readonly modules: readonly string[];
}

export const MISSING_FILE = 'missing';

/** SHA-256 of each file as hex; MISSING_FILE for one that is not there. */
export const hashFiles = (paths: Iterable<string>): Readonly<Record<string, string>> =>
  Object.fromEntries(Array.from(paths, (path) => [path, hashFile(path)]));

/** One reader for one loading of a config: each file is read and parsed once. */
export function createCodeReader({ configPath, modules }: CodeReaderOptions): CodeReader {
  const files = new FileCache(dirname(configPath));
  const local = [configPath, ...modules].filter((path) => !isInPackage(path));
  return {
    of(calibration, recorded = null) {
      const forCollectors = programFiles(
        calibration.collections.map(({ collect }) => collect),
        configPath,
      );
      const forAlgorithms = programFiles(
        calibration.algorithms.flatMap(({ run, setup, findBoundaries }) => [run, setup, findBoundaries]),
        configPath,
      );
      const known = reuse(calibration.source, [...forCollectors, ...forAlgorithms], recorded, files);
      if (known !== null) return known;
      const whole = new Reach(files, local);
      whole.start(calibration.source, 'whole');
      for (const path of [...forCollectors, ...forAlgorithms]) whole.addFile(path);
      const collectors = new Reach(files, local);
      collectors.start(calibration.source, 'collectors');
      for (const path of forCollectors) collectors.addFile(path);
      return { collectors: collectors.digest(), algorithms: whole.digest(), files: whole.touched() };
    },
  };
}

function reuse(
  source: SourceLocation | null,
  programs: readonly string[],
  recorded: Fingerprint | null,
  files: FileCache,
): CodeDigest | null {
  const [collectors, algorithms] = [recorded?.collectors.code, recorded?.algorithms.code];
  if (recorded === null || collectors === undefined || algorithms === undefined || source === null) return null;
  // A calibration that moved to another file, or has a new program, is looked at again.
  if (![source.file, ...programs].every((path) => path in recorded.code || isInPackage(path))) return null;
  const isEqual = Object.entries(recorded.code).every(([path, digest]) => files.hash(path) === digest);
  return isEqual ? { collectors, algorithms, files: recorded.code } : null;
}

/** Arguments that name an existing file, also behind an equals sign. */
function programFiles(tasks: readonly (UserFunction | Command | null)[], configPath: string): readonly string[] {
  const words = tasks.flatMap((task) => (isCommand(task) ? task.argv : []));
  const paths = words.flatMap((word) => {
    const filled = word.replaceAll('{config}', dirname(configPath));
    return [filled, filled.slice(filled.indexOf('=') + 1)];
  });
  return [...new Set(paths)].filter((path) => isAbsolute(path) && statSync(path, { throwIfNoEntry: false })?.isFile() === true);
}

// ------------------------------------------------------------------------------------------------------------ the reach

/** What one part of a calibration reaches. */
class Reach {
  readonly #files: FileCache;
  /** The config first. */
  readonly #local: readonly string[];
  readonly #pieces = new Map<string, Set<CodePiece>>();
  readonly #entered = new Set<string>();
  readonly #whole = new Set<string>();
  readonly #exports = new Set<string>();
  readonly #others = new Set<string>();
  /** Names as they lead from file to file: exchanging two imports changes no statement, but what they do. */
  readonly #links = new Set<string>();
  readonly #manifests = new Set<string>();
  /** The statement of the definition is replaced by the definition without its data. */
  #replaced: CodePiece | null = null;
  #isEverything = false;

  constructor(files: FileCache, local: readonly string[]) {
    this.#files = files;
    this.#local = local;
  }

  start(source: SourceLocation | null, part: 'whole' | 'collectors'): void {
    const isKnown = source !== null && !isInPackage(source.file);
    const definition = isKnown ? (this.#files.module(source.file)?.definitionAt(source) ?? null) : null;
    if (source === null || definition === null) {
      this.#addEverything();
      return;
    }
    this.#replaced = definition.statement;
    this.#addPiece(source.file, (part === 'collectors' ? definition.collectors : null) ?? definition.whole);
    this.#enter(source.file);
    // A child loads the config first, wherever the calibration is defined.
    for (const path of this.#local.slice(0, 1)) this.#enter(path);
  }

  addFile(path: string): void {
    this.#others.add(path);
  }

  /** What is used comes before what is only loaded: a reason for redoing names the first that changed. */
  touched(): Readonly<Record<string, string>> {
    const paths = [...this.#pieces.keys(), ...this.#others, ...this.#manifests, ...this.#entered];
    return Object.fromEntries(paths.map((path) => [path, this.#files.hash(path)]));
  }

  digest(): string {
    const lines = [...this.#links];
    for (const path of this.#others) lines.push(`file ${this.#files.show(path)} ${this.#files.hash(path)}`);
    for (const [path, pieces] of this.#pieces) {
      // In source order, whatever the order in which they were reached.
      const inOrder = new Set(this.#files.module(path)?.pieces.filter((piece) => pieces.has(piece)));
      const definitions = [...pieces].filter((piece) => !inOrder.has(piece));
      lines.push(`code ${this.#files.show(path)} ${[...definitions, ...inOrder].map(({ digest }) => digest).join(' ')}`);
    }
    return createHash('sha256')
      .update(`code 1\n${lines.sort().join('\n')}`)
      .digest('hex');
  }

  #addEverything(): void {
    if (this.#isEverything) return;
    this.#isEverything = true;
    for (const path of this.#local) this.#addWhole(path);
  }

  /** Loading a module does what its top level does, and loads what it imports. */
  #enter(path: string): void {
    const open = [path];
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      if (this.#entered.has(next)) continue;
      this.#entered.add(next);
      const module = this.#files.module(next);
      if (module === null) {
        this.#addUnreadable(next);
        continue;
      }
      for (const piece of module.pieces) if (piece.hasEffects) this.#addPiece(next, piece);
      for (const specifier of module.loadsForEffects) this.#link(next, specifier, specifier);
      for (const specifier of module.loads) {
        const target = this.#files.resolve(specifier, next);
        if (target.kind === 'file') open.push(target.path);
        if (target.kind === 'unknown') this.#addEverything();
      }
    }
  }

  /** JSON and the like count by their bytes; what may load others but cannot be read as a module makes everything count. */
  #addUnreadable(path: string): void {
    this.#others.add(path);
    if (/\.[cm]?[jt]s$/.test(path)) this.#addEverything();
  }

  #addPiece(path: string, first: CodePiece): void {
    const module = this.#files.module(path);
    let known = this.#pieces.get(path);
    if (known === undefined) {
      known = new Set();
      this.#pieces.set(path, known);
    }
    const open = [first];
    for (let piece = open.pop(); piece !== undefined; piece = open.pop()) {
      if (known.has(piece) || piece === this.#replaced) continue;
      known.add(piece);
      for (const asset of piece.assets) this.#addAsset(asset, path);
      if (piece.isOpaque) this.#addEverything();
      for (const name of piece.mentions) {
        open.push(...(module?.declaredBy.get(name) ?? []));
        const binding = module?.imports.get(name);
        if (binding !== undefined) this.#follow(path, name, binding);
      }
    }
  }

  #addAsset(specifier: string, importer: string): void {
    const target = this.#files.resolve(specifier, importer);
    if (target.kind === 'file') this.#addWhole(target.path);
  }

  #link(path: string, name: string, specifier: string): ImportTarget {
    const target = this.#files.resolve(specifier, path);
    if (target.kind === 'package') {
      this.#links.add(`package ${target.name}@${target.version}`);
      if (target.manifest !== null) this.#manifests.add(target.manifest);
    }
    const shown = target.kind === 'file' ? this.#files.show(target.path) : specifier;
    this.#links.add(`link ${this.#files.show(path)} ${name} ${shown}`);
    return target;
  }

  #follow(path: string, localName: string, { from, name }: Binding): void {
    const target = this.#link(path, `${localName} ${name}`, from);
    if (target.kind === 'unknown') this.#addEverything();
    if (target.kind !== 'file') return;
    if (name === '*') this.#addWhole(target.path);
    else this.#addExport(target.path, name);
  }

  #addExport(path: string, name: string): void {
    const key = `${path}\n${name}`;
    if (this.#exports.has(key)) return;
    this.#exports.add(key);
    this.#enter(path);
    const module = this.#files.module(path);
    if (module === null) return;
    const exported = module.exports.get(name);
    if (typeof exported === 'object') {
      this.#follow(path, name, exported);
      return;
    }
    if (exported !== undefined) {
      this.#links.add(`export ${this.#files.show(path)} ${name} ${exported}`);
      for (const piece of module.declaredBy.get(exported) ?? []) this.#addPiece(path, piece);
      const binding = module.imports.get(exported);
      if (binding !== undefined) this.#follow(path, exported, binding);
      return;
    }
    // Perhaps passed on with `export *`: each of those modules may have it.
    const candidates = module.passesOn.filter((specifier) => this.#mayExport(this.#files.resolve(specifier, path), name));
    if (candidates.length === 0) this.#addWhole(path);
    for (const specifier of candidates) this.#follow(path, name, { from: specifier, name });
  }

  #mayExport(target: ImportTarget, name: string): boolean {
    if (target.kind !== 'file') return target.kind !== 'ignored';
    const module = this.#files.module(target.path);
    return module === null || module.exports.has(name) || module.passesOn.length > 0;
  }

  #addWhole(path: string): void {
    if (this.#whole.has(path)) return;
    this.#whole.add(path);
    this.#enter(path);
    const module = this.#files.module(path);
    if (module === null) return;
    for (const piece of module.pieces) this.#addPiece(path, piece);
    for (const [name, exported] of module.exports) {
      if (typeof exported === 'object') this.#follow(path, name, exported);
      else this.#addExport(path, name);
    }
    for (const specifier of module.passesOn) this.#follow(path, '*', { from: specifier, name: '*' });
  }
}

// ------------------------------------------------------------------------------------------------------------- the files

/** Each file is read, hashed and parsed at most once. */
class FileCache {
  readonly #base: string;
  readonly #hashes = new Map<string, string>();
  readonly #modules = new Map<string, CodeModule | null>();
  readonly #targets = new Map<string, ImportTarget>();

  constructor(base: string) {
    this.#base = base;
  }

  /** Relative to the config, so that a copy of the whole tree has the same digests. */
  show(path: string): string {
    return relative(this.#base, path).split(sep).join('/');
  }

  hash(path: string): string {
    return remember(this.#hashes, path, () => hashFile(path));
  }

  /** Null for what is no ES module, and for what lies in a package. */
  module(path: string): CodeModule | null {
    return remember(this.#modules, path, () => (isInPackage(path) || !/\.m?[jt]s$/.test(path) ? null : readModule(path)));
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

/** Chunk by chunk: a program's argument may name a large file. */
function hashFile(path: string): string {
  let descriptor: number;
  try {
    descriptor = openSync(path, 'r');
  } catch (error) {
    if (isMissing(error)) return MISSING_FILE;
    throw error;
  }
  try {
    const hash = createHash('sha256');
    const chunk = Buffer.allocUnsafe(1 << 16);
    for (let size = readSync(descriptor, chunk); size > 0; size = readSync(descriptor, chunk)) hash.update(chunk.subarray(0, size));
    return hash.digest('hex');
  } finally {
    closeSync(descriptor);
  }
}

const isMissing = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR');
