// Reads the options of a strategy without ever throwing: what is wrong becomes a list of problems.
import { CafError, type Problem } from '../domain/errors.ts';
import { checkRun, type Run } from '../domain/iov.ts';
import { nearest } from '../domain/nearest.ts';

/** Gives back the checked value, or throws a CafError that says what is wrong. */
export type OptionReaders<Values> = { readonly [Name in keyof Values]: (value: unknown) => Values[Name] };

/** A value as a message shows it: short, on one line. */
const show = (value: unknown): string => {
  if (typeof value === 'function') return 'a function';
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === 'object' && value !== null) return 'an object';
  return typeof value === 'string' ? `'${value.slice(0, 60)}'` : String(value);
};

/** The options that are present and right, and a problem for each other one. `undefined` counts as absent. */
export function readOptions<Values>(
  strategy: string,
  given: unknown,
  readers: OptionReaders<Values>,
): { readonly values: Partial<Values>; readonly problems: readonly Problem[] } {
  const known = Object.keys(readers) as (keyof Values & string)[];
  if (given === undefined) return { values: {}, problems: [] };
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    return {
      values: {},
      problems: [{ path: '', message: `${strategy} takes an object of options (${known.join(', ')}), found ${show(given)}` }],
    };
  }
  const values: Partial<Values> = {};
  const problems: Problem[] = [];
  for (const [word, value] of Object.entries(given)) {
    const name = known.find((candidate) => candidate === word);
    if (name === undefined) {
      const near = nearest(word, known);
      const advice = near === null ? `it has ${known.join(', ')}` : `did you mean '${near}'?`;
      problems.push({ path: word, message: `${strategy} has no option '${word}': ${advice}` });
    } else if (value !== undefined) {
      try {
        values[name] = readers[name](value);
      } catch (error) {
        if (!(error instanceof CafError)) throw error;
        problems.push({ path: name, message: error.message });
      }
    }
  }
  return { values, problems };
}

export function readBoolean(value: unknown): boolean {
  if (typeof value === 'boolean') return value;
  throw new CafError('CAF_CONFIG_INVALID', `Expected true or false, found ${show(value)}`);
}

export function readStepSize(value: unknown): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 1) return value;
  throw new CafError('CAF_CONFIG_INVALID', `Expected a whole number of runs, at least 1, found ${show(value)}`);
}

export function readRuns(value: unknown): readonly Run[] {
  if (Array.isArray(value)) return value.map(checkRun);
  throw new CafError('CAF_CONFIG_INVALID', `Expected a list of runs [[experiment, run], ...], found ${show(value)}`);
}
