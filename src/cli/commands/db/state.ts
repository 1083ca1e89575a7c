// `caf db state`: how far a database is trusted, and who said so when.
import { type Command, InvalidArgumentError } from 'commander';
import { CafError } from '../../../domain/errors.ts';
import { actorHere } from '../../../host/actor.ts';
import { addExamples } from '../../examples.ts';
import type { Io } from '../../io.ts';
import { drawStates } from '../db-versions-text.ts';
import { answer, databaseAt, type Json, json, note, pathHelp } from './common.ts';

/** The same list as in database/state.ts, which is loaded only when the command runs; a test compares them. */
export const STATE_NAMES = ['committed', 'validated', 'published', 'invalid'] as const;
type StateName = (typeof STATE_NAMES)[number];

export function registerState(db: Command, io: Io): void {
  const command = db
    .command('state')
    .description('Tells the state of a database and its history; with a state, changes it: validated, published or invalid.')
    .argument('<path>', pathHelp)
    .argument('[state]', 'validated, published or invalid', stateArgument)
    .addOption(note())
    .option('--dry-run', 'only say whether it could be done')
    .addOption(json())
    .action(async (path: string, to: StateName | undefined, options: Json & { note?: string; dryRun?: boolean }) => {
      const { openDatabase } = await import('../../../database/open.ts');
      const { changeState, checkStep, readStates } = await import('../../../database/state.ts');
      const database = openDatabase(await databaseAt(io, path));
      const { directory, state } = database;
      database.close();
      if (to !== undefined) {
        if (state === 'draft' || state === 'text') {
          throw new CafError('CAF_DB_STATE', `${directory} is ${state === 'draft' ? 'a draft' : 'in text form'} and has no states`, {
            hint: state === 'draft' ? 'Wait for its iteration to be committed.' : 'Make a sealed database of it: caf db import',
          });
        }
        if (options.dryRun === true) checkStep(directory, state, to);
        else changeState(directory, { state: to, at: new Date().toISOString(), actor: actorHere(), note: options.note ?? '' });
      }
      const changes = readStates(directory);
      const now = to === undefined || options.dryRun === true ? state : to;
      answer(io, options, { v: 1, directory, state: now, changes }, (context) => drawStates(directory, now, changes, context));
    });
  addExamples(command, [
    ['caf db state localdb', 'the history'],
    ['caf db state localdb validated --note "checked by the ECL group"', 'a step forward'],
    ['caf db state localdb invalid --note "wrong field map"', 'final: no chain takes it any more'],
  ]);
}

function stateArgument(text: string): StateName {
  const known = STATE_NAMES.find((state) => state === text);
  if (known === undefined) throw new InvalidArgumentError(`It must be one of ${STATE_NAMES.join(', ')}.`);
  return known;
}
