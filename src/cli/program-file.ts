// Where caf itself lies, for another process that is to run it.
import { fileURLToPath } from 'node:url';

/** Absolute path of the program: beside the bundle, or beside the sources when `here` is one of them. */
export const programOf = (here: string): string =>
  fileURLToPath(new URL(here.endsWith('.ts') ? '../../bin/caf.js' : '../bin/caf.js', here));
