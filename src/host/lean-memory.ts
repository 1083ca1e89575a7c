// Keeps this process small: starting a process costs more, the more memory the one that starts it has, because fork copies its page tables.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/**
 * The young generation grows no more (1 MB in a fresh process, three times 16 MB in the end): what is made for a job lives shortly, what is
 * made of a config lives long, so that more room saves nothing. Not at the start: what V8 and Node have compiled beforehand counts only under
 * the flags it was compiled with, and modules of Node that are loaded later take twice as long.
 */
export const keepHeapSmall = (): void => setFlagsFromString('--semi-space-growth-factor=1');

/** Once there are jobs to run, and all code is loaded. They wait for the system, not for our code: the last level of V8's compiler would take 10 MB and a second core's time. */
export function becomeLean(): void {
  keepHeapSmall();
  setFlagsFromString('--no-turbofan');
}

/**
 * For thousands of jobs in hand, as on batch engines: the heap may exceed what lives by a seventh before it is collected, not by its double. 100,000 simulated
 * jobs took 278 MB; by a third, 302 MB and 3 % less processor time. The young generation, which planning may have made grow, becomes small again: a
 * collection of the last resort is all that makes it so.
 */
export function growHeapSlowly(): void {
  setFlagsFromString('--heap-growing-percent=15');
  setFlagsFromString('--expose-gc');
  runInNewContext("gc({ type: 'major', execution: 'sync', flavor: 'last-resort' })");
}
