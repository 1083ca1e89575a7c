// Where the imports of a module lead: to local files, to packages (which count by name and version), or to Node itself.
import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { createRequire, isBuiltin } from 'node:module';
import { dirname, isAbsolute, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

export type ImportTarget = (
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'package'; readonly name: string; readonly version: string }
  /** Part of Node, or caf itself: what they promise does not change with their version. */
  | { readonly kind: 'ignored' }
  | { readonly kind: 'unknown' }
) & {
  /** What decided it, absolute paths: links as they are named, manifests, and places where a nearer package would be found. */
  readonly via: readonly string[];
};

const OWN_NAME = 'calibration-framework';

export const isInPackage = (path: string): boolean => /[/\\]node_modules[/\\]/.test(path);

/** `importer`: absolute path. Packages linked into node_modules from elsewhere are local files. */
export function resolveImport(specifier: string, importer: string): ImportTarget {
  if (isBuiltin(specifier) || specifier === OWN_NAME || specifier.startsWith('data:')) return { kind: 'ignored', via: [] };
  if (/^(?:\.{1,2}(?:\/|$)|\/|file:)/.test(specifier)) return fileAt(fileURLToPath(new URL(specifier, pathToFileURL(importer))), []);
  if (specifier.startsWith('#')) return resolveByNode(specifier, importer, manifestsAbove(importer));
  const [first = '', second = ''] = specifier.split('/');
  const name = first.startsWith('@') ? `${first}/${second}` : first;
  const { manifest, via } = findManifest(name, importer);
  if (manifest === null) return { kind: 'package', name, version: 'not found', via };
  if (!isInPackage(manifest)) return resolveByNode(specifier, importer, via);
  return { kind: 'package', name, version: versionIn(manifest), via };
}

const fileAt = (path: string, via: readonly string[]): ImportTarget => ({
  kind: 'file',
  path: existsSync(path) ? realpathSync(path) : path,
  via: [...via, path],
});

function resolveByNode(specifier: string, importer: string, via: readonly string[]): ImportTarget {
  try {
    const path = createRequire(importer).resolve(specifier);
    return isAbsolute(path) ? fileAt(path, via) : { kind: 'ignored', via };
  } catch {
    // An ES module that only `import` can resolve: where it leads is not known, and the caller takes everything.
    return { kind: 'unknown', via };
  }
}

/** Each could say what `#name` stands for: the nearest one does, others would if it went away. */
const manifestsAbove = (importer: string): readonly string[] =>
  Array.from(directoriesAbove(importer), (directory) => join(directory, 'package.json'));

/** The package.json that Node would use for a bare name: in node_modules of a directory above, or the module's own package. */
function findManifest(name: string, importer: string): { readonly manifest: string | null; readonly via: readonly string[] } {
  const via: string[] = [];
  for (const directory of directoriesAbove(importer)) {
    const installed = join(directory, 'node_modules', name, 'package.json');
    via.push(installed);
    if (existsSync(installed)) return { manifest: realpathSync(installed), via };
    const own = join(directory, 'package.json');
    if (existsSync(own) && readManifest(own)?.name === name) return { manifest: own, via: [...via, own] };
  }
  return { manifest: null, via };
}

function* directoriesAbove(path: string): Generator<string> {
  let directory = dirname(path);
  for (; directory !== dirname(directory); directory = dirname(directory)) yield directory;
  yield directory;
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
