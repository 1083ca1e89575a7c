// What `caf db diff`, `lookup`, `blame`, `gaps` and `upload --plan` say to people. Pure.
import type { ValueComparison, ValueDifference } from '../../database/compare-values.ts';
import type { DetailedChange } from '../../database/diff-values.ts';
import type { Blame, Explanation } from '../../database/explain.ts';
import { bytesText } from '../../database/filesystem.ts';
import type { NameGaps } from '../../database/gaps.ts';
import type { UploadPlan } from '../../database/upload-plan.ts';
import { formatRun } from '../../domain/iov.ts';
import { count, cutEnd, drawTable, oneLine } from '../../report/text.ts';
import { type DrawContext, drawDiff, iovText, shortId } from './db-text.ts';

/** Differences of one payload that are shown; the rest is counted. */
const SHOWN = 6;

export function drawDetailedDiff(changes: readonly DetailedChange[], context: DrawContext): readonly string[] {
  if (changes.every(({ values }) => values === undefined)) return drawDiff(changes, context);
  const { style } = context;
  return changes.flatMap(({ name, iov, from, to, values }) => [
    `${style.paint('bold', name)}   ${iovText(iov, style)}   ${shortId(from)} ${style.arrow} ${shortId(to)}`,
    ...(values === null || values === undefined
      ? [from === null || to === null ? '  only on one side' : '  no values to compare']
      : drawValues(values, context)),
    '',
  ]);
}

function drawValues({ compared, differences, largest }: ValueComparison, { style }: DrawContext): readonly string[] {
  const rows = differences
    .slice(0, SHOWN)
    .map((one) => [
      `  ${one.path === '' ? '(the value)' : oneLine(one.path)}`,
      valueText(one.from),
      style.arrow,
      valueText(one.to),
      changeText(one),
    ]);
  const rest = differences.length - rows.length;
  const most = largest === null || differences.length === 1 ? '' : `   largest: ${oneLine(largest.path)} ${changeText(largest)}`;
  return [
    ...drawTable([], rows),
    ...(rest > 0 ? [`  and ${rest} more`] : []),
    `  ${differences.length} of ${compared} places differ${most}`,
  ];
}

const valueText = (value: unknown): string => (value === undefined ? '-' : cutEnd(oneLine(JSON.stringify(value)), 24));

/** +0.5 (+2.3 %) */
function changeText({ change, relative }: ValueDifference): string {
  if (change === null) return '';
  const sign = change > 0 ? '+' : '';
  const percent = relative === null ? '' : ` (${sign}${Number((relative * 100).toPrecision(3))} %)`;
  return `${sign}${Number(change.toPrecision(6))}${percent}`;
}

const MARKS = { answers: 'done', covered: 'pending', 'not valid': 'pending', 'unknown name': 'pending', unusable: 'failed' } as const;

export function drawExplanation({ name, run, answer, layers }: Explanation, { style, short }: DrawContext): readonly string[] {
  const what = `${name} for run ${run.join(':')}`;
  const head =
    answer === null
      ? [`${style.mark('failed')} no payload ${what}`]
      : [
          `${style.paint('bold', what)}   revision ${answer.revision}   ${shortId(answer.sha256)}   from ${oneLine(answer.label)}`,
          `  valid ${iovText(answer.iov, style)}   this answer holds ${iovText(answer.effective, style)}   ${short(answer.file)}`,
        ];
  if (layers.length === 0) return head;
  const lines = layers.flatMap(({ label, verdict, reason, entries }, at) => [
    `${at + 1}  ${MARKS[verdict] === 'pending' ? style.paint('dim', verdict) : `${style.mark(MARKS[verdict])} ${verdict}`}   ${oneLine(label)}: ${oneLine(reason)}`,
    ...entries.map(
      ({ seq, iov, revision, hiddenBy }) =>
        `     entry ${seq}   ${iovText(iov, style)}   revision ${revision}${hiddenBy === null ? '' : `   hidden by entry ${hiddenBy}, which came later`}`,
    ),
  ]);
  return [...head, '', ...lines, '', 'highest priority first; the first that holds the run answers'];
}

export function drawBlame(versions: readonly Blame[], { style, short }: DrawContext): readonly string[] {
  if (versions.length === 0) return ['no version answers for this run'];
  const digest = (text: string | null): string => (text === null ? '-' : text.slice(0, 8));
  const rows = versions.map(({ directory, names, state, iov, revision, madeBy, transaction: t }) => [
    t.at === '' ? '-' : oneLine(t.at),
    madeBy === null ? '-' : `${madeBy.calibration} ${madeBy.algorithm} it ${madeBy.iteration}`,
    revision,
    iovText(iov, style),
    `${digest(t.inputsDigest)} ${digest(t.codeDigest)} ${digest(t.configDigest)}`,
    oneLine(t.actor) || '-',
    state,
    `${short(directory)}${names.length === 0 ? '' : ` (${names.join(', ')})`}${t.message === '' ? '' : `   ${oneLine(t.message)}`}`,
  ]);
  const [header = '', ...lines] = drawTable(['at', 'made by', 'revision', 'valid', 'inputs code config', 'by', 'state', 'in'], rows);
  return [style.paint('dim', header), ...lines];
}

export function drawGaps(payloads: readonly NameGaps[], { style }: DrawContext): readonly string[] {
  const lines = payloads.flatMap(({ name, gaps, runs }) => {
    const holes = gaps.map((iov) => iovText(iov, style)).join(', ');
    const missing = runs?.map((run) => formatRun(run).replace(',', ':')).join(', ') ?? '';
    return [
      ...(holes === '' ? [] : [`${style.paint('bold', name)} has no answer for ${holes}`]),
      ...(missing === '' ? [] : [`${style.paint('bold', name)} has no answer for ${count(runs?.length ?? 0, 'run')}: ${missing}`]),
    ];
  });
  const known = payloads.some(({ runs }) => runs !== null);
  const scope = known ? 'for the runs of the list' : 'inside experiments (give --runs to check those that exist)';
  return lines.length === 0 ? [`no gaps ${scope}`] : lines;
}

export function drawUploadPlan({ rows, bytes, problems, gaps, state }: UploadPlan, { style }: DrawContext): readonly string[] {
  const table = rows.map(({ row, name, md5, size, iov }) => [row, name, md5, bytesText(size), iov === null ? '' : iovText(iov, style)]);
  const [header = '', ...lines] = drawTable(['', 'payload', 'md5', 'size', 'valid'], table);
  const number = (kind: string): number => rows.filter(({ row }) => row === kind).length;
  return [
    ...(rows.length === 0 ? [] : [style.paint('dim', header), ...lines, '']),
    `${number('NEW-PAYLOAD')} new payloads (${bytesText(bytes)}), ${number('NEW-IOV')} new intervals, ${number('SHADOWED')} not sent   state ${state}`,
    ...gaps.map(({ name, iov }) => `${style.mark('warning')} ${name} has a gap: ${iovText(iov, style)}`),
    ...problems.map((problem) => `${style.mark('failed')} ${oneLine(problem)}`),
    ...(problems.length === 0 ? [`${style.mark('done')} fit for upload: caf db export writes it for b2conditionsdb`] : []),
  ];
}
