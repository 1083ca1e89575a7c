// database.txt, the plain form of Belle II: parsing with line numbers, and the payload files it names.
import { createHash } from 'node:crypto';
import { closeSync, fstatSync, openSync, readFileSync, readSync } from 'node:fs';
import { dirname } from 'node:path';
import { CafError, type ErrorCode, type Problem } from '../domain/errors.ts';
import { type Iov, parseIov, parseIovLenient } from '../domain/iov.ts';
import type { StoredPayload } from '../domain/payload.ts';
import { isCanonical } from '../payloads/codec.ts';
import { errnoOf } from '../payloads/disk.ts';
import { extensionOf, isPayloadName, JSON_TYPE, mediaTypeOf, payloadStem } from '../payloads/name.ts';
import { describeParts, readParts } from '../payloads/parts.ts';
import { indexPayloadFiles } from './layout.ts';

export interface TextLine {
  /** From 1. */
  readonly line: number;
  readonly name: string;
  readonly revision: string;
  readonly iov: Iov;
}

export interface LineProblem {
  readonly line: number;
  readonly code: ErrorCode;
  readonly message: string;
}

/** What a `# caf:` comment says of a payload, which Belle II's line cannot (layout.ts). */
export interface PayloadForm {
  readonly mediaType: string;
  readonly isIntraRun: boolean;
}

export interface ParsedText {
  readonly lines: readonly TextLine[];
  /** By `name revision`. */
  readonly forms: ReadonlyMap<string, PayloadForm>;
  readonly warnings: readonly { readonly line: number; readonly message: string }[];
  readonly errors: readonly LineProblem[];
}

/** `package/name revision e,r,e,r`, `#` begins a comment. Never throws: every bad line is told. `lenient` repairs what Belle II repairs. */
export function parseDatabaseText(text: string, lenient = false): ParsedText {
  const lines: TextLine[] = [];
  const warnings: { line: number; message: string }[] = [];
  const errors: LineProblem[] = [];
  const forms = new Map<string, PayloadForm>();
  let line = 0;
  for (const raw of text.split('\n')) {
    line += 1;
    const comment = raw.indexOf('#');
    const content = (comment === -1 ? raw : raw.slice(0, comment)).trim();
    if (content === '') {
      const [, name, revision, mediaType = '', intraRun] = FORM.exec(raw) ?? [];
      if (name !== undefined) forms.set(`${name} ${revision}`, { mediaType, isIntraRun: intraRun !== undefined });
      continue;
    }
    try {
      const [name, revision, interval] = splitLine(content);
      const read = lenient ? parseIovLenient(interval) : { iov: parseIov(interval), warnings: [] };
      for (const message of read.warnings) warnings.push({ line, message });
      if (read.iov !== null) lines.push({ line, name, revision, iov: read.iov });
    } catch (error) {
      if (!(error instanceof CafError)) throw error;
      errors.push({ line, code: error.code, message: error.message });
    }
  }
  return { lines, forms, warnings, errors };
}

const FORM = /^# caf: (\S+) (\S+) (application\/json(?:;version=[1-9]\d{0,8})?)( intrarun)?\s*$/;

function splitLine(content: string): readonly [name: string, revision: string, interval: string] {
  const columns = content.split(/\s+/);
  const [module = '', revision = '', interval = ''] = columns;
  const name = /^[A-Za-z0-9_.-]+\/(.+)$/.exec(module)?.[1] ?? '';
  const problem =
    columns.length !== 3
      ? `expected 3 columns, found ${columns.length}`
      : name === ''
        ? `'${module}' has no package: expected dbstore/<name>`
        : !isPayloadName(name)
          ? `'${name}' is not allowed as the name of a payload`
          : !/^[A-Za-z0-9]{1,64}$/.test(revision)
            ? `'${revision}' is not a revision`
            : null;
  if (problem !== null) throw new CafError('CAF_DB_LINE', problem);
  return [name, revision, interval];
}

export interface TextEntry extends TextLine {
  readonly payload: StoredPayload;
  /** Absolute path of the payload's file. */
  readonly file: string;
}

export interface TextDatabase {
  readonly entries: readonly TextEntry[];
  readonly warnings: ParsedText['warnings'];
}

