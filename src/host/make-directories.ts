// Makes a directory and those above it, also where `mkdir` with `recursive` would never return.
import { existsSync, mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';

/**
 * The outermost directory that was made; undefined when all were there. Throws what `mkdir` says.
 * Node's own `recursive` tries for ever where a directory that is there answers ENOENT to a new entry, as those of automounters and /proc do.
 */
export function makeDirectories(path: string): string | undefined {
  const missing: string[] = [];
  for (let each = path; !existsSync(each) && each !== dirname(each); each = dirname(each)) missing.push(each);
  if (missing.length === 0 && !statSync(path).isDirectory()) mkdirSync(path);
  const made = missing.reverse().filter(makeOne);
  return made[0];
}

/** False when somebody else made it meanwhile. */
function makeOne(path: string): boolean {
  try {
    mkdirSync(path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST' || statSync(path, { throwIfNoEntry: false })?.isDirectory() !== true)
      throw error;
    return false;
  }
}
