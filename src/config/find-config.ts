// Finds the config file a user means: a path, a directory, or the one in the working directory.
import { readdirSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { CafError } from '../domain/errors.ts';
import { nearest } from '../domain/nearest.ts';

/** Looked for in this order. */
export const CONFIG_NAMES = ['caf.config.ts', 'caf.config.mts', 'caf.config.js', 'caf.config.mjs'] as const;

/** Absolute path of an existing file. A directory means its caf.config.ts. CAF_CONFIG_NOT_FOUND says where it was looked for. */
export function findConfig(argument: string | undefined, cwd: string): string {
  const path = resolve(cwd, argument ?? '.');
  if (isDirectory(path)) {
    const name = CONFIG_NAMES.find((each) => isFile(join(path, each)));
    if (name !== undefined) return join(path, name);
    throw new CafError('CAF_CONFIG_NOT_FOUND', `There is no ${CONFIG_NAMES[0]} in ${path}`, { hint: hintFor(path, CONFIG_NAMES[0]) });
  }
  if (isFile(path)) return path;
  const directory = dirname(path);
  const where = isDirectory(directory) ? '' : `: there is no directory ${directory}`;
  throw new CafError('CAF_CONFIG_NOT_FOUND', `There is no config ${path}${where}`, { hint: hintFor(directory, basename(path)) });
}

function hintFor(directory: string, wanted: string): string {
  const modules = listFiles(directory).filter((name) => /\.[cm]?[jt]s$/.test(name) && !name.endsWith('.d.ts'));
  const near = nearest(wanted, modules) ?? modules.find((name) => /^caf\b.*\.config\.|\bcaf\.config\./.test(name));
  return near === undefined ? 'caf init makes one; or name one: caf run path/to/caf.config.ts' : `Did you mean ${join(directory, near)}?`;
}

const isFile = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isFile() === true;
const isDirectory = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;

function listFiles(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch {
    // Only a hint would have come of it.
    return [];
  }
}
