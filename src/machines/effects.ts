// What machines may ask for: the journal, the report, and the named asynchronous effects that runners provide.
import type { CafEvent } from '../domain/event.ts';
import type { JournalEntry } from '../domain/journal.ts';

/** Stands where a runner must provide an effect; reaching it is a bug. */
export const notProvided = (effect: string) => (): never => {
  throw new Error(`effect "${effect}" was not provided`);
};

/** The two synchronous effects of every machine: write it down, and tell it. The entry is on disk before the next effect begins. */
export const writeAndTell = {
  journal: (_: unknown, _entry: JournalEntry): void => notProvided('journal')(),
  tell: (_: unknown, _event: CafEvent): void => notProvided('tell')(),
};
