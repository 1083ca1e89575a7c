// database.txt, the plain form of Belle II: parsing with line numbers, and the payload files it names.
import { readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { CafError, type ErrorCode, type Problem } from '../domain/errors.ts';
import { hiKey, type Iov, loKey, parseIov, parseIovLenient } from '../domain/iov.ts';
import type { StoredPayload } from '../domain/payload.ts';
import { errnoOf } from '../payloads/disk.ts';
import { isPayloadName, payloadStem } from '../payloads/name.ts';
import { describeParts, readParts } from '../payloads/parts.ts';
import { type CarriedInput, createColumns, type EntryColumns } from './entries.ts';
import { indexPayloadFiles } from './layout.ts';
import { describeFile } from './payload-file.ts';
import { createUsualLineReader } from './usual-line.ts';

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
  const rest = scanDatabaseText(text, lenient, (line, name, revision, iov) => void lines.push({ line, name, revision, iov }));
  return { lines, ...rest };
}

/** parseDatabaseText line by line: nothing of a good line is kept here. */
function scanDatabaseText(
  text: string,
  lenient: boolean,
  take: (line: number, name: string, revision: string, iov: Iov) => void,
): Omit<ParsedText, 'lines'> {
  const warnings: { line: number; message: string }[] = [];
  const errors: LineProblem[] = [];
  const forms = new Map<string, PayloadForm>();
  const readUsual = createUsualLineReader(text);
  let line = 0;
  for (let at = 0; at <= text.length; ) {
    line += 1;
    const usual = readUsual(at);
    if (usual !== null) {
      take(line, usual.name, usual.revision, usual.iov);
      at = usual.end;
      continue;
    }
    const end = text.indexOf('\n', at);
    const raw = text.slice(at, end === -1 ? text.length : end);
    at = end === -1 ? text.length + 1 : end + 1;
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
      if (read.iov !== null) take(line, name, revision, read.iov);
    } catch (error) {
      if (!(error instanceof CafError)) throw error;
      errors.push({ line, code: error.code, message: error.message });
    }
  }
  return { forms, warnings, errors };
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

export interface TextDatabase {
  /** In the order of the lines, all of transaction 0, each with its revision. */
  readonly entries: EntryColumns<CarriedInput>;
  /** `name sha256` -> absolute path of the payload's file. */
  readonly files: ReadonlyMap<string, string>;
  readonly warnings: ParsedText['warnings'];
}

/** Reads a database.txt and hashes the payload files beside it. CAF_DB_LINE lists every bad line and missing file; then nothing is read. */
export function readTextDatabase(file: string, lenient = false): TextDatabase {
  const directory = dirname(file);
  const text = readText(file);
  const index = indexPayloadFiles(directory);
  const lines = createLineGatherer();
  const { forms, warnings, errors } = scanDatabaseText(text, lenient, lines.add);
  return lines.finish(errors, warnings, {
    file,
    place: (line) => `${file}:${line}`,
    hint: lenient ? 'Correct these lines.' : 'Correct these lines, or let `caf db import --lenient` repair what Belle II repairs.',
    find: (name, revision) => locate(index, directory, name, revision, forms.get(`${name} ${revision}`)),
  });
}

/** A payload and its file, or why there is none. */
export type Located = { readonly payload: StoredPayload; readonly file: string } | Omit<LineProblem, 'line'>;

export interface LineSource {
  /** What the lines come from, for messages. */
  readonly file: string;
  /** A line in words for the list of problems. */
  place(line: number): string;
  readonly hint: string;
  /** Asked once per name and revision. */
  find(name: string, revision: string): Located;
}

/** Entries under way: their payloads are looked for when all lines have been read, each once. */
export function createLineGatherer() {
  const lines: number[] = [];
  const columns = createColumns();
  const wanted: Wanted[] = [];
  // By name, then revision: no string is made for each line.
  const known = new Map<string, Map<string, number>>();
  return {
    add(line: number, name: string, revision: string, iov: Iov): void {
      let revisions = known.get(name);
      if (revisions === undefined) {
        revisions = new Map();
        known.set(name, revisions);
      }
      let payload = revisions.get(revision);
      if (payload === undefined) {
        payload = wanted.length;
        wanted.push({ name, revision });
        revisions.set(revision, payload);
      }
      lines.push(line);
      columns.add(payload, loKey(iov), hiKey(iov));
    },
    /** CAF_DB_LINE with all problems, those of parsing included. */
    finish(errors: readonly LineProblem[], warnings: ParsedText['warnings'], source: LineSource): TextDatabase {
      const files = new Map<string, string>();
      // By their place in `wanted`. Where there is any, `carried` is not used.
      const unknown = new Map<number, Omit<LineProblem, 'line'>>();
      const carried: CarriedInput[] = [];
      for (const { name, revision } of wanted) {
        const found = source.find(name, revision);
        if ('payload' in found) {
          carried.push({ payload: found.payload, revision });
          files.set(`${name} ${found.payload.sha256}`, found.file);
        } else {
          unknown.set(carried.length + unknown.size, found);
        }
      }
      const gathered = columns.finish(carried);
      const missing = lines.flatMap((line, at): LineProblem[] => {
        const problem = unknown.size === 0 ? undefined : unknown.get(gathered.carries[at] ?? 0);
        return problem === undefined ? [] : [{ ...problem, line }];
      });
      refuseProblems([...errors, ...missing], source);
      return { entries: gathered, files, warnings };
    },
  };
}

interface Wanted {
  readonly name: string;
  readonly revision: string;
}

function refuseProblems(problems: readonly LineProblem[], source: LineSource): void {
  if (problems.length === 0) return;
  const listed = problems
    .toSorted((a, b) => a.line - b.line)
    .map(({ line, code, message }): Problem => ({ path: source.place(line), message: `${message} (${code})` }));
  const first = listed[0];
  throw new CafError(
    'CAF_DB_LINE',
    `${source.file} has ${listed.length} bad line${listed.length === 1 ? '' : 's'}; the first: ${first?.path}: ${first?.message}`,
    { hint: source.hint, problems: listed },
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
  name: string,
  revision: string,
  form: PayloadForm | undefined,
): Located {
  const stem = payloadStem(name, revision);
  const files = index.get(stem) ?? index.get(`dbstore_${stem}`) ?? [];
  const [file, another] = files;
  if (file === undefined) {
    return { code: 'CAF_DB_PAYLOAD_MISSING', message: `there is no file ${stem}.* or dbstore_${stem}.root in ${directory}` };
  }
  if (another !== undefined) return { code: 'CAF_DB_LINE', message: `two files could be meant: ${file} and ${another}` };
  const facts = describeFile(file);
  if (form === undefined) return { file, payload: { name, ...facts, iov: null } };
  const value = { name, ...facts, mediaType: form.mediaType, extension: '.json', iov: null };
  if (!form.isIntraRun) return { file, payload: value };
  const document = readParts(readFileSync(file));
  if (document === null) return { code: 'CAF_DB_LINE', message: `${file} is no intra-run payload, though a comment says so` };
  return { file, payload: { ...value, parts: describeParts(document) } };
}
