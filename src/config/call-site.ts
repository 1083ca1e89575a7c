// Where in the user's files something was defined: captured cheaply, read only when a message needs it.
import { fileURLToPath } from 'node:url';
import type { SourceLocation } from '../domain/calibration.ts';
import { isInPackage } from './code-packages.ts';

/** Key of the captured place on what define* returns; Symbol.for, so that two copies of the package agree. */
export const DEFINED_AT: unique symbol = Symbol.for('calibration-framework.defined-at') as never;

/** V8 formats `stack` only when it is read: capturing costs 2 µs and 0.1 µs more per frame, formatting 30 µs. */
export interface CallSite {
  readonly stack?: string;
}

/** Deeper recursions than this lose their outermost frame; rootOf then gives a place within a function. */
const FRAMES = 100;

/** The places that led to a call of `callee`. */
export function captureCallSite(callee: (...args: never[]) => unknown): CallSite {
  const site: CallSite = {};
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = FRAMES;
  Error.captureStackTrace(site, callee);
  Error.stackTraceLimit = limit;
  return site;
}

/** Where a value of define* was made, for messages: the user's own line, not one of a package. Null for what was not made by them. */
export function definedAt(value: unknown): SourceLocation | null {
  const frames = framesOf(ownPart(stackOf(value)));
  return frames.find(({ file }) => !isInPackage(file)) ?? frames[0] ?? null;
}

/**
 * Which top-level statement made a value of define*, through whatever functions: from it, all that was executed can be reached by name.
 * Within a function where that cannot be told, after a timer for instance. Null for what was not made by define*.
 */
export function rootOf(value: unknown): SourceLocation | null {
  return framesOf(ownPart(stackOf(value))).at(-1) ?? null;
}

function stackOf(value: unknown): string {
  if (typeof value !== 'object' || value === null) return '';
  const site = (value as { readonly [DEFINED_AT]?: CallSite })[DEFINED_AT];
  return typeof site?.stack === 'string' ? site.stack : '';
}

/** Below Node's module loader are those who asked for the module: caf itself, or a module that awaits its import(). */
function ownPart(stack: string): string {
  const loader = /^ +at .*\bnode:internal\/(?:modules|main|process)\//m.exec(stack);
  return loader === null ? stack : stack.slice(0, loader.index);
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
