// Where jobs are on a batch engine, in words: `16 running, 184 queued (Priority)`. Pure.
import type { EngineCounts } from '../domain/event.ts';
import { count } from './text.ts';

/** Empty where there is none. */
export const someText = (n: number, word: string): string => (n > 0 ? `${n} ${word}` : '');

/** Only the places that have any; the first number with `noun`, where there is one. */
export function placesText(running: number, { queued, held, suspended, reason }: EngineCounts, noun = ''): string {
  const waiting = someText(queued, 'queued');
  const texts = [
    someText(running, 'running'),
    waiting !== '' && reason !== null ? `${waiting} (${reason})` : waiting,
    someText(held, 'held'),
    someText(suspended, 'suspended'),
  ];
  const text = texts.filter((each) => each !== '').join(', ');
  return noun === '' ? text : text.replace(/^\d+/, (first) => count(Number(first), noun));
}

/** Of several calibrations; the reason is that of the longest queue. Null where there are none. */
export function sumOfEngines(counts: readonly EngineCounts[]): EngineCounts | null {
  const [longest] = [...counts].sort((a, b) => b.queued - a.queued);
  if (longest === undefined) return null;
  const sum = (of: (each: EngineCounts) => number): number => counts.reduce((total, each) => total + of(each), 0);
  return { ...longest, queued: sum(({ queued }) => queued), held: sum(({ held }) => held), suspended: sum(({ suspended }) => suspended) };
}
