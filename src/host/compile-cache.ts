// Compiled code, kept between starts: caf and its children are ready in half the time, and a config's types are stripped once.
import { accessSync, constants } from 'node:fs';
import { enableCompileCache, getCompileCacheDir } from 'node:module';
import { join } from 'node:path';

// Sources are run in development only.
const IS_BUNDLE = !import.meta.url.endsWith('.ts');

/** It never throws: without a cache everything works, only later. NODE_DISABLE_COMPILE_CACHE is obeyed. */
export function useCompileCache(env: NodeJS.ProcessEnv): void {
  if (!IS_BUNDLE) return;
  const directory = cacheDirectory(env);
  if (directory !== undefined) enableCompileCache(directory);
}

/** For children, which get it as NODE_COMPILE_CACHE; undefined = none is in use. */
export const compileCacheDirectory = (env: NodeJS.ProcessEnv): string | undefined =>
  IS_BUNDLE && getCompileCacheDir() !== undefined ? cacheDirectory(env) : undefined;

/**
 * As the environment says; else beside the bundle where that may be written, else in the user's own cache. What lies there is run: so
 * never in a directory that others may write to, such as /tmp. Undefined = there is no place for it.
 */
function cacheDirectory(env: NodeJS.ProcessEnv): string | undefined {
  if (env.NODE_COMPILE_CACHE) return env.NODE_COMPILE_CACHE;
  const bundle = import.meta.dirname;
  try {
    accessSync(bundle, constants.W_OK);
    return join(bundle, '.cache');
  } catch {
    const caches = env.XDG_CACHE_HOME || (env.HOME && join(env.HOME, '.cache'));
    return caches ? join(caches, 'calibration-framework') : undefined;
  }
}
