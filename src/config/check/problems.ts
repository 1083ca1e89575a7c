// Collects what is wrong with a config: all of it, each with its path, without costing anything while nothing is wrong.
import type { SourceLocation } from '../../domain/calibration.ts';
import type { Problem } from '../../domain/errors.ts';
import { nearest } from '../../domain/nearest.ts';
import { definedAt } from '../call-site.ts';

/** Where a value stands in the config. A linked list: it becomes text only when there is a problem. */
export interface Place {
  readonly parent: Place | null;
  /** `calibrations`, `.gain`, `[2]` */
  readonly key: string;
  /** What define* returned here, which knows its line in the user's file. */
  readonly owner?: unknown;
}

export interface ConfigProblem extends Problem {
  /** Where the calibration with the problem is defined, when that is known. */
  readonly at: SourceLocation | null;
  /** `t0 -> gain -> t0`, when that is the problem. */
  readonly circle?: string;
}

/** Searching 10,000 names for each of 10,000 mistakes helps nobody. */
const SUGGESTIONS = 100;

export class Problems {
  readonly list: ConfigProblem[] = [];

  report(place: Place, message: string): void {
    this.list.push({ path: pathText(place), message, at: locationOf(place) });
  }

  reportCircle(place: Place, circle: string): void {
    const message = `these calibrations wait for each other: ${circle}`;
    this.list.push({ path: pathText(place), message, at: locationOf(place), circle });
  }

  expected(place: Place, what: string, found: unknown): void {
    this.report(place, `expected ${what}, found ${show(found)}`);
  }

  /** `; did you mean 'gain'?`, or nothing. */
  didYouMean(word: string, candidates: Iterable<string>): string {
    const near = this.list.length < SUGGESTIONS ? nearest(word, candidates) : null;
    return near === null ? '' : `; did you mean '${near}'?`;
  }
}

export const option = (parent: Place, name: string): Place => ({ parent, key: `.${name}` });
export const index = (parent: Place, number: number): Place => ({ parent, key: `[${number}]` });

const PLAIN_KEY = /^[A-Za-z0-9_][A-Za-z0-9_.+-]{0,99}$/;
/** A member of a list or table that has a name: by its name where that can be printed as it is. */
export const member = (parent: Place, name: unknown, otherwise: number | string, owner?: unknown): Place => {
  const key =
    typeof name === 'string' && PLAIN_KEY.test(name) ? `.${name}` : `[${typeof otherwise === 'number' ? otherwise : show(otherwise)}]`;
  return { parent, key, owner };
};

/** `calibrations.gain.backend` */
export function pathText(place: Place): string {
  let text = '';
  for (let at: Place | null = place; at !== null; at = at.parent) text = at.key + text;
  return text === '' ? 'default export' : text.replace(/^\./, '');
}

function locationOf(place: Place): SourceLocation | null {
  for (let at: Place | null = place; at !== null; at = at.parent) {
    const location = definedAt(at.owner);
    if (location !== null) return location;
  }
  return null;
}

/** A value as a message shows it: short, on one line, control characters escaped. */
export function show(value: unknown): string {
  switch (typeof value) {
    case 'undefined':
      return 'nothing';
    case 'string': {
      const text = JSON.stringify(value).slice(1, -1).replaceAll('\\"', '"');
      return `'${text.length > 60 ? `${text.slice(0, 57)}...` : text}'`;
    }
    case 'function':
      return value.name === '' ? 'a function' : `the function ${value.name.slice(0, 60)}`;
    case 'object':
      if (value === null) return 'null';
      if (Array.isArray(value)) return showArray(value);
      if (value instanceof Promise) return 'a promise';
      if (value instanceof RegExp) return String(value);
      return Object.keys(value).length === 0 ? '{}' : 'an object';
    default:
      return String(value);
  }
}

function showArray(value: readonly unknown[]): string {
  if (value.length > 6 || value.some((entry) => typeof entry === 'object' && entry !== null)) return `an array of ${value.length}`;
  return `[${value.map((entry) => (entry === undefined ? 'undefined' : show(entry))).join(', ')}]`;
}
