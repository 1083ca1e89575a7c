// What a user reads of an error: what is true, its code, every problem with its place, and one thing to do. Never a stack.
import { relative } from 'node:path';
import type { CafError } from '../domain/errors.ts';
import { drawHint, withCode } from './draw-summary.ts';
import type { Style } from './style.ts';
import { displayWidth, stripControls, wrapText } from './text.ts';

export interface ErrorCanvas {
  readonly columns: number;
  readonly style: Style;
  /** Paths below it are shown relative to it. */
  readonly cwd: string;
}

type Shown = Pick<CafError, 'code' | 'message' | 'hint' | 'problems' | 'at'>;

export function drawError(error: Shown, canvas: ErrorCanvas): string[] {
  const { columns, style, cwd } = canvas;
  const mark = style.mark('failed');
  const room = columns - displayWidth(mark) - 1;
  const [first = '', ...rest] = withCode(stripControls(error.message), error.code, room);
  const lines = [`${mark} ${first}`, ...rest.map((line) => `  ${line}`)];
  if (error.at !== undefined) {
    const { file, line, column } = error.at;
    lines.push(`  ${style.paint('cyan', `${shortPath(file, cwd)}:${line}${column === undefined ? '' : `:${column}`}`)}`);
  }
  if (error.problems.length > 0) lines.push('');
  for (const problem of error.problems) {
    lines.push(`  ${style.paint('cyan', stripControls(problem.path))}`);
    lines.push(...wrapText(stripControls(problem.message), Math.max(columns - 4, 20)).map((line) => `    ${line}`));
  }
  if (error.hint !== undefined) lines.push(...(error.problems.length > 0 ? [''] : []), ...drawHint(error.hint, canvas));
  return lines;
}

/** To be shown: relative to `cwd` when it lies below, as people type it, on one line. */
export function shortPath(path: string, cwd: string): string {
  const short = relative(cwd, path);
  return stripControls(short === '' ? '.' : short.startsWith('..') ? path : short).replaceAll(/[\t\n]/g, ' ');
}
