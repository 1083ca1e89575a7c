// What is read out of the words of engines' commands, whatever the engine.
import { expect, test } from 'vitest';
import { warningsIn } from '../../src/backends/batch-commands.ts';
import { recorded } from './support/recorded.ts';

test('a line of a submit description that condor_submit does not know is a warning', () => {
  expect(warningsIn(recorded('htcondor', 'condor_submit-typo').stderr)).toEqual([
    "the line 'requst_memory = 3' was unused by condor_submit. Is it a typo?",
  ]);
});

test('each warning is one line, whichever command says it, and all else is none', () => {
  const said = [
    'sbatch: Welcome to the cluster',
    "sbatch: Warning: can't run 1 processes on 2 nodes",
    '',
    'WARNING: Log file /home/anna/log is on NFS.',
    'This could cause log file corruption.',
    '',
    'Submitting job(s)',
    'no warning here',
  ];
  expect(warningsIn(said.join('\n'))).toEqual([
    "can't run 1 processes on 2 nodes",
    'Log file /home/anna/log is on NFS. This could cause log file corruption.',
  ]);
  expect(warningsIn('')).toEqual([]);
});
