// `caf init`: writes a project that already works.
import { existsSync, lstatSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Command } from 'commander';
import { CafError } from '../../domain/errors.ts';
import { styleFor } from '../../report/style.ts';
import { drawTable } from '../../report/text.ts';
import { addExamples } from '../examples.ts';
import type { Io } from '../io.ts';

/** The rule for names of calibrations. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9_.+-]{0,99}$/;

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
  if (!NAME.test(name) || name === 'objects') {
    throw new CafError('CAF_USAGE', `'${name}' cannot name a calibration`, {
      hint: 'start with a letter or digit, then letters, digits and _ . + -, at most 100 characters, not objects',
    });
  }
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
    if (optional && existsSync(target)) continue;
    mkdirSync(dirname(target), { recursive: true });
    // Never over a file that came meanwhile.
    writeFileSync(target, content, { flag: 'wx' });
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

const exists = (path: string): boolean => lstatSync(path, { throwIfNoEntry: false }) !== undefined;
