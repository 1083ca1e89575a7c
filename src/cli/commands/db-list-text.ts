// What `caf db iovs` and `view` say to people. Pure.
import type { ListedEntry, ViewSegment, ViewSource } from '../../database/list-intervals.ts';
import { count, drawTable, oneLine } from '../../report/text.ts';
import { type DrawContext, iovText, shortId } from './db-text.ts';

/** Intervals of one entry that are shown; the rest is counted. */
const SHOWN = 3;

export function drawEntries(entries: readonly ListedEntry[], { style }: DrawContext): readonly string[] {
  if (entries.length === 0) return ['no such entry'];
  const rows = entries.map(({ seq, name, iov, answers, revision, sha256, madeBy }) => [
    String(seq),
    name,
    iovText(iov, style),
    answersText({ iov, answers }, style),
    revision,
    sha256.slice(0, 8),
    madeBy === null ? '-' : `${madeBy.calibration} ${madeBy.algorithm} it ${madeBy.iteration}`,
  ]);
  const [header = '', ...lines] = drawTable(['', 'payload', 'committed for', 'answers', 'revision', 'hash', 'made by'], rows);
  return [style.paint('dim', header), ...lines, '', count(entries.length, 'entry', 'entries')];
}

function answersText({ iov, answers }: Pick<ListedEntry, 'iov' | 'answers'>, style: DrawContext['style']): string {
  const [first] = answers;
  if (first === undefined) return 'nowhere';
  if (answers.length === 1 && first.join() === iov.join()) return 'everywhere';
  const shown = answers.slice(0, SHOWN).map((one) => iovText(one, style));
  return `${shown.join(', ')}${answers.length > SHOWN ? ` and ${answers.length - SHOWN} more` : ''}`;
}

/** `note`: what the last line says beside the number of intervals. */
export function drawSegments(view: readonly ViewSegment[], { style }: DrawContext, note = ''): readonly string[] {
  if (view.length === 0) return ['nothing is valid there'];
  const rows = view.map((segment) => [...segmentRow(segment, style), oneLine(segment.from)]);
  const [header = '', ...lines] = drawTable(['payload', 'valid', 'revision', 'hash', 'from'], rows);
  return [style.paint('dim', header), ...lines, '', `${count(view.length, 'interval')}${note}`];
}

const segmentRow = ({ name, iov, revision, sha256 }: Omit<ViewSegment, 'from'>, style: DrawContext['style']): readonly string[] => [
  name,
  iovText(iov, style),
  revision,
  sha256.slice(0, 8),
];

export function drawSources(sources: readonly ViewSource[], { style, short }: DrawContext): readonly string[] {
  if (sources.length === 0) return ['an empty chain'];
  return sources.flatMap(({ label, path, versionId, segments }, at) => [
    ...(at === 0 ? [] : ['']),
    `${style.paint('bold', oneLine(label))}   version ${shortId(versionId)}   ${segments.length === 0 ? 'answers nowhere' : count(segments.length, 'interval')}   ${short(path)}`,
    ...drawTable(
      [],
      segments.map((segment) => segmentRow(segment, style).map((cell, column) => (column === 0 ? `  ${cell}` : cell))),
    ),
  ]);
}
