// Which code a calibration uses, as digests: an edit elsewhere in the same files does not redo it, an edit it reaches always does.
//
// It starts from the top-level statement that defines the calibration, by itself or through functions (a factory, .map), and adds, again
// and again, the statements that declare what is mentioned, across imports of local files. Whatever a loaded module does at its top level belongs to it. Packages count by name and version.
// Where this cannot be told (defined in a timer, import() of what is no literal, require, eval, no module), all local files count, whole.
// Not followed: files that code reads by itself, and what a program imports; programs count by the files named in their argument vector
// (also within a line of shell), and by the file of their image. What `setup` sources belongs to the site, which may change it at any time.
import { existsSync, realpathSync, type Stats, statSync } from 'node:fs';
import { dirname, extname, isAbsolute, resolve } from 'node:path';
import {
  type AlgorithmSpec,
  type CalibrationSpec,
  type CollectionSpec,
  type Command,
  isCommand,
  type SourceLocation,
  type UserFunction,
} from '../domain/calibration.ts';
import type { Fingerprint } from '../domain/journal.ts';
import { FileCache } from './code-files.ts';
import { isInPackage } from './code-packages.ts';
import { Reach } from './code-reach.ts';

export interface CodeDigest {
  readonly collectors: string;
  /** Of everything: what collectors use is a part of it. */
  readonly algorithms: string;
  /**
   * Every file that was looked at, absolute path -> SHA-256, and where links lead; of the config and of the file that defines the calibration
   * also this. While they are equal, so are the digests.
   */
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

/** One reader for one loading of a config: each file is read and parsed once. */
export function createCodeReader({ configPath: named, modules }: CodeReaderOptions): CodeReader {
  const directory = dirname(named);
  // What is loaded, and what its imports are relative to; `{config}` means the directory as it is named.
  const configPath = existsSync(named) ? realpathSync(named) : named;
  const files = new FileCache(dirname(configPath));
  const local = [configPath, ...modules].filter((path) => !isInPackage(path));
  let shared: Reach | null = null;
  const everything = () => {
    shared ??= Reach.ofEverything(files, configPath, local);
    return shared;
  };
  return {
    of(calibration, recorded = null) {
      const forCollectors = calibration.collections.flatMap((collection) => filesOfCollection(collection, directory));
      const forAlgorithms = calibration.algorithms.flatMap((algorithm) => filesOfAlgorithm(algorithm, directory));
      const roles = rolesOf(configPath, calibration.source);
      const known = reuse([configPath, ...local, ...roles.keys(), ...forCollectors, ...forAlgorithms], recorded, (path) =>
        [files.state(path), ...(roles.get(path) ?? [])].join(' '),
      );
      if (known !== null) return known;
      const whole = new Reach(files, configPath, everything);
      whole.start(calibration.source, 'whole');
      for (const path of [...forCollectors, ...forAlgorithms]) whole.addFile(path);
      const collectors = new Reach(files, configPath, everything);
      collectors.start(calibration.source, 'collectors');
      for (const path of forCollectors) collectors.addFile(path);
      const touched = Object.entries(whole.touched()).map(([path, state]) => [path, [state, ...(roles.get(path) ?? [])].join(' ')]);
      return { collectors: collectors.digest(), algorithms: whole.digest(), files: Object.fromEntries(touched) };
    },
  };
}

/** The same files mean something else where another of them is the config, or another definition in one of them is chosen. */
function rolesOf(configPath: string, source: SourceLocation | null): ReadonlyMap<string, readonly string[]> {
  const roles = new Map([[configPath, ['config']]]);
  if (source !== null) roles.set(source.file, [...(roles.get(source.file) ?? []), `from ${source.line}:${source.column}`]);
  return roles;
}

/** `paths`: what counts for certain; when one of them is new, another module was loaded or a program added. */
function reuse(paths: readonly string[], recorded: Fingerprint | null, stateOf: (path: string) => string): CodeDigest | null {
  const [collectors, algorithms] = [recorded?.collectors.code, recorded?.algorithms.code];
  if (recorded === null || collectors === undefined || algorithms === undefined) return null;
  if (!paths.every((path) => path in recorded.code || isInPackage(path))) return null;
  const isEqual = Object.entries(recorded.code).every(([path, state]) => stateOf(path) === state);
  return isEqual ? { collectors, algorithms, files: recorded.code } : null;
}

function filesOfCollection({ collect, container }: CollectionSpec, directory: string): readonly string[] {
  return filesNamed([...wordsOf(collect), ...imageOf(container, directory)], directory);
}

function filesOfAlgorithm({ run, setup, findBoundaries, container }: AlgorithmSpec, directory: string): readonly string[] {
  return filesNamed([...[run, setup, findBoundaries].flatMap(wordsOf), ...imageOf(container, directory)], directory);
}

const wordsOf = (task: UserFunction | Command | null): readonly string[] => (isCommand(task) ? task.argv : []);

/** podman has images by name, the others may have them as files. */
const imageOf = (container: CollectionSpec['container'], directory: string): readonly string[] =>
  container === null || container.runtime === 'podman' ? [] : [resolve(directory, container.image)];

/** What stands between paths in a line of shell, or before one: `--script=`, `PYTHONPATH=`. */
const BETWEEN = /[\s'"`;|&<>()=,:]+/;

/** Where a line of shell writes to: what it makes is no part of it, also where it reads it, and would have it done again for ever. */
const WRITTEN = />>?\|?\s*(?:"([^"]*)"|'([^']*)'|([^\s;|&<>()]+))/g;

/**
 * Existing files that words name, as a whole or behind an equals sign; within a line of shell those that look like code: notes, locks and
 * gates, which come and go while jobs run, seldom have an extension and are never executed.
 */
function filesNamed(words: readonly string[], directory: string): readonly string[] {
  const absolute = (path: string) => path.replaceAll('{config}', directory);
  const written = new Set(words.flatMap((word) => [...word.matchAll(WRITTEN)].map(([, ...parts]) => absolute(parts.join('')))));
  const whole = words.flatMap((word) => [word, word.slice(word.indexOf('=') + 1)]).map(absolute);
  const within = words.flatMap((word) => word.split(BETWEEN)).map(absolute);
  return [
    ...new Set([...whole.filter((path) => fileAt(path) !== null), ...within.filter((path) => !written.has(path) && looksLikeCode(path))]),
  ];
}

/** Null for a path that is not absolute, and where there is no file. */
function fileAt(path: string): Stats | null {
  const stats = isAbsolute(path) ? statSync(path, { throwIfNoEntry: false }) : undefined;
  return stats?.isFile() === true ? stats : null;
}

function looksLikeCode(path: string): boolean {
  const stats = fileAt(path);
  return stats !== null && (extname(path) !== '' || (stats.mode & 0o111) !== 0);
}
