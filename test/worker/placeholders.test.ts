// Placeholders in argument vectors: filled literally, never parsed.
import { expect, it } from 'vitest';
import { expandArgv } from '../../src/worker/placeholders.ts';

const values = {
  config: '/home/ann/my config',
  files: ['/d/a b.csv', '/d/$(rm -rf).csv', '/d/{output}.csv'],
  output: '/out',
  iteration: 2,
  parameters: { threshold: 0.5, label: 'x y', bins: [1, 2] },
};

it.each([
  [
    ['python3', '{config}/fit.py'],
    ['python3', '/home/ann/my config/fit.py'],
  ],
  [['{files}'], ['/d/a b.csv', '/d/$(rm -rf).csv', '/d/{output}.csv']],
  [
    ['--in={files}', '-'],
    ['--in=/d/a b.csv', '--in=/d/$(rm -rf).csv', '--in=/d/{output}.csv', '-'],
  ],
  [['{output}/{iteration}'], ['/out/2']],
  [
    ['{parameters.threshold}', '{parameters.label}', '{parameters.bins}'],
    ['0.5', 'x y', '[1,2]'],
  ],
  [
    ['{"json": 1}', '{}', '{print $1}', '$&'],
    ['{"json": 1}', '{}', '{print $1}', '$&'],
  ],
])('%j becomes %j', (argv, expected) => {
  expect(expandArgv(argv, values)).toEqual(expected);
});

it('{files} without files is no argument at all', () => {
  expect(expandArgv(['cat', '{files}'], { ...values, files: [] })).toEqual(['cat']);
});

it.each([
  ['{outptu}', '{outptu} in the argument "{outptu}" is not a placeholder.'],
  [
    '{parameters.treshold}',
    'The argument "{parameters.treshold}" needs the parameter treshold; the payload named parameters has threshold, label, bins.',
  ],
  ['{parameters.toString}', 'needs the parameter toString'],
])('%s is refused', (argument, message) => {
  expect(() => expandArgv([argument], values)).toThrow(
    expect.objectContaining({ code: 'CAF_PLACEHOLDER', message: expect.stringContaining(message) }),
  );
});
