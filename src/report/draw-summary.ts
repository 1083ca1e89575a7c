// The last words of a campaign: what was done, what failed and why, and what to type next. Pure.
import { join } from 'node:path';
import { DEFAULT_OUTPUT } from '../domain/calibration.ts';
import type { Board, FailedJob, Row } from './board.ts';
import { shellWord } from './shell-word.ts';
import type { Style } from './style.ts';
import { count, cutEnd, displayWidth, drawTable, durationText, oneLine, spread, wrapText } from './text.ts';

export interface SummaryOptions {
  readonly columns: number;
  readonly style: Style;
  /** The results directory, as the user would type it. */
  readonly output: string;
  /** What continues it: `caf run`, with the user's arguments. */
  readonly resume: string;
  /** Last lines of what failed, by calibration. */
  readonly quotes: ReadonlyMap<string, Quote>;
}

export interface Quote {
  readonly title: string;
  readonly lines: readonly string[];
}

const SHOWN = 5;

export function drawSummary(board: Board, options: SummaryOptions): string[] {
  if (board.ended === null) return [];
  switch (board.ended.outcome) {
    case 'completed':
      return drawSuccess(board, board.ended, options);
    case 'failed':
      return drawFailure(board, board.ended, options);
    case 'interrupted':
      return drawInterruption(board, board.ended, options);
  }
}

type Ended = NonNullable<Board['ended']>;

function drawSuccess(board: Board, ended: Ended, options: SummaryOptions): string[] {
  const { style, output } = options;
  const done = `${count(board.rows.length, 'calibration')}, ${count(ended.payloads, 'payload')}`;
  const isNothingNew = board.rows.length > 0 && board.rows.every((row) => row.reused);
  const text = isNothingNew ? `nothing to do: ${done}, all up to date` : `${done} in ${durationText(ended.seconds)}`;
  const last = board.rows.findLast((row) => row.payloads > 0) ?? board.rows.at(-1);
  return [
    headline(style.mark('done'), text, output, options),
    ...notConverged(board, options),
    ...(last === undefined ? [] : ['', ...commands([[`caf db show ${shellWord(join(output, last.name, 'localdb'))}`, 'its payloads']])]),
  ];
}

function drawFailure(board: Board, ended: Ended, options: SummaryOptions): string[] {
  const { style, output, resume } = options;
  const failed = board.rows.filter((row) => row.state === 'failed');
  const notDone = ended.blocked + ended.notStarted;
  const text = `${failed.length} of ${count(board.rows.length, 'calibration')} failed${notDone > 0 ? `, ${notDone} not started` : ''}`;
  const lines = [headline(style.mark('failed'), text, `${output}   ${durationText(ended.seconds)}`, options)];
  for (const row of failed.slice(0, SHOWN)) lines.push('', ...drawFailedRow(row, options));
  if (failed.length > SHOWN) lines.push('', `  and ${failed.length - SHOWN} more: caf status ${shellWord(output)}`);
  lines.push(...notConverged(board, options));
  const hints = failed.slice(0, SHOWN).flatMap(hintsFor);
  if (hints.length > 0) lines.push('', ...hints.flatMap((hint) => drawHint(hint, options)));
  const waiting = board.rows.filter((row) => row.state === 'blocked').map((row) => row.name);
  const first = failed[0];
  const log = first === undefined ? null : logArgument(first);
  lines.push(
    '',
    ...commands([
      ...(log === null
        ? []
        : [[`caf logs ${log}${output === DEFAULT_OUTPUT ? '' : ` --output ${shellWord(output)}`}`, 'the whole log'] as const]),
      [
        resume,
        `continue${keptText(board)}${waiting.length > 0 ? `; ${cutEnd(waiting.join(', '), 40, style.ellipsis)} ${waiting.length === 1 ? 'follows' : 'follow'}` : ''}`,
      ],
    ]),
  );
  return lines;
}

function drawFailedRow(row: Row, options: SummaryOptions): string[] {
  const { columns, style, quotes } = options;
  const message = oneLine(row.error?.message ?? 'failed');
  const lines = withCode(`${row.name}   ${message}`, row.error?.code ?? '', columns - 2).map((line) => `  ${line}`);
  const jobs = row.failedJobs.slice(0, SHOWN);
  const table = drawTable(
    [],
    jobs.map((job) => [`${job.collection}/${job.job}`, outcomeText(job)]),
  );
  lines.push(...table.map((line) => `    ${cutEnd(line, Math.max(columns - 4, 20), style.ellipsis)}`));
  if (row.jobs.failed > jobs.length) lines.push(`    and ${row.jobs.failed - jobs.length} more`);
  for (const { algorithm, error } of row.failedAlgorithms.slice(0, SHOWN)) {
    const why = error === null ? 'failed' : oneLine(error.message);
    // The calibration's message often is its algorithm's.
    if (!message.includes(why)) lines.push(...wrapText(`${algorithm}   ${why}`, Math.max(columns - 4, 20)).map((line) => `    ${line}`));
  }
  const quote = quotes.get(row.name);
  if (quote !== undefined && quote.lines.length > 0) {
    lines.push('', `    last lines of ${quote.title}:`);
    lines.push(...quote.lines.map((line) => `      ${style.bar} ${cutEnd(line, Math.max(columns - 8, 20), style.ellipsis)}`));
  }
  return lines;
}

