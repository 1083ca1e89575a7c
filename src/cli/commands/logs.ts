// `caf logs`: what caf, a job or an algorithm wrote.
import { createReadStream, existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type Command, Option } from 'commander';
import { CafError } from '../../domain/errors.ts';
import { drawLogLine, type LogFilter } from '../../report/draw-log-line.ts';
import { shortPath } from '../../report/error-text.ts';
import { styleFor } from '../../report/style.ts';
import { readTail } from '../../report/tail.ts';
import { stripControls } from '../../report/text.ts';
import { awaitBeginning } from '../await-beginning.ts';
import { canGrow } from '../end-of-log.ts';
import { addExamples } from '../examples.ts';
import { type FoundLog, findLog, type LogFile } from '../find-log.ts';
import { followFile, openToFollow } from '../follow.ts';
import type { Io } from '../io.ts';
import { wholeNumber } from '../option-values.ts';
import { findResults, LOG_FILE } from '../results.ts';

interface LogsOptions {
  readonly output?: string;
  readonly follow?: boolean;
  readonly lines?: number;
  readonly attempt?: number;
}

/** On a terminal; a pipe gets everything. */
const DEFAULT_LINES = 200;
/** Longer lines are cut on a terminal. */
const LINE_LENGTH = 4000;

export function registerLogs(program: Command, io: Io): void {
  const command = program
    .command('logs')
    .summary('what caf, a job or an algorithm wrote')
    .description('Shows a log. Without an argument caf.log; ITER defaults to the newest iteration.')
    .argument('[what]', 'CALIBRATION[/ITER[/COLLECTION/JOB]] or CALIBRATION/ITER/ALGORITHM')
    .option('-f, --follow', 'go on as it grows, until what writes it has ended')
    .addOption(
      new Option('-n, --lines <n>', `only the last n lines, or all (default: ${DEFAULT_LINES} on a terminal, all in a pipe)`).argParser(
        linesOption,
      ),
    )
    .addOption(new Option('--attempt <n>', 'an attempt other than the last').argParser(wholeNumber))
    .option('--output <dir>', 'results directory (default: the one of the config here)')
    .action((what: string | undefined, options: LogsOptions) => showLogs(what, options, io));
  addExamples(command, [
    ['caf logs', 'what caf did'],
    ['caf logs gain', 'what happened to the calibration gain'],
    ['caf logs gain/0/random/17', 'job 17 of collection random, iteration 0'],
    ['caf logs gain/0/means -f', 'algorithm means, as it runs'],
  ]);
}

async function showLogs(what: string | undefined, options: LogsOptions, io: Io): Promise<void> {
  const results = await findResults(options.output, io, { orSubmitted: options.follow === true });
  if (options.follow === true) await awaitBeginning(results, io);
  const found = await findLog(results, what, options.attempt ?? null);
  const lines = options.lines ?? (io.stdout.isTTY || options.follow === true ? DEFAULT_LINES : Number.POSITIVE_INFINITY);
  const abort = new AbortController();
  const stopListening = io.stdout.onClose(() => abort.abort());
  try {
    const follow = options.follow === true ? () => canGrow(results, found) : null;
    if (found.kind === 'events') await showEvents(join(results, LOG_FILE), found, lines, follow, abort.signal, io);
    else await showOutput(found, lines, follow, abort.signal, io);
  } finally {
    stopListening();
  }
}

/** Whether what is followed can still grow; null = it is not followed. */
type Follow = (() => boolean) | null;
type Events = Extract<FoundLog, { kind: 'events' }>;
type Output = Extract<FoundLog, { kind: 'output' }>;

