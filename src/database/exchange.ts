// Exchange with Belle II: database.txt with payload files in, and out.
import { existsSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type PayloadRow, resolveContent, takeRevision } from './content.ts';
import { readTextDatabase, type TextDatabase } from './database-text.ts';
import { findDump, readDump } from './global-tag.ts';
import { formatForm, formatLine, TEXT_FILE } from './layout.ts';
import { type LocalDatabase, openDatabase } from './open.ts';
import { placeDirectory, placePayload, writeSealed } from './place.ts';
import { publishFrom } from './publish.ts';
import { checkUsable } from './state.ts';
import type { PublishedVersion } from './types.ts';

export interface ImportOptions {
  /** RFC 3339; when it is imported. */
  readonly at: string;
  /** user@host */
  readonly actor: string;
  /** Repair what Belle II repairs, with warnings. */
  readonly lenient?: boolean;
  readonly message?: string;
}

export interface ImportReport extends PublishedVersion {
  readonly warnings: readonly { readonly line: number; readonly message: string }[];
}

/** What an import would make. */
export interface ImportPlan extends Pick<ImportReport, 'contentId' | 'viewId' | 'entries' | 'warnings'> {
  readonly payloads: number;
}

/** importDatabase without making anything: every line read, every payload file hashed. The same errors. */
export function planImport(path: string, options: Pick<ImportOptions, 'lenient'> = {}): ImportPlan {
  const { entries, warnings } = readSource(path, options.lenient === true);
  const content = resolveContent(entries);
  const { contentId, viewId } = content;
  return { contentId, viewId, entries: content.entries.length, payloads: content.payloads.length, warnings };
}

function readSource(path: string, isLenient: boolean): TextDatabase & { readonly file: string } {
  const given = resolve(path);
  const dump = findDump(given);
  const file = existsSync(given) && statSync(given).isDirectory() ? join(given, TEXT_FILE) : given;
  return { ...(dump === null ? readTextDatabase(file, isLenient) : readDump(dump, isLenient)), file };
}

/**
 * Makes a database of a database.txt (or a directory with one), or of an SQLite file of `b2conditionsdb download`, and the payload files beside it. CAF_DB_LINE lists every bad
 * line and missing file; then nothing is imported. Revisions are kept for export, but the content decides identity.
 */
export async function importDatabase(path: string, into: string, options: ImportOptions): Promise<ImportReport> {
  const { entries, files, warnings, file } = readSource(path, options.lenient === true);
  const transaction = {
    at: options.at,
    actor: options.actor,
    calibration: null,
    algorithm: null,
    iteration: null,
    attempt: null,
    collectorJob: null,
    inputsDigest: null,
    codeDigest: null,
    configDigest: null,
    message: options.message ?? `imported from ${file}`,
  };
  const published = await publishFrom(
    {
      entries,
      transactions: [transaction],
      parents: [],
      chain: null,
    },
    {
      directory: into,
      objects: null,
      sourceOf: ({ name, sha256 }) => ({ path: files.get(`${name} ${sha256}`) ?? '', mayLink: false }),
    },
  );
  return { ...published, warnings };
}

export interface ExportReport {
  /** Absolute. */
  readonly directory: string;
  readonly entries: number;
  readonly payloads: number;
}

export interface ExportOptions {
  /** `hash` (default): as imported, else the shortest md5 prefix. `int`: as imported where that is a number, else counted per name: for basf2 before release 6. */
  readonly revisions?: 'hash' | 'int';
}

/** What exportDatabase would write: the names of the payload files beside database.txt. CAF_DB_STATE. */
export function planExport(
  path: string,
  { revisions = 'hash' }: ExportOptions = {},
): Omit<ExportReport, 'directory'> & { readonly files: readonly string[] } {
  const database = openDatabase(path);
  try {
    checkUsable(database.directory, database.state);
    const { lines, files } = exportLines(database, revisions);
    return { entries: lines.length, payloads: files.size, files: [...files.keys()] };
  } finally {
    database.close();
  }
}