function outcomeText({ outcome, seconds, node }: FailedJob): string {
  const after = seconds === null ? '' : `   after ${durationText(seconds)}${node === null ? '' : ` on ${node}`}`;
  if (outcome.state !== 'failed') return outcome.state + after;
  const words = outcome.cause.replaceAll('-', ' ');
  const detail = oneLine(outcome.detail);
  return `${detail.toLowerCase().includes(words) || outcome.cause === 'exit' || outcome.cause === 'signal' ? detail || words : `${words}: ${detail}`}${after}`;
}

/** One hint for each different thing to do, in the order of the failures. */
function hintsFor(row: Row): string[] {
  const hints = new Set<string>();
  for (const { outcome, collection, job } of row.failedJobs) {
    if (outcome.state !== 'failed') continue;
    const where = `in collection '${collection}' of '${row.name}'`;
    if (outcome.cause === 'out-of-memory') hints.add(`give job ${job} more memory: resources.memory ${where}`);
    if (outcome.cause === 'time-limit') hints.add(`give job ${job} more time: resources.time ${where}`);
    // Other things can keep a job from starting, functions too.
    if (outcome.cause === 'not-started' && outcome.detail.includes('the program'))
      hints.add(`check that the program ${where} exists and may be executed`);
    if (hints.size >= 3) break;
  }
  const own = row.error?.hint;
  return own === undefined ? [...hints] : [...hints, own];
}

function drawInterruption(board: Board, ended: Ended, options: SummaryOptions): string[] {
  const { style, output, resume } = options;
  const left = ended.jobsLeft ?? 0;
  const by = ended.signal === undefined ? '' : ` by ${ended.signal}${ended.by === undefined ? '' : ` (${oneLine(ended.by)})`}`;
  const text = `interrupted${by} after ${durationText(ended.seconds)}${left > 0 ? `; ${leftText(left, board)}` : ''}`;
  return [headline(style.mark('again'), text, output, options), '', ...commands([[resume, `continue${keptText(board)}`]])];
}

/** What an engine has may wait there for hours. */
function leftText(left: number, board: Board): string {
  const engines = [...new Set(board.rows.flatMap(({ engine }) => engine?.engine ?? []))];
  return `${count(left, 'job')} ${engines.length === 0 ? 'still running' : `left to ${engines.join(', ')}`}`;
}

function keptText(board: Board): string {
  const kept = board.rows.reduce((sum, row) => sum + row.jobsDone, 0);
  return kept === 0 ? '' : `; ${count(kept, 'finished job is', 'finished jobs are')} kept`;
}

function notConverged(board: Board, options: SummaryOptions): string[] {
  const names = board.rows.filter((row) => row.converged === false);
  return names.slice(0, SHOWN).map((row) => {
    const text = `  ${row.name} did not converge within ${count(row.iterations, 'iteration')}`;
    return cutEnd(text, options.columns, options.style.ellipsis);
  });
}

/** What `caf logs` needs to show what failed first. */
function logArgument(row: Row): string | null {
  const [job] = row.failedJobs;
  if (job !== undefined) return `${row.name}/${job.iteration}/${job.collection}/${job.job}`;
  const [algorithm] = row.failedAlgorithms;
  return algorithm === undefined ? null : `${row.name}/${algorithm.iteration}/${algorithm.algorithm}`;
}

const headline = (mark: string, left: string, right: string, { columns, style }: SummaryOptions): string =>
  `${mark} ${spread(left, right, columns - displayWidth(mark) - 1) ?? cutEnd(`${left}  ${right}`, columns - displayWidth(mark) - 1, style.ellipsis)}`;

/** A message with its code at the right; wrapped, and the code on its own, where they do not fit. */
export function withCode(message: string, code: string, columns: number): string[] {
  const line = spread(message, code, columns);
  if (line !== null) return [line.trimEnd()];
  const wrapped = wrapText(message, Math.max(columns, 20));
  const last = spread(wrapped.at(-1) ?? '', code, columns);
  return last === null ? [...wrapped, `  ${code}`] : [...wrapped.slice(0, -1), last];
}

export const drawHint = (hint: string, { columns, style }: { readonly columns: number; readonly style: Style }): string[] =>
  wrapText(oneLine(hint), Math.max(columns - 8, 20)).map((line, i) =>
    i === 0 ? `  ${style.paint('cyan', 'hint:')} ${line}` : `        ${line}`,
  );

/** Commands to type next, each with what it does. */
const commands = (rows: readonly (readonly string[])[]): string[] => drawTable([], rows).map((line) => `  ${line}`);
