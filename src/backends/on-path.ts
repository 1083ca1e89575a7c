// Whether a program is where a name without a slash is looked for.
import { statSync } from 'node:fs';
import { join } from 'node:path';

/**
 * The system answers EACCES, not ENOENT, for a program that is nowhere, as soon as one directory of PATH may not be searched:
 * that of another user, for instance, after `su`.
 */
export function isOnPath(program: string, path: string | undefined): boolean {
  return (path ?? '').split(':').some((directory) => isThere(join(directory, program)));
}

function isThere(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
  } catch {
    // A directory that may not be searched.
    return false;
  }
}
