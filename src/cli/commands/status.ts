// `caf status`: how far a campaign is, once or as it changes.
import { type Command, Option } from 'commander';
import { createWaker } from '../../host/waker.ts';
import { drawStatus } from '../../report/draw-status.ts';
import { shortPath } from '../../report/error-text.ts';
import { isLive, styleFor } from '../../report/style.ts';
import { awaitBeginning } from '../await-beginning.ts';
import { addExamples } from '../examples.ts';
import type { Io } from '../io.ts';
import { findResults } from '../results.ts';
import { resumeAfter } from '../resume.ts';

interface StatusOptions {
  readonly watch?: boolean;
  readonly json?: boolean;
  readonly all?: boolean;
}

export function registerStatus(program: Command, io: Io): void {
  const command = program
    .command('status')
    .summary('how far each calibration is')
    .description('Shows how far each calibration is.')
    .argument('[dir]', 'results directory (default: the one of the config here)')
    .addOption(new Option('-w, --watch', 'redraw when something changes, until it has ended').conflicts('json'))
    .option('-a, --all', 'every iteration and algorithm')
    .addOption(new Option('--json', 'one document for machines'))
    .action((directory: string | undefined, options: StatusOptions) => showStatus(directory, options, io));
  addExamples(command, [
    ['caf status', 'the results directory of the config here'],
    ['caf status --watch', 'as it changes'],
    ['caf status results --json | jq .state', 'for machines'],
  ]);
}

async function showStatus(directory: string | undefined, { watch, json, all }: StatusOptions, io: Io): Promise<void> {
  const results = await findResults(directory, io, { orSubmitted: watch === true });
  const { readStatus } = await import('../../report/status-model.ts');
  if (json === true) {
    io.stdout.write(`${JSON.stringify(readStatus(results))}\n`);
    return;
  }
  const draw = (isClipped: boolean) => {
    const status = readStatus(results);
    const lines = drawStatus(status, {
      columns: io.stdout.columns,
      rows: isClipped ? io.stdout.rows - 1 : Number.POSITIVE_INFINITY,
      style: styleFor(io.stdout, io.env),
      directory: shortPath(results, io.cwd),
      resume: resumeAfter(status.invocation, results, io),
      now: Date.now(),
      all: all === true,
    });
    return { lines, isRunning: status.state === 'running' };
  };
  if (watch !== true) {
    io.stdout.write(`${draw(false).lines.join('\n')}\n`);
    return;
  }
  await awaitBeginning(results, io);
  await watchStatus(results, draw, io);
}

const HOME = '\u001b[H';
const ERASE_LINE = '\u001b[K';
const ERASE_BELOW = '\u001b[J';
const ALTERNATE_SCREEN = '\u001b[?1049h';
const MAIN_SCREEN = '\u001b[?1049l';

/** The whole screen on a terminal; elsewhere the table again after each change. */
async function watchStatus(
  results: string,
  draw: (isClipped: boolean) => { readonly lines: readonly string[]; readonly isRunning: boolean },
  io: Io,
): Promise<void> {
  const isScreen = isLive(io.stdout, io.env);
  const abort = new AbortController();
  const stopListening = io.stdout.onClose(() => abort.abort());
  const interrupt = () => abort.abort();
  process.once('SIGINT', interrupt);
  const waker = createWaker(results, abort.signal);
  let shown = '';
  if (isScreen) io.stdout.write(ALTERNATE_SCREEN);
  try {
    for (;;) {
      const { lines, isRunning } = draw(isScreen);
      const text = lines.join('\n');
      if (text !== shown)
        io.stdout.write(isScreen ? `${HOME}${lines.map((line) => line + ERASE_LINE).join('\n')}${ERASE_BELOW}` : `${text}\n\n`);
      shown = text;
      if (!isRunning || abort.signal.aborted) break;
      await waker.wait();
    }
  } finally {
    waker.close();
    stopListening();
    process.removeListener('SIGINT', interrupt);
    if (isScreen) io.stdout.write(MAIN_SCREEN);
  }
  // What was last seen stays to be read.
  if (isScreen) io.stdout.write(`${draw(false).lines.join('\n')}\n`);
}
