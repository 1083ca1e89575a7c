// Where in the user's files something was defined: captured cheaply, read only when a message needs it.
import { fileURLToPath } from 'node:url';
import type { SourceLocation } from '../domain/calibration.ts';

/** Key of the captured place on what define* returns; Symbol.for, so that two copies of the package agree. */
export const DEFINED_AT: unique symbol = Symbol.for('calibration-framework.defined-at') as never;

/** V8 formats `stack` only when it is read: capturing costs 2 µs, formatting 30 µs. */
export interface CallSite {
  readonly stack?: string;
}

/** The place that called `callee`. */
export function captureCallSite(callee: (...args: never[]) => unknown): CallSite {
  const site: CallSite = {};
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 1;
  Error.captureStackTrace(site, callee);
  Error.stackTraceLimit = limit;
  return site;
}

/** Where a value of define* was made; null for what was not made by them. */
export function definedAt(value: unknown): SourceLocation | null {
  if (typeof value !== 'object' || value === null) return null;
  const site = (value as { readonly [DEFINED_AT]?: CallSite })[DEFINED_AT];
  return typeof site?.stack === 'string' ? (framesOf(site.stack)[0] ?? null) : null;
}

/** The frames of a stack that lie in files, innermost first. */
export function framesOf(stack: string): SourceLocation[] {
  const frames: SourceLocation[] = [];
  for (const [, url, line, column] of stack.matchAll(/^ +at (?:.*\(|async )?(file:\/\/[^\n]*?|\/[^\n]*?):(\d+):(\d+)\)?$/gm)) {
    const file = pathOf(url ?? '');
    if (file !== null) frames.push({ file, line: Number(line), column: Number(column) });
  }
  return frames;
}

function pathOf(url: string): string | null {
  if (!url.startsWith('file:')) return url;
  try {
    return fileURLToPath(url.replace(/[?#].*$/, ''));
  } catch {
    return null;
  }
}
