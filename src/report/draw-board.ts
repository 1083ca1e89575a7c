// Draws the live board: permanent lines for what has ended, a window for what runs. Pure: the same board gives the same lines.
import { type Board, isActive, isFinished, type Row } from './board.ts';
import { placesText, someText, sumOfEngines } from './places.ts';
import type { Mark, Style } from './style.ts';
import { count, cutEnd, cutMiddle, displayWidth, durationText, oneLine, padEnd, padStart, spread } from './text.ts';

export interface Canvas {
  readonly columns: number;
  readonly rows: number;
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly style: Style;
}

/** What is printed once at the start. `output` and `config` as the user would type them. */
export function drawOpening(board: Board, config: string, output: string, { columns, style }: Canvas): string[] {
  const { started } = board;
  if (started === null) return [];
  const reused = started.calibrations.filter((calibration) => calibration.reused).length;
  const total = started.calibrations.length;
  const lines = [`caf ${started.version}   ${config}   ${style.arrow} ${output}   ${count(total, 'calibration')}`];
  if (reused > 0) lines.push(`reusing ${reused} of ${total}: nothing they depend on has changed  (caf run --fresh to redo)`);
  return lines.map((line) => cutEnd(line, columns, style.ellipsis));
}

/** The permanent line of a calibration that has ended. */
export function drawFinished(board: Board, row: Row, { columns, style }: Canvas): string {
  const nameWidth = Math.min(widestName(board), 32);
  const elapsed = row.seconds === null ? '' : durationText(row.seconds);
  const mark: Mark = row.state === 'completed' ? 'done' : row.state === 'failed' ? 'failed' : 'waiting';
  const left = `${padEnd(cutMiddle(row.name, nameWidth, style.ellipsis), nameWidth)}  ${finishedText(row)}`;
  const room = columns - displayWidth(style.mark(mark)) - 1;
  const line = spread(left, elapsed, room) ?? spread(cutEnd(left, room - elapsed.length - 2, style.ellipsis), elapsed, room);
  return `${style.mark(mark)} ${(line ?? cutEnd(left, room, style.ellipsis)).trimEnd()}`;
}

function finishedText(row: Row): string {
  if (row.reused) return `reused        ${count(row.payloads, 'payload')}`;
  if (row.state === 'blocked') return `blocked       by ${row.blockedBy.join(', ')}`;
  if (row.state === 'failed') return `failed        ${oneLine(row.error?.message ?? '')}`;
  const jobs = row.jobsDone > 0 ? [count(row.jobsDone, 'job')] : [];
  const facts = [count(row.iterations, 'iteration'), ...jobs, count(row.payloads, 'payload')];
  return `completed     ${facts.join('   ')}${row.converged === false ? '   not converged' : ''}`;
}

/** The window: running calibrations, then waiting ones, cut to the height of the terminal, and one line of totals. */
export function drawBoard(board: Board, canvas: Canvas): string[] {
  const { columns, style } = canvas;
  if (board.started === null || board.ended !== null) return [];
  const open = board.rows.filter((row) => !isFinished(row));
  const active = open.filter(isActive);
  const ordered = [...active, ...open.filter((row) => !isActive(row))];
  // Rule, blank line, totals, and one line below for the cursor.
  const room = Math.max(canvas.rows - 4, 1);
  const shown = ordered.length <= room ? ordered : ordered.slice(0, Math.max(room - 1, 1));
  const columnsShown = layOut(board, shown, canvas);
  const lines = [style.paint('dim', style.rule.repeat(columns)), ...shown.map((row) => drawRow(board, row, columnsShown, canvas))];
  if (shown.length < ordered.length) lines.push(cutEnd(plusMore(ordered.slice(shown.length)), columns, style.ellipsis));
  return [...lines, '', drawTotals(board, canvas)];
}

function plusMore(hidden: readonly Row[]): string {
  const running = hidden.filter(isActive).length;
  const parts = [running > 0 ? `${running} running` : '', running < hidden.length ? `${hidden.length - running} waiting` : ''];
  return `  plus ${hidden.length} more: ${parts.filter((part) => part !== '').join(', ')}`;
}

const COLUMNS = ['name', 'state', 'iteration', 'bar', 'count', 'detail', 'elapsed'] as const;
type Column = (typeof COLUMNS)[number];
/** What goes first when the terminal is too narrow. The name never goes. */
const DROPPED: readonly Column[] = ['elapsed', 'bar', 'detail', 'iteration', 'state', 'count'];
const RIGHT: readonly Column[] = ['count', 'elapsed'];
const barWidth = (columns: number): number => (columns < 100 ? 8 : 12);
const LEAST_NAME = 8;
type Widths = ReadonlyMap<Column, number>;

/** Which columns fit, and how wide each is. Waiting rows do not count: their text may run over all columns. */
function layOut(board: Board, shown: readonly Row[], canvas: Canvas): Widths {
  const { columns, style } = canvas;
  const room = columns - displayWidth(style.mark('running')) - 1;
  const widths = new Map<Column, number>();
  for (const column of COLUMNS) {
    const cells = shown.filter((row) => column === 'name' || isActive(row)).map((row) => displayWidth(cellText(row, column, canvas)));
    const width = Math.max(0, ...cells);
    if (width > 0) widths.set(column, width);
  }
  // Steady: as wide as the widest name of all, so that columns do not shake when rows come and go.
  const widest = Math.min(widestName(board), 32);
  widths.set('name', widest);
  const total = () => [...widths.values()].reduce((sum, width) => sum + width, 0) + 2 * (widths.size - 1);
  const shrink = (least: number) => widths.set('name', Math.min(widest, Math.max(least, widest - Math.max(total() - room, 0))));
  shrink(Math.min(widest, 16));
  for (const column of DROPPED) {
    if (total() <= room) break;
    widths.delete(column);
    widths.set('name', widest);
    shrink(column === 'state' || column === 'count' ? LEAST_NAME : Math.min(widest, 12));
  }
  if (total() > room) widths.set('name', Math.max(room, 1));
  return widths;
}

