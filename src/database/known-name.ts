// A payload name that somebody typed: nothing is said of one that is not there, least of all that all is well with it.
import { CafError } from '../domain/errors.ts';
import { nearest } from '../domain/nearest.ts';

const SHOWN = 20;

/** The name, when it is one of these; CAF_DB_NOT_FOUND otherwise. `where`: the databases in words. */
export function knownName(name: string, names: readonly string[], where: string): string {
  if (names.includes(name)) return name;
  const near = nearest(name, names);
  const known = names.length === 0 ? 'none' : `${names.slice(0, SHOWN).join(', ')}${names.length > SHOWN ? ' ...' : ''}`;
  throw new CafError('CAF_DB_NOT_FOUND', `There is no payload ${name} in ${where}; what is there: ${known}`, {
    hint: near === null ? 'List all intervals without --name.' : `Did you mean ${near}?`,
  });
}
