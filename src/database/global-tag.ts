// The SQLite file of Belle II's `b2conditionsdb download`: a global tag as a database, read-only.
// Source: framework/scripts/conditions_db/local_metadata.py and framework/database/src/PayloadProvider.cc of https://github.com/belle2/basf2
import { closeSync, existsSync, openSync, readSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { CafError } from '../domain/errors.ts';
import { parseIov, parseIovLenient } from '../domain/iov.ts';
import { errnoOf } from '../payloads/disk.ts';
import { isPayloadName } from '../payloads/name.ts';
import { createLineGatherer, type LineProblem, type Located, type TextDatabase } from './database-text.ts';
import { readHeader } from './image.ts';
import { describeFile } from './payload-file.ts';
import { isSqliteError, openReadOnly, type Sqlite } from './sqlite.ts';

/** LocalMetadataProvider.APPLICATION_ID */
export const DUMP_APPLICATION_ID = 0xb2cdb;
const SCHEMA_VERSION = 1;

export interface DumpPath {
  /** Absolute. */
  readonly file: string;
  /** Null: the only one it holds. */
  readonly globalTag: string | null;
}

/** What a path means when it is `file` or `file#globaltag`; null when there is no such SQLite file. */
export function findDump(path: string): DumpPath | null {
  if (isDump(path)) return { file: path, globalTag: null };
  const mark = path.lastIndexOf('#');
  return mark > 0 && isDump(path.slice(0, mark)) ? { file: path.slice(0, mark), globalTag: path.slice(mark + 1) } : null;
}

function isDump(file: string): boolean {
  let fd: number;
  try {
    fd = openSync(file, 'r');
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'EACCES', 'ENAMETOOLONG'].includes(errnoOf(error))) return false;
    throw error;
  }
  try {
    const head = Buffer.alloc(100);
    return readSync(fd, head) === 100 && readHeader(head)?.applicationId === DUMP_APPLICATION_ID;
  } catch (error) {
    if (errnoOf(error) === 'EISDIR') return false;
    throw error;
  } finally {
    closeSync(fd);
  }
}

type Row = readonly [
  iov: number,
  name: string,
  revision: number,
  md5: string,
  url: string | null,
  a: number,
  b: number,
  c: number,
  d: number,
];

/**
 * The entries of a global tag. In a global tag the highest revision wins, so they are numbered by revision, then by the order of its rows.
 * Errors: CAF_DB_LINE with every bad interval, missing or wrong payload file; CAF_DB_NEWER; CAF_DB_MISSING for an unknown global tag.
 */
export function readDump({ file, globalTag }: DumpPath, lenient = false): TextDatabase {
  const rows = readRows(file, globalTag);
  const lines = createLineGatherer();
  const warnings: { line: number; message: string }[] = [];
  const errors: LineProblem[] = [];
  const payloads = new Map<string, { readonly md5: string; readonly url: string | null }>();
  for (const [line, name, number, md5, url, ...bounds] of rows) {
    const revision = String(number);
    try {
      if (!isPayloadName(name)) throw new CafError('CAF_PAYLOAD_NAME', `'${name}' is not allowed as the name of a payload`);
      const read = lenient ? parseIovLenient(bounds.join(',')) : { iov: parseIov(bounds.join(',')), warnings: [] };
      for (const message of read.warnings) warnings.push({ line, message });
      payloads.set(`${name} ${revision}`, { md5, url });
      if (read.iov !== null) lines.add(line, name, revision, read.iov);
    } catch (error) {
      if (!(error instanceof CafError)) throw error;
      errors.push({ line, code: error.code, message: `${name} ${revision}: ${error.message}` });
    }
  }
  return lines.finish(errors, warnings, {
    file,
    place: (line) => `${file}: iovs row ${line}`,
    hint: 'Download the global tag with its payloads into the directory of this file; `caf db import --lenient` repairs intervals.',
    find: (name, revision) => locate(dirname(file), name, revision, payloads.get(`${name} ${revision}`)),
  });
}

/** Where basf2 looks for the file of a payload: by the first two digits of its md5, flat, or by its path on the server. */
function locate(directory: string, name: string, revision: string, payload: { md5: string; url: string | null } | undefined): Located {
  const md5 = payload?.md5 ?? '';
  const flat = `dbstore_${name}_rev_${revision}.root`;
  const places = [join(md5.slice(0, 2), `${name}_r${revision}.root`), flat, payload?.url ?? join('dbstore', name, flat)];
  const found = places.map((place) => join(directory, place)).find((path) => isInside(directory, path) && existsSync(path));
  if (found === undefined) {
    return { code: 'CAF_DB_PAYLOAD_MISSING', message: `there is no ${places.join(' and no ')} in ${directory}` };
  }
  const facts = describeFile(found);
  if (facts.md5 === md5) return { file: found, payload: { name, ...facts, iov: null } };
  return {
    code: 'CAF_DB_PAYLOAD_CORRUPT',
    message: `${found} is not the payload of the global tag: expected md5 ${md5}, found ${facts.md5}`,
  };
}

/** A path in somebody else's file must not lead out of its directory. */
const isInside = (directory: string, path: string): boolean => path.startsWith(join(directory, '/'));

function readRows(file: string, globalTag: string | null): readonly Row[] {
  let sqlite: Sqlite | null = null;
  try {
    sqlite = openReadOnly(file);
    const version: unknown = sqlite.pragma('user_version', { simple: true });
    if (version !== SCHEMA_VERSION) {
      throw new CafError(
        'CAF_DB_NEWER',
        `${file} has schema ${String(version)} of b2conditionsdb; this caf reads schema ${SCHEMA_VERSION}`,
        {
          hint: 'Use a newer caf, or write a database.txt with b2conditionsdb.',
        },
      );
    }
    const tags = sqlite.prepare('SELECT globalTagName, globalTagId FROM globaltags ORDER BY globalTagName').raw().all() as [
      string,
      number,
    ][];
    const id = chooseTag(file, tags, globalTag);
    return sqlite
      .prepare(
        `SELECT i.rowid, n.payloadName, p.revision, p.checksum, p.payloadUrl, i.firstExp, i.firstRun, i.finalExp, i.finalRun
         FROM iovs i JOIN payloads p USING(payloadId) JOIN payloadNames n USING(payloadNameId)
         WHERE i.globalTagId = ? ORDER BY p.revision, i.rowid`,
      )
      .raw()
      .all(id) as unknown as readonly Row[];
  } catch (error) {
    if (!isSqliteError(error)) throw error;
    throw new CafError('CAF_DB_DAMAGED', `${file} cannot be read: ${error.message} (${error.code})`, {
      hint: 'Download the global tag again.',
      cause: error,
    });
  } finally {
    sqlite?.close();
  }
}

function chooseTag(file: string, tags: readonly (readonly [string, number])[], globalTag: string | null): number {
  const [first, ...more] = tags;
  const names = tags.map(([name]) => name).join(', ');
  const chosen = globalTag === null ? (more.length === 0 ? first : undefined) : tags.find(([name]) => name === globalTag);
  if (chosen !== undefined) return chosen[1];
  const what = globalTag === null ? `${tags.length} global tags: which one?` : `no global tag ${globalTag}`;
  throw new CafError('CAF_DB_MISSING', `${file} holds ${what} It has: ${names === '' ? 'none' : names}`, {
    hint: `Write the name behind the file: ${file}#${first?.[0] ?? 'globaltag'}`,
  });
}
