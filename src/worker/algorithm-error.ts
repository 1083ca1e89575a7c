// What an algorithm did wrong as one line: the message, its hint, and the place in the user's own files.
import { dirname, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bounded, CafError } from '../domain/errors.ts';

const FRAME = /(?:\(|at (?:async )?)((?:file:\/\/)?\/[^():]+):(\d+):\d+\)?$/;

/** `message (fit.ts:12)`: the place is the first line of the stack that is neither Node's nor caf's nor of an installed package. */
export function describeFailure(error: unknown, configPath: string): string {
  if (!(error instanceof Error))
    return `it threw ${bounded(typeof error === 'string' ? JSON.stringify(error) : shown(error))}, which is no Error`;
  const place = userPlace(error.stack ?? '', configPath);
  const name = error instanceof CafError || error.name === 'Error' ? '' : `${error.name}: `;
  const problems = error instanceof CafError ? error.problems.map(({ path, message }) => `\n  ${path}: ${message}`).join('') : '';
  const text = error.message.startsWith(name) ? error.message : `${name}${error.message}`;
  return `${text === '' ? 'it threw an Error without a message' : bounded(text)}${bounded(problems)}${place === null ? '' : ` (${place})`}`;
}

function shown(value: unknown): string {
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    return Object.prototype.toString.call(value);
  }
}

/** Directory of caf's own code: the bundle's, or `src`. */
const OWN = import.meta.dirname.endsWith('/src/worker') ? dirname(import.meta.dirname) : import.meta.dirname;

function userPlace(stack: string, configPath: string): string | null {
  const home = dirname(configPath);
  for (const line of stack.split('\n')) {
    const match = FRAME.exec(line.trim());
    const location = match?.[1];
    if (match === null || location === undefined) continue;
    const file = location.startsWith('file://') ? fileURLToPath(location) : location;
    if (file.includes('/node_modules/') || file.startsWith(`${OWN}/`)) continue;
    const fromHome = relative(home, file);
    return `${fromHome.startsWith('..') ? file : fromHome}:${match[2] ?? ''}`;
  }
  return null;
}