function drawRow(board: Board, row: Row, widths: Widths, canvas: Canvas): string {
  const { columns, style } = canvas;
  const mark = style.mark(row.jobs.failed > 0 || row.failedAlgorithms.length > 0 ? 'failed' : isActive(row) ? 'running' : 'waiting');
  const name = padEnd(cutMiddle(row.name, widths.get('name') ?? 1, style.ellipsis), widths.get('name') ?? 1);
  const room = columns - displayWidth(mark) - 1;
  if (!isActive(row)) {
    const text = `${name}  ${waitingText(board, row)}`;
    return `${mark} ${style.paint('dim', cutEnd(text, room, style.ellipsis).trimEnd())}`;
  }
  const cells = [...widths.keys()].map((column) => {
    const width = widths.get(column) ?? 0;
    if (column === 'name') return name;
    const text = cellText(row, column, canvas);
    return RIGHT.includes(column) ? padStart(text, width) : padEnd(text, width);
  });
  return `${mark} ${cells.join('  ').trimEnd()}`;
}

function waitingText(board: Board, row: Row): string {
  const waits = row.dependsOn.filter((name) => {
    const other = board.rows[board.index.get(name) ?? -1];
    return other !== undefined && other.state !== 'completed';
  });
  return waits.length === 0 ? 'waiting' : `waiting for ${waits.join(', ')}`;
}

function cellText(row: Row, column: Column, { columns, now, style }: Canvas): string {
  const { jobs } = row;
  const collecting = row.state === 'running_collector' && jobs.total > 0;
  switch (column) {
    case 'name':
      return row.name;
    case 'state':
      return row.state ?? '';
    case 'iteration':
      return `it ${row.iteration}`;
    case 'bar':
      return collecting ? drawBar((jobs.succeeded + jobs.failed) / jobs.total, barWidth(columns), style) : '';
    case 'count':
      return jobs.total > 0 ? `${jobs.succeeded + jobs.failed}/${jobs.total}` : '';
    case 'detail':
      if (row.algorithm !== null) return algorithmText(row, row.algorithm);
      if (row.engine !== null)
        return [someText(jobs.failed, 'failed'), placesText(jobs.running, { ...row.engine, reason: null })]
          .filter((text) => text !== '')
          .join(', ');
      return jobs.failed > 0 ? `${jobs.failed} failed` : someText(jobs.running, 'running');
    case 'elapsed':
      return row.startedAt === null ? '' : durationText((now - row.startedAt) / 1000);
  }
}

function algorithmText({ algorithmPlace }: Row, { name, executions }: NonNullable<Row['algorithm']>): string {
  const place = algorithmPlace === null || algorithmPlace === 'running' ? '' : ` ${algorithmPlace}`;
  return `${name}${executions > 0 ? ` ${executions} done` : ''}${place}`;
}

const EIGHTHS = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];

function drawBar(share: number, width: number, style: Style): string {
  const filled = Math.min(Math.max(share, 0), 1) * width;
  const whole = Math.floor(filled);
  if (!style.unicode) return '#'.repeat(whole) + '.'.repeat(width - whole);
  return padEnd('█'.repeat(whole) + (EIGHTHS[Math.floor((filled - whole) * 8)] ?? ''), width);
}

function drawTotals(board: Board, { columns, now, style }: Canvas): string {
  const done = board.rows.filter((row) => row.state === 'completed').length;
  const running = board.rows.reduce((sum, row) => sum + row.jobs.running, 0);
  const elapsed = board.startedAt === null ? '' : durationText((now - board.startedAt) / 1000);
  const engine = sumOfEngines(board.rows.flatMap((row) => row.engine ?? []));
  const jobsText = engine === null ? someText(running, running === 1 ? 'job running' : 'jobs running') : placesText(running, engine, 'job');
  const left = [`${done} of ${board.rows.length} done`, jobsText, elapsed].filter((fact) => fact !== '').join('   ');
  const right = {
    running: '^C stops safely',
    stopping:
      running > 0 ? `stopping when ${count(running, 'job has', 'jobs have')} ended; ^C again cancels` : 'stopping; ^C again cancels',
    cancelling: 'cancelling the running jobs',
  }[board.phase];
  // While stopping, what ^C does is the thing to read.
  if (board.phase === 'running') return spread(left, right, columns) ?? cutEnd(left, columns, style.ellipsis);
  return style.paint('yellow', spread(left, right, columns) ?? cutEnd(right, columns, style.ellipsis));
}

/** The names of a board are those of its index, whatever became of its rows: of thousands that end they are looked at once. */
const widestNames = new WeakMap<Board['index'], number>();

function widestName({ index }: Board): number {
  let widest = widestNames.get(index);
  if (widest === undefined) {
    widest = 1;
    for (const name of index.keys()) widest = Math.max(widest, displayWidth(name));
    widestNames.set(index, widest);
  }
  return widest;
}
