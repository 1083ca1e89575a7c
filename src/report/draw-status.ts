// Draws the table of `caf status`. Pure.
import { basename, join } from 'node:path';
import { markOf } from './draw-graph.ts';
import { drawHint, withCode } from './draw-summary.ts';
import { placesText, someText } from './places.ts';
import { shellWord } from './shell-word.ts';
import type { StatusDocument } from './status-model.ts';
import type { Style } from './style.ts';
import { count, cutEnd, cutMiddle, displayWidth, drawTable, durationText, oneLine } from './text.ts';

export interface StatusCanvas {
  readonly columns: number;
  /** Lines there is room for; what does not fit is counted. */
  readonly rows: number;
  readonly style: Style;
  readonly directory: string;
  /** What continues the campaign: `caf run`, with its arguments. */
  readonly resume: string;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** Every iteration, algorithm and result. */
  readonly all: boolean;
}

export function drawStatus(status: StatusDocument, canvas: StatusCanvas): string[] {
  const errors = status.calibrations.filter((calibration) => calibration.error !== null);
  const head = [...drawHead(status, canvas), ''];
  const foot = [...drawErrors(errors, canvas), ...drawNext(status, canvas)];
  const table = drawCalibrations(status.calibrations, canvas);
  const room = Math.max(canvas.rows - head.length - foot.length, 2);
  const shown = table.length <= room ? table : [...table.slice(0, room - 1), `plus ${table.length - room + 1} more`];
  return [...head, ...shown, ...foot];
}

function drawHead({ state, invocation, owner }: StatusDocument, { columns, style, directory, now }: StatusCanvas): string[] {
  const facts: string[] = [directory];
  if (invocation !== null) {
    const by = invocation.actor === '' ? '' : ` by ${oneLine(invocation.actor)}`;
    facts.push(oneLine(basename(invocation.config)), `started ${durationText((now - Date.parse(invocation.startedAt)) / 1000)} ago${by}`);
  }
  const alive = owner === null ? '' : ` (pid ${owner.pid} on ${owner.host}, alive ${durationText(owner.secondsSinceBeat)} ago)`;
  const word = state === 'running' ? `${state}${alive}` : state;
  // The state comes last: a word of its own when the facts take the line.
  const line = `${facts.join('   ')}   ${word}`;
  const lines = displayWidth(line) <= columns ? [line] : [facts.join('   '), word];
  return lines.map((each) => cutEnd(each, columns, style.ellipsis));
}

type CalibrationStatus = StatusDocument['calibrations'][number];

const HEADER = ['', 'calibration', 'state', 'it', 'jobs', 'payloads', 'elapsed', ''];
/** Indices of what goes first on a narrow terminal: elapsed, payloads, the detail, the state (its mark stays). */
const DROPPED = [6, 5, 7, 2];

function drawCalibrations(calibrations: readonly CalibrationStatus[], { columns, style, all }: StatusCanvas): string[] {
  const nameWidth = Math.max(Math.min(32, columns - 30), 8);
  const rows = calibrations.map((calibration) => [
    style.mark(markOf(calibration.state)),
    cutMiddle(calibration.name, nameWidth, style.ellipsis),
    calibration.state,
    calibration.iterations.length === 0 ? '-' : String(calibration.iteration),
    jobsText(calibration.jobs),
    calibration.payloads === null ? '-' : String(calibration.payloads),
    calibration.seconds === null ? '-' : durationText(calibration.seconds),
    detailText(calibration),
  ]);
  let lines = drawTable(HEADER, rows, 2);
  const dropped: number[] = [];
  for (const column of DROPPED) {
    if (lines.every((line) => displayWidth(line) <= columns)) break;
    dropped.push(column);
    const keep = (_: unknown, i: number) => !dropped.includes(i);
    lines = drawTable(
      HEADER.filter(keep),
      rows.map((row) => row.filter(keep)),
      2,
    );
  }
  const [header = '', ...body] = lines.map((line) => cutKeepingMark(line, columns, style));
  const drawn = body.flatMap((line, i) => {
    const calibration = calibrations[i];
    return all && calibration !== undefined ? [line, ...drawIterations(calibration, columns, style)] : [line];
  });
  return [style.paint('dim', header), ...drawn];
}

/** Cuts a line whose only colour is the mark it begins with. */
function cutKeepingMark(line: string, columns: number, style: Style): string {
  if (displayWidth(line) <= columns) return line;
  const space = line.indexOf(' ');
  const mark = line.slice(0, space);
  return mark + cutEnd(line.slice(space), columns - displayWidth(mark), style.ellipsis);
}

const placesOf = ({ running, engine }: CalibrationStatus['jobs']): string =>
  engine === undefined ? someText(running, 'running') : placesText(running, { ...engine, engine: engine.name });

function jobsText({ total, succeeded }: CalibrationStatus['jobs']): string {
  return total === 0 ? '-' : `${succeeded}/${total}`;
}

function detailText({ jobs, converged, state, error }: CalibrationStatus): string {
  const facts = [
    jobs.failed > 0 ? `${jobs.failed} failed` : '',
    placesOf(jobs),
    jobs.reused > 0 && state !== 'completed' ? `${jobs.reused} kept` : '',
    state === 'completed' && converged === false ? 'not converged' : '',
    jobs.failed === 0 && error !== null ? error.code : '',
  ];
  return facts.filter((fact) => fact !== '').join(', ');
}

function drawIterations({ iterations }: CalibrationStatus, columns: number, style: Style): string[] {
  const rows = iterations.flatMap(({ iteration, algorithms }) =>
    algorithms.map(({ name, finalState, results, executions, gaps }) => {
      const seconds = executions.reduce((sum, execution) => sum + execution.seconds, 0);
      const said = new Map<string, number>();
      for (const { result } of results) said.set(result, (said.get(result) ?? 0) + 1);
      const counts = [...said].map(([result, n]) => `${n} ${result}`).join(', ');
      const gapText = gaps === null || gaps.length === 0 ? '' : count(gaps.length, 'gap');
      return [
        `     it ${iteration}`,
        name,
        finalState ?? 'running',
        [counts, gapText, durationText(seconds)].filter((each) => each !== '').join('   '),
      ];
    }),
  );
  return drawTable([], rows, 2).map((line) => cutEnd(line, columns, style.ellipsis));
}

function drawErrors(failed: readonly CalibrationStatus[], { columns, style }: StatusCanvas): string[] {
  return failed.slice(0, 5).flatMap(({ name, error }) => {
    if (error === null) return [];
    const lines = withCode(`${name}   ${oneLine(error.message)}`, error.code, columns - 2).map((line) => `  ${line}`);
    return ['', ...lines, ...(error.hint === undefined ? [] : drawHint(error.hint, { columns, style }))];
  });
}

/** What to type next. */
function drawNext(status: StatusDocument, { directory, resume }: StatusCanvas): string[] {
  const withDatabase = status.calibrations.filter((calibration) => calibration.localdb !== null);
  const last = withDatabase.findLast(({ payloads }) => payloads !== 0) ?? withDatabase.at(-1);
  switch (status.state) {
    case 'running':
      return ['', `  caf status ${shellWord(directory)} --watch   see it change`];
    case 'interrupted':
    case 'failed':
      return ['', `  ${resume}   continue; what is finished is kept`];
    case 'completed':
      return last?.localdb == null ? [] : ['', `  caf db show ${shellWord(join(directory, last.localdb))}   its payloads`];
  }
}
