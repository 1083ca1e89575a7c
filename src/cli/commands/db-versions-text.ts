// What `caf db` says to people about versions: states, names and their history. Pure.
import type { StateChange } from '../../database/state.ts';
import { drawTable, oneLine } from '../../report/text.ts';
import type { DrawContext } from './db-text.ts';

export function drawStates(
  directory: string,
  state: string,
  changes: readonly StateChange[],
  { style, short }: DrawContext,
): readonly string[] {
  const head = `${style.paint('bold', short(directory))}   ${state === 'invalid' ? style.paint('red', state) : state}`;
  if (changes.length === 0) return [head];
  const rows = changes.map((change) => [oneLine(change.at), change.state, oneLine(change.actor), oneLine(change.note)]);
  const [header = '', ...lines] = drawTable(['at', 'state', 'by', 'note'], rows);
  return [head, '', style.paint('dim', header), ...lines];
}