async function showEvents(path: string, { calibration, iteration }: Events, maxLines: number, follow: Follow, signal: AbortSignal, io: Io) {
  if (!existsSync(path))
    throw new CafError('CAF_RESULTS_NOT_FOUND', `There is no ${shortPath(path, io.cwd)}`, { hint: 'caf run writes it' });
  const filter: LogFilter | null = calibration === null ? null : { calibration, iteration };
  const style = styleFor(io.stdout, io.env);
  const say = (line: string) => {
    const drawn = drawLogLine(line, filter, style);
    if (drawn !== null) io.stdout.write(`${drawn}\n`);
  };
  const { size } = statSync(path);
  if (filter === null && Number.isFinite(maxLines)) for (const line of (await readTail(path, maxLines))?.lines ?? []) say(line);
  else {
    // The last lines that the filter lets through: the file is read once, the memory bounded by what is shown.
    const kept: string[] = [];
    const { createInterface } = await import('node:readline');
    for await (const line of createInterface({ input: createReadStream(path, { end: Math.max(size - 1, 0) }) })) {
      if (signal.aborted) return;
      if (filter !== null && !line.includes(filter.calibration)) continue;
      if (!Number.isFinite(maxLines)) say(line);
      else if (drawLogLine(line, filter, style) !== null && kept.push(line) > 2 * maxLines) kept.splice(0, kept.length - maxLines);
    }
    for (const line of kept.slice(-Math.min(maxLines, kept.length))) say(line);
  }
  if (follow === null) return;
  let rest = '';
  const decoder = new TextDecoder();
  for await (const chunk of followFile(path, size, signal, follow)) {
    const complete = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = complete.pop() ?? '';
    for (const line of complete) say(line);
  }
}

async function showOutput({ title, files, directory }: Output, maxLines: number, follow: Follow, signal: AbortSignal, io: Io) {
  const style = styleFor(io.stderr, io.env);
  const header = (text: string) =>
    io.stderr.write(`${style.paint('dim', `${style.rule}${style.rule} ${text} ${style.rule}${style.rule}`)}\n`);
  // What lies in an archive does not grow. A job that ends while its log is shown is renamed into its place.
  const growing = follow === null || isFile(directory) ? [] : await Promise.all(files.map(({ path }) => openToFollow(path)));
  const present = files.filter((file) => sizeOf(file) > 0);
  if (present.length === 0)
    header(`${title}: ${existsSync(join(directory, 'result.json')) || isFile(directory) ? 'it wrote nothing' : 'nothing written yet'}`);
  const ends = new Map<LogFile, number>();
  for (const file of present) {
    header(`${title}, ${file.name}`);
    ends.set(file, sizeOf(file));
    await showFile(file, maxLines, signal, io);
  }
  if (follow === null || growing.length === 0) return;
  let last = present.at(-1);
  await Promise.all(
    files.map(async (file, i) => {
      const write = terminalWriter(io);
      for await (const chunk of followFile(file.path, ends.get(file) ?? 0, signal, follow, growing[i])) {
        if (last !== file) header(`${title}, ${file.name}`);
        last = file;
        write(chunk);
      }
    }),
  );
}

const isFile = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isFile() === true;

const sizeOf = ({ path, part }: LogFile): number => part?.length ?? statSync(path, { throwIfNoEntry: false })?.size ?? 0;

async function showFile({ path, part }: LogFile, maxLines: number, signal: AbortSignal, io: Io): Promise<void> {
  if (Number.isFinite(maxLines)) {
    const tail = await readTail(path, maxLines, undefined, part);
    const clean = (line: string) => (io.stdout.isTTY ? forTerminal(line) : line);
    for (const line of tail?.lines ?? []) io.stdout.write(`${clean(line)}\n`);
    return;
  }
  const write = terminalWriter(io);
  const range = part === null ? {} : { start: part.start, end: part.start + part.length - 1 };
  for await (const chunk of createReadStream(path, { highWaterMark: 64 * 1024, ...range })) {
    if (signal.aborted) return;
    write(chunk as Buffer);
  }
}

/** A pipe gets the bytes as they are; a terminal gets text that cannot steer it. */
function terminalWriter(io: Io): (chunk: Buffer) => void {
  const decoder = new TextDecoder();
  return (chunk) => io.stdout.write(io.stdout.isTTY ? stripControls(decoder.decode(chunk, { stream: true })) : chunk);
}

function forTerminal(line: string): string {
  const clean = stripControls(line);
  return clean.length <= LINE_LENGTH ? clean : `${clean.slice(0, LINE_LENGTH)} ... ${clean.length - LINE_LENGTH} more characters`;
}

const linesOption = (text: string): number => (text === 'all' ? Number.POSITIVE_INFINITY : wholeNumber(text));
