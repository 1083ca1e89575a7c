// Keeps this process small: starting a process costs more, the more memory the one that starts it has, because fork copies its page tables.
import { setFlagsFromString } from 'node:v8';

/**
 * From the start: the young generation stays as it is (1 MB in a fresh process) instead of growing to three times 16 MB. What is made for a
 * job lives shortly or for long: more room would save nothing.
 */
export const keepHeapSmall = (): void => setFlagsFromString('--semi-space-growth-factor=1');

/** Once jobs run: they wait for the system, not for our code. The last level of its compiler would take 10 MB and a second core's time. */
export const compileLess = (): void => setFlagsFromString('--no-turbofan');
