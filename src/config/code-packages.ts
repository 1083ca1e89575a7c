// Where the imports of a module lead: to local files, to packages (which count by name and version), or to Node itself.
import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { createRequire, isBuiltin } from 'node:module';
import { dirname, isAbsolute, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

export type ImportTarget =
  | { readonly kind: 'file'; readonly path: string }
  /** `manifest`: its package.json; null = not found. */
  | { readonly kind: 'package'; readonly name: string; readonly version: string; readonly manifest: string | null }
  /** Part of Node, or caf itself: what they promise does not change with their version. */
  | { readonly kind: 'ignored' }
  | { readonly kind: 'unknown' };

const OWN_NAME = 'calibration-framework';

export const isInPackage = (path: string): boolean => /[/\\]node_modules[/\\]/.test(path);

/** `importer`: absolute path. Packages linked into node_modules from elsewhere are local files. */
export function resolveImport(specifier: string, importer: string): ImportTarget {
  if (isBuiltin(specifier) || specifier === OWN_NAME || specifier.startsWith('data:')) return { kind: 'ignored' };
  if (/^(?:\.{1,2}(?:\/|$)|\/|file:)/.test(specifier)) return fileAt(fileURLToPath(new URL(specifier, pathToFileURL(importer))));
  if (specifier.startsWith('#')) return resolveByNode(specifier, importer);
  const [first = '', second = ''] = specifier.split('/');
  const name = first.startsWith('@') ? `${first}/${second}` : first;
  const manifest = findManifest(name, importer);
  if (manifest === null) return { kind: 'package', name, version: 'not found', manifest: null };
  if (!isInPackage(manifest)) return resolveByNode(specifier, importer);
  return { kind: 'package', name, version: versionIn(manifest), manifest };
}

const fileAt = (path: string): ImportTarget => ({ kind: 'file', path: existsSync(path) ? realpathSync(path) : path });

function resolveByNode(specifier: string, importer: string): ImportTarget {
  try {
    const path = createRequire(importer).resolve(specifier);
    return isAbsolute(path) ? fileAt(path) : { kind: 'ignored' };
  } catch {
    // An ES module that only `import` can resolve: where it leads is not known, and the caller takes everything.
    return { kind: 'unknown' };
  }
}

/** The package.json that Node would use for a bare name: in node_modules of a directory above, or the module's own package. */
function findManifest(name: string, importer: string): string | null {
  for (let directory = dirname(importer); ; directory = dirname(directory)) {
    const installed = join(directory, 'node_modules', name, 'package.json');
    if (existsSync(installed)) return realpathSync(installed);
    const own = join(directory, 'package.json');
    if (existsSync(own) && readManifest(own)?.name === name) return own;
    if (directory === dirname(directory)) return null;
  }
}

const versionIn = (manifest: string): string => {
  const version = readManifest(manifest)?.version;
  return typeof version === 'string' ? version : 'no version';
};

/** Null for a package.json that is none: then it names no package and has no version. */
function readManifest(path: string): { readonly name?: unknown; readonly version?: unknown } | null {
  try {
    const manifest: unknown = JSON.parse(readFileSync(path, 'utf8'));
    return typeof manifest === 'object' ? manifest : null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}
