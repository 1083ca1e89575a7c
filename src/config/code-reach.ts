// What a calibration reaches: from the statement that defines it, from name to name, across local files.
import { createHash } from 'node:crypto';
import type { SourceLocation } from '../domain/calibration.ts';
import type { FileCache } from './code-files.ts';
import { type ImportTarget, isInPackage } from './code-packages.ts';
import type { Binding, CodePiece } from './code-pieces.ts';

/** What one part of a calibration reaches. */
export class Reach {
  readonly #files: FileCache;
  readonly #config: string;
  readonly #everything: () => Reach;
  readonly #pieces = new Map<string, Set<CodePiece>>();
  readonly #entered = new Set<string>();
  readonly #whole = new Set<string>();
  readonly #exports = new Set<string>();
  readonly #others = new Set<string>();
  /** Names as they lead from file to file: exchanging two imports changes no statement, but what they do. */
  readonly #links = new Set<string>();
  /** What decided where imports lead. */
  readonly #via = new Set<string>();
  /** The statement of the definition is replaced by the definition without its data. */
  #replaced: CodePiece | null = null;
  #isEverything = false;
  #digest: string | null = null;

  /** `everything` is shared by all that cannot be told: a thousand calibrations made by one function must not read it a thousand times. */
  constructor(files: FileCache, config: string, everything: () => Reach) {
    this.#files = files;
    this.#config = config;
    this.#everything = everything;
  }

  static ofEverything(files: FileCache, config: string, local: readonly string[]): Reach {
    const reach = new Reach(files, config, () => reach);
    reach.#isEverything = true;
    for (const path of local) reach.#addWhole(path);
    return reach;
  }

  start(source: SourceLocation | null, part: 'whole' | 'collectors'): void {
    const isKnown = source !== null && !isInPackage(source.file);
    const definition = isKnown ? (this.#files.module(source.file)?.definitionAt(source) ?? null) : null;
    if (source === null || definition === null) {
      this.#isEverything = true;
      return;
    }
    this.#replaced = definition.statement;
    this.#addPiece(source.file, (part === 'collectors' ? definition.collectors : null) ?? definition.whole);
    this.#enter(source.file);
    // A child loads the config first, wherever the calibration is defined.
    this.#enter(this.#config);
  }

  addFile(path: string): void {
    this.#others.add(path);
  }

  /** What is used comes before what is only loaded: a reason for redoing names the first that changed. */
  touched(): Readonly<Record<string, string>> {
    const paths = [...this.#pieces.keys(), ...this.#others, ...this.#entered, ...this.#via];
    const shared = this.#isShared() ? this.#everything().touched() : {};
    return { ...Object.fromEntries(paths.map((path) => [path, this.#files.state(path)])), ...shared };
  }

  #isShared(): boolean {
    return this.#isEverything && this.#everything() !== this;
  }

  digest(): string {
    this.#digest ??= this.#makeDigest();
    return this.#digest;
  }

  #makeDigest(): string {
    const lines = [...this.#links];
    if (this.#isShared()) lines.push(`everything ${this.#everything().digest()}`);
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
      for (const piece of module.pieces) if (this.#files.acts(next, piece.effects)) this.#addPiece(next, piece);
      for (const specifier of module.loadsForEffects) this.#link(next, specifier, specifier);
      for (const specifier of module.loads) {
        const target = this.#resolve(specifier, next);
        if (target.kind === 'file') open.push(target.path);
        if (target.kind === 'unknown') this.#isEverything = true;
      }
    }
  }

  /** JSON and the like count by their bytes; what may load others but cannot be read as a module makes everything count. */
  #addUnreadable(path: string): void {
    this.#others.add(path);
    if (/\.[cm]?[jt]s$/.test(path)) this.#isEverything = true;
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
      if (piece.isOpaque) this.#isEverything = true;
      for (const name of piece.mentions) {
        open.push(...(module?.declaredBy.get(name) ?? []));
        const binding = module?.imports.get(name);
        if (binding !== undefined) this.#follow(path, name, binding);
      }
    }
  }

  #addAsset(specifier: string, importer: string): void {
    const target = this.#link(importer, '*', specifier);
    if (target.kind === 'unknown') this.#isEverything = true;
    if (target.kind === 'file') this.#addWhole(target.path);
  }

  #link(path: string, name: string, specifier: string): ImportTarget {
    const target = this.#resolve(specifier, path);
    if (target.kind === 'package') this.#links.add(`package ${target.name}@${target.version}`);
    const shown = target.kind === 'file' ? this.#files.show(target.path) : specifier;
    this.#links.add(`link ${this.#files.show(path)} ${name} ${shown}`);
    return target;
  }

  #resolve(specifier: string, importer: string): ImportTarget {
    const target = this.#files.resolve(specifier, importer);
    for (const path of target.via) this.#via.add(path);
    return target;
  }

  #follow(path: string, localName: string, { from, name }: Binding): void {
    const target = this.#link(path, `${localName} ${name}`, from);
    if (target.kind === 'unknown') this.#isEverything = true;
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
    const candidates = module.passesOn.filter((specifier) => this.#mayExport(this.#resolve(specifier, path), name));
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