/** Reads a database.txt and hashes the payload files beside it. CAF_DB_LINE lists every bad line and missing file; then nothing is read. */
export function readTextDatabase(file: string, lenient = false): TextDatabase {
  const directory = dirname(file);
  const { lines, forms, warnings, errors } = parseDatabaseText(readText(file), lenient);
  const index = indexPayloadFiles(directory);
  const problems: LineProblem[] = [...errors];
  const known = new Map<string, { readonly payload: StoredPayload; readonly file: string } | LineProblem>();
  const entries: TextEntry[] = [];
  for (const line of lines) {
    const key = `${line.name} ${line.revision}`;
    let found = known.get(key);
    if (found === undefined) {
      found = locate(index, directory, line, forms.get(key));
      known.set(key, found);
    }
    if ('payload' in found) entries.push({ ...line, ...found });
    else problems.push({ ...found, line: line.line });
  }
  if (problems.length === 0) return { entries, warnings };
  const listed = problems
    .sort((a, b) => a.line - b.line)
    .map(({ line, code, message }): Problem => ({ path: `${file}:${line}`, message: `${message} (${code})` }));
  const first = listed[0];
  throw new CafError(
    'CAF_DB_LINE',
    `${file} has ${listed.length} bad line${listed.length === 1 ? '' : 's'}; the first: ${first?.path}: ${first?.message}`,
    {
      hint: lenient ? 'Correct these lines.' : 'Correct these lines, or let `caf db import --lenient` repair what Belle II repairs.',
      problems: listed,
    },
  );
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new CafError('CAF_DB_MISSING', `${file} cannot be read (${errnoOf(error) || String(error)})`, {
      hint: 'Give the path of a database.txt.',
      cause: error,
    });
  }
}

function locate(
  index: ReadonlyMap<string, readonly string[]>,
  directory: string,
  { line, name, revision }: TextLine,
  form: PayloadForm | undefined,
) {
  const stem = payloadStem(name, revision);
  const files = index.get(stem) ?? index.get(`dbstore_${stem}`) ?? [];
  const [file, another] = files;
  if (file === undefined) {
    return { line, code: 'CAF_DB_PAYLOAD_MISSING' as const, message: `there is no file ${stem}.* or dbstore_${stem}.root in ${directory}` };
  }
  if (another !== undefined) return { line, code: 'CAF_DB_LINE' as const, message: `two files could be meant: ${file} and ${another}` };
  const facts = describeFile(file);
  if (form === undefined) return { file, payload: { name, ...facts, iov: null } };
  const value = { name, ...facts, mediaType: form.mediaType, extension: '.json', iov: null };
  if (!form.isIntraRun) return { file, payload: value };
  const document = readParts(readFileSync(file));
  if (document === null)
    return { line, code: 'CAF_DB_LINE' as const, message: `${file} is no intra-run payload, though a comment says so` };
  return { file, payload: { ...value, parts: describeParts(document) } };
}

type FileFacts = Omit<StoredPayload, 'name' | 'iov'>;
/** By path, with what tells that the file is still the same; processes that open the same chain often hash once. */
const hashed = new Map<string, { readonly state: string; readonly facts: FileFacts }>();

function describeFile(path: string): FileFacts {
  const fd = openSync(path, 'r');
  try {
    const stats = fstatSync(fd, { bigint: true });
    const state = `${stats.dev} ${stats.ino} ${stats.size} ${stats.mtimeNs} ${stats.ctimeNs}`;
    const known = hashed.get(path);
    if (known?.state === state) return known.facts;
    const sha256 = createHash('sha256');
    const md5 = createHash('md5');
    const buffer = Buffer.allocUnsafe(Math.min(1 << 20, Math.max(Number(stats.size), 4096)));
    let size = 0;
    let whole: Buffer | null = null;
    for (let read = readSync(fd, buffer); read > 0; read = readSync(fd, buffer)) {
      const piece = buffer.subarray(0, read);
      if (size === 0 && BigInt(read) === stats.size) whole = Buffer.from(piece);
      sha256.update(piece);
      md5.update(piece);
      size += read;
    }
    const extension = extensionOf(path);
    const facts = { sha256: sha256.digest('hex'), md5: md5.digest('hex'), size, ...formOf(extension, whole) };
    hashed.set(path, { state, facts });
    return facts;
  } finally {
    closeSync(fd);
  }
}

/** Belle II calls every payload .root: one of up to 1 MB that holds exactly what our codec writes is a value. */
function formOf(extension: string, whole: Buffer | null): Pick<StoredPayload, 'extension' | 'mediaType'> {
  if (extension === '.root' && whole !== null && isCanonical(whole)) return { extension: '.json', mediaType: JSON_TYPE };
  return { extension, mediaType: mediaTypeOf(extension) };
}
