// Branches and tags as they are now: caf.refs, and what a campaign has added to the registry since. Needs no lease and changes nothing.
import { existsSync } from 'node:fs';
import { CafError } from '../domain/errors.ts';
import { journalPath, translateError } from './journal-open.ts';
import { type Opened, openReadable } from './journal-reader.ts';
import { type RefChange, readRefLines } from './refs-file.ts';
import { createRegistryRows } from './registry-rows.ts';

/**
 * All changes, oldest first. Where caf.db is held by a campaign on a network file system, what is in caf.refs must do; where it
 * knows less than caf.refs (an older one was put back), caf.refs is right.
 */
export function readRefChanges(results: string): readonly RefChange[] {
  const written = readRefLines(results);
  if (!existsSync(journalPath(results))) return written;
  let opened: Opened | undefined;
  try {
    opened = openReadable(results, journalPath(results));
    return [...written, ...createRegistryRows(opened.db).changesAfter(written.length)];
  } catch (error) {
    const translated = translateError(error, journalPath(results));
    if (translated instanceof CafError && translated.code === 'CAF_RESULTS_LOCKED') return written;
    throw translated;
  } finally {
    opened?.close();
  }
}
