// The live report: ended calibrations scroll away as history, running ones live in a window at the bottom of the terminal.
import type { TimedEvent } from '../domain/event.ts';
import { type Board, emptyBoard, foldBoard } from './board.ts';
import { describeEvent } from './describe-event.ts';
import { type Canvas, drawBoard, drawFinished, drawOpening } from './draw-board.ts';
import { drawHint } from './draw-summary.ts';
import { shortPath } from './error-text.ts';
import type { Io, Stream } from './io.ts';
import type { Report, ReportOptions } from './report.ts';
import { type Style, styleFor } from './style.ts';
import { writeSummary } from './summary.ts';
import { cutEnd, displayWidth, oneLine } from './text.ts';

const FRAME_MS = 100;
const TICK_MS = 1000;

export function createLiveReport(io: Io, options: ReportOptions): Report {
  const style = styleFor(io.stderr, io.env);
  const screen = createScreen(io.stderr);
  let board: Board = emptyBoard;
  let finishedShown = 0;
  let history: string[] = [];
  let frame: NodeJS.Timeout | null = null;

  const canvas = (): Canvas => ({ columns: io.stderr.columns, rows: io.stderr.rows, now: Date.now(), style });
  const draw = () => {
    if (frame !== null) clearTimeout(frame);
    frame = null;
    for (const name of board.finished.slice(finishedShown)) {
      const row = board.rows[board.index.get(name) ?? -1];
      if (row !== undefined) history.push(drawFinished(board, row, canvas()));
    }
    finishedShown = board.finished.length;
    screen.draw(history, drawBoard(board, canvas()));
    history = [];
  };
  const tick = setInterval(draw, TICK_MS);
  tick.unref();
  const stopListening = io.stderr.onResize(draw);

  return {
    event: (event) => {
      board = foldBoard(board, event);
      history.push(...historyLines(event, board, canvas(), io, options, style));
      frame ??= setTimeout(draw, FRAME_MS).unref();
    },
    close: async () => {
      clearInterval(tick);
      stopListening();
      draw();
      screen.close();
      await writeSummary(board, io, options, io.stdout);
    },
  };
}

function historyLines(event: TimedEvent, board: Board, canvas: Canvas, io: Io, options: ReportOptions, style: Style): string[] {
  if (event.type === 'campaign.started') {
    return [...drawOpening(board, shortPath(event.config, io.cwd), shortPath(event.output, io.cwd), canvas), ''];
  }
  if (event.type === 'warning') {
    if (board.warningCount > board.warnings.length) return [];
    const where = event.calibration === undefined ? '' : `${event.calibration}: `;
    const lines = [`${style.mark('warning')} ${cutEnd(where + oneLine(event.message), canvas.columns - 3, style.ellipsis)}`];
    return event.hint === undefined ? lines : [...lines, ...drawHint(event.hint, canvas)];
  }
  if (!options.verbose || event.type.startsWith('calibration.') || event.type === 'campaign.ended') {
    return options.verbose && event.type === 'calibration.started'
      ? [cutEnd(`  ${event.calibration}: ${oneLine(event.reason)}`, canvas.columns)]
      : [];
  }
  return [style.paint('dim', cutEnd(`  ${describeEvent(event).text}`, canvas.columns, style.ellipsis))];
}

interface Screen {
  /** Prints `above` for good, then the window below it in place of the previous one. */
  draw(above: readonly string[], window: readonly string[]): void;
  close(): void;
}

const SYNC = '\u001b[?2026h';
const END_SYNC = '\u001b[?2026l';
const HIDE_CURSOR = '\u001b[?25l';
const SHOW_CURSOR = '\u001b[?25h';
const ERASE_BELOW = '\u001b[J';

function createScreen(stream: Stream): Screen {
  let shown: readonly string[] = [];
  let isOpen = true;
  const showCursor = () => stream.write(SHOW_CURSOR);
  // However this process ends, short of SIGKILL, the user gets the cursor back.
  process.once('exit', showCursor);
  stream.write(HIDE_CURSOR);
  return {
    draw: (above, window) => {
      if (!isOpen) return;
      if (above.length === 0 && window.length === shown.length && window.every((line, i) => line === shown[i])) return;
      // After a resize the old lines may have been wrapped: count the rows they take now.
      const height = shown.reduce((sum, line) => sum + Math.max(Math.ceil(displayWidth(line) / stream.columns), 1), 0);
      const up = height > 0 ? `\u001b[${height}A\r` : '';
      stream.write(`${SYNC}${up}${ERASE_BELOW}${[...above, ...window].map((line) => `${line}\n`).join('')}${END_SYNC}`);
      shown = window;
    },
    close: () => {
      if (!isOpen) return;
      isOpen = false;
      process.removeListener('exit', showCursor);
      showCursor();
    },
  };
}
