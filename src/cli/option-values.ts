// Values of options and arguments, read by commander: each returns the value, or throws what commander tells the user.
import { InvalidArgumentError } from 'commander';
import { CafError } from '../domain/errors.ts';
import { type Iov, parseIov } from '../domain/iov.ts';
import { parseDuration, parseSize } from '../domain/quantity.ts';

/** One more of an option that may be given several times. */
export const repeated = (text: string, before: readonly string[] = []): readonly string[] => [...before, text];

export function wholeNumber(text: string): number {
  if (!/^\d{1,16}$/.test(text)) throw new InvalidArgumentError('It must be a whole number, 0 or larger.');
  return Number(text);
}

export function coresOption(text: string): number {
  if (!/^[1-9]\d{0,5}$/.test(text)) throw new InvalidArgumentError('Expected a whole number of cores.');
  return Number(text);
}

export function sizeOption(text: string): number {
  const bytes = parseSize(text);
  if (bytes === null) throw new InvalidArgumentError("Expected a size such as '8 GB'.");
  return bytes;
}

export function durationOption(text: string): number {
  const ms = parseDuration(text);
  if (ms === null) throw new InvalidArgumentError("Expected a duration such as '12 h' or '2 d'.");
  return ms;
}

export function iovOption(text: string): Iov {
  try {
    return parseIov(text);
  } catch (error) {
    if (error instanceof CafError) throw new InvalidArgumentError(`${error.message}. ${error.hint ?? ''}`);
    throw error;
  }
}
