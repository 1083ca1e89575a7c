// What `caf db` says to people: tables of entries, changes, chains and problems. Pure.

import type { Change } from '../../database/diff.ts';
import type { ImportPlan } from '../../database/exchange.ts';
import { bytesText } from '../../database/filesystem.ts';
import type { LoggedVersion, ShownChain, ShownDatabase } from '../../database/queries.ts';
import type { PublishedVersion } from '../../database/types.ts';
import type { VerifyReport } from '../../database/verify.ts';
import type { Iov } from '../../domain/iov.ts';
import type { Style } from '../../report/style.ts';
import { count, drawTable, oneLine } from '../../report/text.ts';

export interface DrawContext {
  readonly style: Style;
  /** A path as people would type it. */
  short(path: string): string;
}

const DIGITS = 12;
export const shortId = (id: string | null): string => (id === null ? '-' : id.slice(0, DIGITS));

/** `21:341 – 21:500`; `7:12` for a single run. */
export function iovText([expLow, runLow, expHigh, runHigh]: Iov, { unicode }: Style): string {
  const low = `${expLow}:${runLow}`;
  const high = expHigh === -1 ? 'open' : `${expHigh}:${runHigh === -1 ? 'end' : runHigh}`;
  return low === high ? low : `${low} ${unicode ? '–' : '-'} ${high}`;
}

export function drawShow(shown: ShownDatabase, path: string, { style, short }: DrawContext): readonly string[] {
  const { entries, view } = shown;
  const payloads = new Set(entries.map(({ name, sha256 }) => `${name} ${sha256}`)).size;
  const state = shown.state === 'text' ? 'text form' : shown.state;
  const head = [
    style.paint('bold', short(path)),
    state,
    `version ${shortId(shown.versionId)}`,
    count(entries.length, 'entry', 'entries'),
    count(payloads, 'payload'),
  ];
  if (entries.length === 0) return [head.join('   ')];
  const rows = entries.map(({ name, iov, revision, sha256, madeBy, size }) => [
    name,
    iovText(iov, style),
    revision,
    sha256.slice(0, 8),
    madeBy === null ? '-' : `${madeBy.calibration} ${madeBy.algorithm} it ${madeBy.iteration}`,
    bytesText(size),
  ]);
  const [header = '', ...lines] = drawTable(['payload', 'valid', 'revision', 'hash', 'made by', 'size'], rows);
  return [head.join('   '), '', style.paint('dim', header), ...lines, ...shadowed(entries, view)];
}

/** The last entry that holds a run wins, so entries overlap: say how many segments answer. */
function shadowed(entries: ShownDatabase['entries'], view: ShownDatabase['view']): readonly string[] {
  return entries.length === view.length
    ? []
    : ['', `${count(view.length, 'interval answers', 'intervals answer')} lookups: where entries overlap, the last one wins`];
}

/** What entries were made from: shown where any entry of the database has it. */
interface Origin {
  readonly title: string;
  of(transaction: LoggedVersion['transactions'][number]): string | null;
}

const digits = (digest: string | null): string | null => (digest === null ? null : digest.slice(0, 8));
const ORIGINS: readonly Origin[] = [
  { title: 'from', of: ({ collectorJob }) => collectorJob },
  { title: 'inputs', of: ({ inputsDigest }) => digits(inputsDigest) },
  { title: 'code', of: ({ codeDigest }) => digits(codeDigest) },
  { title: 'options', of: ({ configDigest }) => digits(configDigest) },
];

