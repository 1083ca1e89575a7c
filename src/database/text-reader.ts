// Reads a database that has no image of ours (database.txt, or Belle II's SQLite file): resolved in memory, its identities computed the same way.
import { join } from 'node:path';
import { entryRows, type PayloadRow, resolveContent } from './content.ts';
import { readTextDatabase, type TextDatabase } from './database-text.ts';
import { compareNames, versionIdOf } from './identity.ts';
import { TEXT_FILE } from './layout.ts';
import type { DatabaseReader } from './open.ts';
import type { TransactionInput } from './types.ts';

/** The one transaction of a text database: nobody wrote down who made it. */
const UNKNOWN: TransactionInput = {
  at: '',
  actor: '',
  calibration: null,
  algorithm: null,
  iteration: null,
  attempt: null,
  collectorJob: null,
  inputsDigest: null,
  codeDigest: null,
  configDigest: null,
  message: '',
};

/** CAF_DB_LINE when any line is bad or its payload file is missing. */
export function openTextReader(directory: string): DatabaseReader {
  return readerOfText(readTextDatabase(join(directory, TEXT_FILE)), TEXT_FILE);
}

/** `message`: what the entries come from. */
export function readerOfText({ entries, files }: TextDatabase, message: string): DatabaseReader {
  const content = resolveContent(entries);
  const rows = entryRows(content.entries);
  const byName = Map.groupBy(rows, ({ payload }) => payload.name);
  const transactions = entries.length === 0 ? [] : [{ ...UNKNOWN, message }];
  return {
    state: 'text',
    versionId: versionIdOf({ contentId: content.contentId, parents: [], transactions: [], chainDigest: null }),
    contentId: content.contentId,
    viewId: content.viewId,
    createdAt: null,
    chainDigest: null,
    names: () => [...content.views.keys()].sort(compareNames),
    view: (name) => content.views.get(name) ?? null,
    entries: (name) => (name === undefined ? rows : (byName.get(name) ?? [])),
    transactions: () => transactions,
    parents: () => [],
    fileOf: (payload: PayloadRow) => files.get(`${payload.name} ${payload.sha256}`) ?? null,
    close: () => undefined,
  };
}
