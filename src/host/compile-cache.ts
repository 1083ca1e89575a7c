// Compiled code, kept between starts: caf and its children are ready in half the time, and a config's types are stripped once.
import { accessSync, constants } from 'node:fs';
import { enableCompileCache, getCompileCacheDir } from 'node:module';
import { homedir } from 'node:os';
import { join } from 'node:path';

// Sources are run in development only.
const IS_BUNDLE = !import.meta.url.endsWith('.ts');

/** It never throws: without a cache everything works, only later. NODE_DISABLE_COMPILE_CACHE is obeyed. */
export function useCompileCache(env: NodeJS.ProcessEnv): void {
  if (IS_BUNDLE) enableCompileCache(cacheDirectory(env));
}

/** For children, which get it as NODE_COMPILE_CACHE; undefined = none is in use. */
export const compileCacheDirectory = (env: NodeJS.ProcessEnv): string | undefined =>
  IS_BUNDLE && getCompileCacheDir() !== undefined ? cacheDirectory(env) : undefined;

/**
 * As the environment says; else beside the bundle where that may be written, else in the user's own cache. What lies there is run: so
 * never in a directory that others may write to, such as /tmp.
 */
function cacheDirectory(env: NodeJS.ProcessEnv): string {
  if (env.NODE_COMPILE_CACHE) return env.NODE_COMPILE_CACHE;
  const bundle = import.meta.dirname;
  try {
    accessSync(bundle, constants.W_OK);
    return join(bundle, '.cache');
  } catch {
    return join(env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'calibration-framework');
  }
}
