// `caf init`: writes a project that already works.
import { existsSync, lstatSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Command } from 'commander';
import { CafError } from '../../domain/errors.ts';
import { styleFor } from '../../report/style.ts';
import { drawTable } from '../../report/text.ts';
import { addExamples } from '../examples.ts';
import type { Io } from '../io.ts';

export function registerInit(program: Command, io: Io): void {
  const command = program
    .command('init')
    .summary('write a working calibration into this directory')
    .description('Writes a working calibration into this directory. Nothing is overwritten.')
    .argument('[name]', 'name of the calibration', 'line')
    .action((name: string) => init(name, io));
  addExamples(command, [
    ['caf init', 'a straight-line fit called line'],
    ['caf init gain', 'the same, called gain'],
  ]);
}

async function init(name: string, io: Io): Promise<void> {
  const { calibrationNameProblem } = await import('../../config/check/readers.ts');
  const wrong = calibrationNameProblem(name);
  if (wrong !== null)
    throw new CafError('CAF_USAGE', `This cannot be the name of a calibration: ${wrong}`, { hint: 'caf init my-calibration' });
  const { STARTER_RUNS, starterFiles } = await import('../starter.ts');
  const files = starterFiles(name);
  const inTheWay = files.filter((file) => !file.optional && exists(join(io.cwd, file.path))).map((file) => file.path);
  if (inTheWay.length > 0) {
    throw new CafError('CAF_USAGE', `There is already ${inTheWay.join(', ')}; nothing was written`, {
      hint: 'use an empty directory: mkdir my-project && cd my-project && caf init',
    });
  }
  for (const { path, content, optional } of files) {
    const target = join(io.cwd, path);
    if (!optional || !existsSync(target)) write(target, content);
  }
  const done = styleFor(io.stdout, io.env).mark('done');
  const lines = [
    ...drawTable(
      [],
      [
        [`${done} calibrations/${name}/{calibration,collect,fit,payloads}.ts`, 'a straight-line fit that iterates'],
        [`${done} caf.config.ts`, 'one calibration, jobs on this machine'],
        [`${done} data/${name}-e1r{1..${STARTER_RUNS}}.csv`, `${STARTER_RUNS} runs with outliers`],
      ],
    ),
    '',
    ...drawTable(
      [],
      [
        ['  caf run --dry-run', 'see what would be done'],
        ['  caf run', `do it: ${STARTER_RUNS} jobs in each iteration, a few seconds`],
      ],
    ),
  ];
  io.stdout.write(`${lines.join('\n')}\n`);
}

function write(target: string, content: string): void {
  try {
    mkdirSync(dirname(target), { recursive: true });
    // Never over a file that came meanwhile.
    writeFileSync(target, content, { flag: 'wx' });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    throw new CafError('CAF_USAGE', `${target} cannot be written: ${message}`, {
      hint: 'use a directory of your own, with space left',
      cause: error,
    });
  }
}

/** Also a link that leads nowhere. */
function exists(path: string): boolean {
  try {
    return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch (error) {
    // A file stands where a directory is needed: writing will say so.
    if ((error as NodeJS.ErrnoException).code === 'ENOTDIR') return false;
    throw error;
  }
}
