// Translates what can go wrong when a config is loaded into one error: what is true, where in the user's files, what to do.
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, relative, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { SourceLocation } from '../domain/calibration.ts';
import { CafError } from '../domain/errors.ts';
import { nearest } from '../domain/nearest.ts';
import { framesOf } from './call-site.ts';
import { show } from './check/problems.ts';
import { type FailedImport, failedImportOf, isLocal } from './resolver.ts';

export function loadError(error: unknown, configPath: string): CafError {
  const failed = failedImportOf(error);
  if (failed !== undefined) return missingImport(failed, configPath, error);
  if (!(error instanceof Error)) {
    return new CafError('CAF_CONFIG_LOAD', `${nameOf(configPath, configPath)} throws ${show(error)}, which is not an Error`, {
      cause: error,
    });
  }
  const code = (error as { readonly code?: unknown }).code;
  const missing = /^The requested module '(.*)' does not provide an export named '(.*)'/.exec(error.message);
  if (missing !== null) return missingExport(missing[1] ?? '', missing[2] ?? '', placeInStack(error), configPath, error);
  const place = placeInStack(error) ?? framesOf(error.stack ?? '').find(({ file }) => isLocal(pathToFileURL(file).href));
  const at = place === undefined ? {} : { at: place };
  const name = nameOf(place?.file ?? configPath, configPath);
  const message = firstLine(error.message);
  if (code === 'ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX') {
    return new CafError('CAF_CONFIG_LOAD', `${name} uses TypeScript that Node cannot strip: ${message}`, {
      ...at,
      hint: 'Node only removes types: write a const object or a union of texts instead of an enum, fields instead of parameter properties, modules instead of namespaces.',
      cause: error,
    });
  }
  if (error instanceof SyntaxError && (code === 'ERR_INVALID_TYPESCRIPT_SYNTAX' || placeInStack(error) !== undefined)) {
    const commonjs = /import statement outside a module|Unexpected token 'export'/.test(error.message);
    return new CafError('CAF_CONFIG_LOAD', `${name} has a syntax error: ${message}`, {
      ...at,
      ...(commonjs
        ? { hint: `The package.json beside it says "type": "commonjs": rename it to end in .mts, or say "type": "module".` }
        : {}),
      cause: error,
    });
  }
  if (code === 'ERR_UNSUPPORTED_NODE_MODULES_TYPE_STRIPPING') {
    return new CafError('CAF_CONFIG_LOAD', `${name} imports TypeScript from node_modules, where Node strips no types: ${message}`, {
      ...at,
      hint: 'Import its JavaScript build, or copy the file beside the config.',
      cause: error,
    });
  }
  const kind = error.name === 'Error' ? '' : `${error.name}: `;
  return new CafError('CAF_CONFIG_LOAD', `${name} throws while it is loaded: ${kind}${message}`, { ...at, cause: error });
}

const firstLine = (text: string): string => text.split('\n', 1)[0] ?? '';

/** As seen from the directory of the config. */
const nameOf = (file: string, configPath: string): string => {
  const short = relative(dirname(configPath), file);
  return short === '' || short.startsWith('..') ? file : short;
};

/** Node puts `file:line`, the source line and a caret before the message of a syntax error. */
function placeInStack(error: Error): SourceLocation | undefined {
  const lines = (error.stack ?? '').split('\n');
  const [, url = '', line] = /^(file:\/\/.*|\/.*):(\d+)$/.exec(lines[0] ?? '') ?? [];
  if (line === undefined) return undefined;
  const caret = lines.slice(1, 6).find((each) => /^\s*\^+\s*$/.test(each));
  return { file: url.startsWith('file:') ? fileURLToPath(url) : url, line: Number(line), column: (caret?.indexOf('^') ?? 0) + 1 };
}

function missingImport({ specifier, parent }: FailedImport, configPath: string, cause: unknown): CafError {
  const importer = parent.startsWith('file:') ? fileURLToPath(parent) : configPath;
  // caf itself asks for the config.
  if (!isLocal(parent)) return new CafError('CAF_CONFIG_LOAD', `${configPath} cannot be read: ${firstLine(String(cause))}`, { cause });
  const place = findImport(importer, specifier);
  return new CafError('CAF_CONFIG_LOAD', `${nameOf(importer, configPath)} imports ${show(specifier)}, which does not exist`, {
    ...(place === null ? {} : { at: place }),
    hint: importHint(specifier, importer),
    cause,
  });
}

function importHint(specifier: string, importer: string): string {
  if (!/^(?:\.|\/|file:)/.test(specifier)) {
    const name = specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');
    return `Install it beside the config: npm install ${name}`;
  }
  const base = specifier.replace(/\.[cm]?js$/, '');
  const found = [`${base}.ts`, `${base}.mts`, `${base}.js`, `${base}.mjs`, `${base}/index.ts`].find((each) =>
    existsSync(resolve(dirname(importer), each)),
  );
  return found === undefined ? `There is no file ${resolve(dirname(importer), specifier)}` : `Write the name as it is: ${show(found)}`;
}

function missingExport(specifier: string, name: string, at: SourceLocation | undefined, configPath: string, cause: Error): CafError {
  const importer = at?.file ?? configPath;
  const near = nearest(name, exportsOf(specifier, importer));
  return new CafError(
    'CAF_CONFIG_LOAD',
    `${nameOf(importer, configPath)} imports ${name} from ${show(specifier)}, which does not export it`,
    {
      ...(at === undefined ? {} : { at }),
      ...(near === null ? {} : { hint: `Did you mean ${near}?` }),
      cause,
    },
  );
}

/** The module has just been loaded for the config: asking again costs nothing. */
function exportsOf(specifier: string, importer: string): readonly string[] {
  try {
    return Object.keys(createRequire(importer)(specifier) as object);
  } catch {
    // Without its names there is no suggestion; the error itself is being told.
    return [];
  }
}

/** Where the file names what it imports. */
function findImport(file: string, specifier: string): SourceLocation | null {
  const lines = readFileSync(file, 'utf8').split('\n');
  for (const [number, line] of lines.entries()) {
    const column = ["'", '"', '`'].map((quote) => line.indexOf(quote + specifier + quote)).find((each) => each >= 0);
    if (column !== undefined) return { file, line: number + 1, column: column + 1 };
  }
  return null;
}