/** Writes database.txt and `dbstore_<name>_rev_<rev>.root` files, as Belle II reads them. Provenance becomes comment lines. CAF_DB_EXISTS, CAF_DB_STATE for an invalid one. */
export async function exportDatabase(path: string, into: string, { revisions = 'hash' }: ExportOptions = {}): Promise<ExportReport> {
  const database = openDatabase(path);
  try {
    checkUsable(database.directory, database.state);
    const { lines, files } = exportLines(database, revisions);
    await placeDirectory({
      directory: resolve(into),
      durable: true,
      existing: 'refuse',
      fill: async (temporary) => {
        const written: string[] = [];
        for (const [name, payload] of files) {
          const target = join(temporary, name);
          // Copied, not linked: what leaves the house may be edited without harm to the database.
          await placePayload({ path: database.fileOf(payload), mayLink: false }, payload, target);
          written.push(target);
        }
        const text = [...provenanceComments(database), ...lines].join('');
        written.push(writeSealed(join(temporary, TEXT_FILE), text));
        return written;
      },
    });
    return { directory: resolve(into), entries: lines.length, payloads: files.size };
  } finally {
    database.close();
  }
}

function exportLines(database: LocalDatabase, revisions: 'hash' | 'int') {
  const entries = database.entries();
  const isKept = (revision: string | null): revision is string =>
    revision !== null && (revisions === 'hash' || /^(0|[1-9]\d{0,8})$/.test(revision));
  const owners = new Map<string, string>();
  const taken = new Set<string>();
  const claim = (name: string, revision: string, sha256: string): boolean => {
    const owner = owners.get(`${name} ${revision}`);
    if (owner === undefined) owners.set(`${name} ${revision}`, sha256);
    taken.add(`${name} ${revision}`);
    return owner === undefined || owner === sha256;
  };
  // Revisions as they were imported come first; a computed one that collides with them is lengthened, a counted one goes on counting.
  for (const { payload, writtenRevision } of entries) {
    if (isKept(writtenRevision)) claim(payload.name, writtenRevision, payload.sha256);
  }
  const counts = new Map<string, number>();
  const count = (name: string): string => {
    let next = (counts.get(name) ?? 0) + 1;
    while (taken.has(`${name} ${next}`)) next += 1;
    counts.set(name, next);
    return String(next);
  };
  const computed = (payload: PayloadRow): string => {
    if (revisions === 'int') return count(payload.name);
    return claim(payload.name, payload.revision, payload.sha256) ? payload.revision : takeRevision(taken, payload);
  };
  const own = new Map<PayloadRow, string>();
  const files = new Map<string, PayloadRow>();
  const lines = entries.map(({ payload, lo, hi, writtenRevision }) => {
    let revision = isKept(writtenRevision) ? writtenRevision : own.get(payload);
    if (revision === undefined) {
      revision = computed(payload);
      own.set(payload, revision);
    }
    const file = `dbstore_${payload.name}_rev_${revision}.root`;
    const form = files.has(file) ? '' : formatForm(payload, revision);
    files.set(file, payload);
    return form + formatLine(payload.name, revision, lo, hi);
  });
  return { lines, files };
}

function provenanceComments(database: LocalDatabase): readonly string[] {
  const oneLine = (text: string): string => text.replaceAll(/[\r\n]+/g, ' ');
  return [
    `# caf local database ${database.versionId ?? 'draft'}\n`,
    ...database.parents().map(({ role, versionId }) => `# parent ${role} ${versionId}\n`),
    ...database.transactions().map((t) => {
      const by = [t.calibration, t.algorithm, t.iteration].filter((part) => part !== null).join('/');
      return oneLine(`# by ${[t.at, t.actor, by, t.message].filter((part) => part !== '').join(' ')}`).concat('\n');
    }),
  ];
}
