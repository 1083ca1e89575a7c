// What is said of a campaign that goes on elsewhere: where, and how to follow it from here.
import { DEFAULT_OUTPUT } from '../domain/calibration.ts';
import { shortPath } from '../report/error-text.ts';
import { styleFor } from '../report/style.ts';
import { drawTable } from '../report/text.ts';
import type { Io } from './io.ts';

/** `output`: absolute path of the results directory. */
export function drawFollowing(head: string, output: string, io: Io): readonly string[] {
  const short = shortPath(output, io.cwd);
  const isDefault = short === DEFAULT_OUTPUT;
  const commands = [
    [`caf status${isDefault ? '' : ` ${short}`} --watch`, 'how far it is, as it changes'],
    [`caf logs -f${isDefault ? '' : ` --output ${short}`}`, 'what it does'],
    [`caf cancel${isDefault ? '' : ` ${short}`}`, 'end it'],
  ];
  return [`${styleFor(io.stdout, io.env).mark('running')} ${head}   ${short}`, '', ...drawTable([], commands).map((line) => `  ${line}`)];
}
