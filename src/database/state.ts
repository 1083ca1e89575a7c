// The state of a published database: how far it is trusted, with its history, in a file beside the sealed image.
import { join } from 'node:path';
import { CafError } from '../domain/errors.ts';
import { appendLines, readLines } from './append-lines.ts';

export const STATE_FILE = 'STATE';

/** In the order they are passed through; `invalid` can follow any of them, and nothing follows it. */
export const STATES = ['committed', 'validated', 'published', 'invalid'] as const;
export type PublishedState = (typeof STATES)[number];
/** `draft`: of a running iteration. `text`: a database.txt without an image, which has no history. */
export type DatabaseState = PublishedState | 'draft' | 'text';

export interface StateChange {
  readonly state: PublishedState;
  /** RFC 3339, UTC. */
  readonly at: string;
  /** user@host */
  readonly actor: string;
  readonly note: string;
}

const FIRST_LINE = 'caf state 1: at, state, by, note (tabs between); the last one holds, invalid for ever';

export const isPublishedState = (text: string): text is PublishedState => (STATES as readonly string[]).includes(text);

/** All changes since it was committed, oldest first. CAF_DB_DAMAGED for a line that says nothing. */
export function readStates(directory: string): readonly StateChange[] {
  const path = join(directory, STATE_FILE);
  return readLines(path)
    .filter((line) => line !== FIRST_LINE && line !== '')
    .map((line, index) => {
      const [at = '', state = '', actor = '', note = ''] = line.split('\t');
      if (isPublishedState(state)) return { at, state, actor, note };
      throw new CafError('CAF_DB_DAMAGED', `${path}: entry ${index + 1} has no state: '${line.slice(0, 80)}'`, {
        hint: `Restore it from a copy; each line is a time, ${STATES.join(' or ')}, who, and a note, with tabs between.`,
      });
    });
}

/** Two who write at once cannot undo an `invalid`. */
export function stateOf(directory: string): PublishedState {
  const changes = readStates(directory);
  return changes.some(({ state }) => state === 'invalid') ? 'invalid' : (changes.at(-1)?.state ?? 'committed');
}

/** The line that made it invalid. */
export const invalidation = (directory: string): StateChange | null =>
  readStates(directory).find(({ state }) => state === 'invalid') ?? null;

/** CAF_DB_STATE when the change is not one step forward, nor to invalid; CAF_USAGE without a note. `directory` holds a sealed database. */
export function changeState(directory: string, change: StateChange): void {
  const { state, at, actor } = change;
  const note = oneLine(change.note);
  if (note === '') {
    throw new CafError('CAF_USAGE', `The state of ${directory} is changed with a note that says why`, { hint: 'Add: --note "..."' });
  }
  const from = stateOf(directory);
  checkStep(directory, from, state);
  const line = [at, state, oneLine(actor), note].join('\t');
  const head = readLines(join(directory, STATE_FILE)).length === 0 ? [FIRST_LINE] : [];
  appendLines(join(directory, STATE_FILE), [...head, line], { durable: true });
}

/** CAF_DB_STATE */
export function checkStep(directory: string, from: PublishedState, to: PublishedState): void {
  if (from === 'invalid') {
    const { at = '', note = '' } = invalidation(directory) ?? {};
    throw new CafError('CAF_DB_STATE', `${directory} is invalid since ${at} (${note}); that is final`, {
      hint: 'Make a new database: run the calibration again, or caf db import.',
    });
  }
  if (to === 'invalid' || STATES.indexOf(to) === STATES.indexOf(from) + 1) return;
  const next = STATES[STATES.indexOf(from) + 1] ?? 'invalid';
  throw new CafError('CAF_DB_STATE', `${directory} is ${from}; it cannot become ${to}`, {
    hint: next === 'invalid' ? 'From here it can only become invalid.' : `The next state is ${next}; invalid can always follow.`,
  });
}

/** What a chain may contain unless it is told otherwise. */
export const USABLE_STATES: readonly DatabaseState[] = ['committed', 'validated', 'published', 'text', 'draft'];

/** CAF_DB_STATE for a member that is not in a usable state; `invalid` is never usable, whatever is allowed. */
export function checkUsable(directory: string, state: DatabaseState, usable: readonly DatabaseState[] = USABLE_STATES): void {
  if (state === 'invalid') {
    const { at = '', actor = '', note = '' } = invalidation(directory) ?? {};
    throw new CafError('CAF_DB_STATE', `${directory} is invalid: ${note} (${actor}, ${at}). No chain may contain it`, {
      hint: 'Take another version (caf db ls), or make it anew: caf reset and caf run.',
    });
  }
  if (usable.includes(state)) return;
  throw new CafError('CAF_DB_STATE', `${directory} is ${state}; this chain takes only databases that are ${usable.join(' or ')}`, {
    hint: `Change its state first: caf db state ${directory} ${usable[0] ?? 'validated'} --note "..."`,
  });
}

const oneLine = (text: string): string => text.replaceAll(/\s+/g, ' ').trim();
