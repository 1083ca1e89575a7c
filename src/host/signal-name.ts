// Names of signals by their numbers, as on this system.
import { constants } from 'node:os';

const NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(constants.signals)
    .map(([name, number]): [number, string] => [number, name])
    .reverse(),
);

/** `SIGKILL` for 9; null where no signal has this number. */
export const signalName = (number: number): string | null => NAMES.get(number) ?? null;
