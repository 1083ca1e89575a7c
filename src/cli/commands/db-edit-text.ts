// What `caf db merge`, `running-update`, `fill-gaps` and `extend` say to people. Pure.
import type { EditReport, UpdateReport } from '../../database/edit.ts';
import type { MergeReport } from '../../database/merge-databases.ts';
import { count, drawTable, oneLine } from '../../report/text.ts';
import { type DrawContext, drawDiff, drawPublished, iovText, shortId } from './db-text.ts';

export const drawEdit = ({ changes, published }: EditReport, context: DrawContext): readonly string[] => [
  ...(changes.length === 0 ? ['nothing changes'] : drawDiff(changes, context)),
  '',
  ...(published === null ? ['nothing was made'] : drawPublished(published, [], context)),
];

export function drawMerge(report: MergeReport, context: DrawContext): readonly string[] {
  const { conflicts, decided, base } = report;
  const { style } = context;
  const head = `from ${base === null ? 'no common version' : `version ${shortId(base)}`}   ${count(decided, 'conflict')} decided   ${conflicts.length} open`;
  const rows = conflicts.map(({ name, iov, base: common, ours, theirs }) => [
    name,
    iovText(iov, style),
    shortId(common),
    shortId(ours),
    shortId(theirs),
  ]);
  const [header = '', ...lines] = drawTable(['conflict', 'valid', 'base', 'ours', 'theirs'], rows);
  return [head, '', ...(conflicts.length === 0 ? [] : [style.paint('red', header), ...lines, '']), ...drawEdit(report, context)];
}

export function drawUpdate({ operations, published, warning }: UpdateReport, context: DrawContext): readonly string[] {
  const { style } = context;
  const rows = operations.map(({ operation, name, iov, sha256 }) => [operation, name, iovText(iov, style), shortId(sha256)]);
  const [header = '', ...lines] = drawTable(['', 'payload', 'valid', 'hash'], rows);
  return [
    ...(warning === null ? [] : [`${style.mark('warning')} ${oneLine(warning)}`]),
    ...(operations.length === 0 ? ['nothing changes'] : [style.paint('dim', header), ...lines]),
    '',
    ...(published === null ? ['nothing was made'] : drawPublished(published, [], context)),
  ];
}
