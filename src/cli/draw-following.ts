// What is said of a campaign that goes on elsewhere: where, and how to follow it from here.
import { DEFAULT_OUTPUT } from '../domain/calibration.ts';
import { shortPath } from '../report/error-text.ts';
import { shellWord } from '../report/shell-word.ts';
import { styleFor } from '../report/style.ts';
import { drawTable } from '../report/text.ts';
import type { Io } from './io.ts';

/** `output`: absolute path of the results directory. */
export function drawFollowing(head: string, output: string, io: Io): readonly string[] {
  const short = shortPath(output, io.cwd);
  const isDefault = short === DEFAULT_OUTPUT;
  const word = shellWord(short);
  const commands = [
    [`caf status${isDefault ? '' : ` ${word}`} --watch`, 'how far it is, as it changes'],
    [`caf logs -f${isDefault ? '' : ` --output ${word}`}`, 'what it does'],
    [`caf cancel${isDefault ? '' : ` ${word}`}`, 'end it'],
  ];
  return [`${styleFor(io.stdout, io.env).mark('running')} ${head}   ${short}`, '', ...drawTable([], commands).map((line) => `  ${line}`)];
}
