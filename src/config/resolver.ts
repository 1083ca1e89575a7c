// Lets a config anywhere import 'calibration-framework' and 'zod' without an installation, and remembers who imports whom.
import { existsSync } from 'node:fs';
import { createRequire, registerHooks } from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';

const OWN = 'calibration-framework';
const require = createRequire(import.meta.url);

// src/config/resolver.ts runs unbuilt in development; else this is in a file of dist/.
const SOURCE = import.meta.url.endsWith('.ts');
const OWN_CODE = new URL(SOURCE ? '../' : './', import.meta.url).href;
const READY_MADE = new URL('./calibrations/', OWN_CODE).href;

/** URL of a local file -> URLs of what it imports. Kept for the life of the process: a module is loaded once, and asked about again. */
const imports = new Map<string, Set<string>>();
const failures = new WeakMap<object, FailedImport>();
const listeners = new Set<(specifier: string) => void>();
let isRegistered = false;

export interface FailedImport {
  readonly specifier: string;
  /** URL of the file that imports it. */
  readonly parent: string;
}

const isOwn = (specifier: string): boolean => specifier === OWN || specifier.startsWith(`${OWN}/`);
const isZod = (specifier: string): boolean => specifier === 'zod' || specifier.startsWith('zod/');

/** In source form the package resolves to its source. Null = as package.json says. */
function sourceOf(specifier: string): string | null {
  if (!SOURCE || !isOwn(specifier)) return null;
  const ready = /^calibration-framework\/calibrations\/([\w-]+)$/.exec(specifier)?.[1];
  const url = new URL(ready === undefined ? '../index.ts' : `../../calibrations/${ready}/calibration.ts`, import.meta.url);
  return existsSync(url) ? url.href : null;
}

/** Where a process that has the package's values already finds them, instead of loading its files: a fifth of a start. */
const DOOR = Symbol.for('calibration-framework.front-door');
const OWN_INDEX = new URL('./index.js', import.meta.url).href;
const DOOR_URL = `${OWN_INDEX}?in-process`;

/** Configs of this process get these values when they import this very package. Before registerResolver; does nothing in source form. */
export function giveFrontDoor(values: object): void {
  if (!SOURCE) Object.assign(globalThis, { [DOOR]: values });
}

const frontDoor = (): object | undefined => (globalThis as { readonly [DOOR]?: object })[DOOR];

/** Once per process, before a config is loaded; also in children. Repeated calls do nothing. */
export function registerResolver(): void {
  if (isRegistered) return;
  isRegistered = true;
  registerHooks({
    resolve(specifier, context, next) {
      for (const listener of listeners) listener(specifier);
      const parent = context.parentURL;
      const source = sourceOf(specifier);
      if (source !== null) {
        remember(parent, source);
        return { url: source, format: 'module-typescript', shortCircuit: true };
      }
      try {
        const resolved = next(specifier, context);
        remember(parent, resolved.url);
        return resolved.url === OWN_INDEX && frontDoor() !== undefined ? DOOR_MODULE : resolved;
      } catch (error) {
        // Not installed where the config is: ours will do.
        if (parent !== import.meta.url && (isOwn(specifier) || isZod(specifier))) {
          if (specifier === OWN && frontDoor() !== undefined) return DOOR_MODULE;
          if ([...context.conditions].includes('require'))
            return { url: pathToFileURL(require.resolve(specifier)).href, shortCircuit: true };
          const resolved = next(specifier, { ...context, parentURL: import.meta.url });
          remember(parent, resolved.url);
          return resolved;
        }
        if (typeof error === 'object' && error !== null && parent !== undefined) failures.set(error, { specifier, parent });
        throw error;
      }
    },
    load(url, context, next) {
      const door = url === DOOR_URL ? frontDoor() : undefined;
      if (door === undefined) return next(url, context);
      const source = `export const { ${Object.keys(door).join(', ')} } = globalThis[Symbol.for('calibration-framework.front-door')];`;
      return { format: 'module', source, shortCircuit: true };
    },
  });
}

const DOOR_MODULE = { url: DOOR_URL, format: 'module', shortCircuit: true } as const;

function remember(parent: string | undefined, url: string): void {
  if (parent === undefined || !isLocal(parent) || !isLocal(url)) return;
  const known = imports.get(parent);
  if (known === undefined) imports.set(parent, new Set([url]));
  else known.add(url);
}

/** The user's own files: neither installed packages nor caf, but with the ready-made calibrations. */
export const isLocal = (url: string): boolean =>
  url.startsWith('file:') && !url.includes('/node_modules/') && (!url.startsWith(OWN_CODE) || url.startsWith(READY_MADE));

/** Absolute paths of the local files that were loaded for `url`, itself first, then in the order of the imports. */
export function modulesOf(url: string): readonly string[] {
  const seen = new Set([url]);
  for (const each of seen) for (const imported of imports.get(each) ?? []) seen.add(imported);
  return [...new Set([...seen].map((each) => fileURLToPath(each)))];
}

/** What could not be resolved, when that is the error. */
export const failedImportOf = (error: unknown): FailedImport | undefined =>
  typeof error === 'object' && error !== null ? failures.get(error) : undefined;

/** Calls `listener` with each specifier that is resolved, before what it names is run. Returns the way to stop. */
export function onImport(listener: (specifier: string) => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