export function drawLog(log: LoggedVersion, { style, short }: DrawContext): readonly string[] {
  const lines = [
    `${style.paint('bold', short(log.directory))}   ${log.state}${log.createdAt === null ? '' : `   ${log.createdAt}`}`,
    '',
    `version   ${log.versionId ?? '-'}`,
    `content   ${log.contentId}`,
    `view      ${log.viewId}`,
    ...log.parents.map(
      ({ role, versionId, locator }) => `parent    ${versionId}   ${role}${locator === null ? '' : `   ${oneLine(locator)}`}`,
    ),
  ];
  if (log.transactions.length === 0) return lines;
  const isKnown = ({ of }: Origin): boolean => log.transactions.some((t) => of(t) !== null);
  const rows = log.transactions.map((t) => [
    t.at === '' ? '-' : oneLine(t.at),
    t.actor === '' ? '-' : oneLine(t.actor),
    t.calibration === null ? '-' : oneLine([t.calibration, t.algorithm ?? '', t.iteration === null ? '' : `it ${t.iteration}`].join(' ')),
    count(t.entries, 'entry', 'entries'),
    ...ORIGINS.filter(isKnown).map(({ of }) => oneLine(of(t) ?? '-')),
    oneLine(t.message),
  ]);
  const origins = ORIGINS.filter(isKnown).map(({ title }) => title);
  const [header = '', ...table] = drawTable(['at', 'by', 'made by', 'entries', ...origins, 'message'], rows);
  return [...lines, '', style.paint('dim', header), ...table];
}

export function drawDiff(changes: readonly Change[], { style }: DrawContext): readonly string[] {
  if (changes.length === 0) return ['no difference: both give the same answers'];
  const hash = (sha256: string | null) => (sha256 === null ? '-' : sha256.slice(0, DIGITS));
  const rows = changes.map(({ name, iov, from, to }) => [name, iovText(iov, style), hash(from), style.arrow, hash(to)]);
  const [header = '', ...lines] = drawTable(['payload', 'valid', 'from', '', 'to'], rows);
  return [style.paint('dim', header), ...lines];
}

export function drawChain({ databases }: ShownChain, { style, short }: DrawContext): readonly string[] {
  if (databases.length === 0) return ['an empty chain: nothing was below this database'];
  const rows = databases.map((member, index) => {
    const found = member.found === 'as locked' ? member.found : style.paint('red', member.found);
    return [String(index + 1), oneLine(member.label), shortId(member.versionId ?? member.contentId), found, short(member.path)];
  });
  const [header = '', ...lines] = drawTable(['', 'database', 'version', 'is', 'path'], rows);
  return [style.paint('dim', header), ...lines, '', 'highest priority first'];
}

const LEVELS = ['header', 'SQLite', 'identities', 'view', 'database.txt', 'payload files', 'payload bytes'];

export function drawVerify(report: VerifyReport, { style, short }: DrawContext): readonly string[] {
  const path = short(report.directory);
  const checked = `${count(report.entries, 'entry', 'entries')}, ${count(report.payloads, 'payload')}, ${report.read} read`;
  if (report.ok) return [`${style.mark('done')} ${path} is sound   ${checked}   version ${shortId(report.versionId)}`];
  const problems = report.problems.flatMap(({ level, path: where, what, expected, actual }) => [
    '',
    `  ${style.paint('cyan', oneLine(short(where)))}   ${LEVELS[level] ?? ''}: ${what}`,
    `    expected ${oneLine(expected)}`,
    `    found    ${oneLine(actual)}`,
  ]);
  return [`${style.mark('failed')} ${path} has ${count(report.problems.length, 'problem')}   ${checked}`, ...problems];
}

export function drawPublished(
  published: PublishedVersion,
  warnings: readonly { readonly line: number; readonly message: string }[],
  { style, short }: DrawContext,
): readonly string[] {
  return [
    ...drawWarnings(warnings, style),
    `${style.mark('done')} ${short(published.directory)}   ${count(published.entries, 'entry', 'entries')}   version ${shortId(published.versionId)}`,
    `  caf db show ${short(published.directory)}`,
  ];
}

export const drawImportPlan = (
  { contentId, viewId, entries, payloads, warnings }: ImportPlan,
  { style }: DrawContext,
): readonly string[] => [
  ...drawWarnings(warnings, style),
  `${count(entries, 'entry', 'entries')}, ${count(payloads, 'payload')}; nothing was made`,
  `content   ${contentId}`,
  `view      ${viewId}`,
];

const drawWarnings = (warnings: ImportPlan['warnings'], style: Style): readonly string[] =>
  warnings.map(({ line, message }) => `${style.mark('warning')} line ${line}: ${oneLine(message)}`);
