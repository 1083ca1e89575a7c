// The command that continues a campaign.
import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { runOptions } from '../../src/cli/commands/run.ts';
import { resumeAfter, resumeText } from '../../src/cli/resume.ts';
import { shellWord } from '../../src/report/shell-word.ts';

test('continuing repeats what chooses the work and its place, not how it is shown', () => {
  expect(resumeText(runOptions(undefined, {}))).toBe('caf run');
  expect(
    resumeText(
      runOptions('prompt.config.ts', {
        only: ['gain', 't0'],
        iov: [7, 1, 7, -1],
        backend: 'slurm',
        output: 'out',
        fresh: true,
        verbose: true,
      }),
    ),
  ).toMatch(/^caf run prompt\.config\.ts --only gain --only t0 --iov 7,1,7,-1 --backend slurm --output out$/);
});

test.each([
  ['/data/caf.config.ts', ['run'], '/data/calibration_results', '/data', 'caf run'],
  ['/data/caf.config.ts', ['run'], '/data/calibration_results', '/', 'caf run data'],
  ['/data/caf.config.ts', ['run'], '/data/calibration_results', '/home', 'caf run /data'],
  ['/data/prompt.ts', ['run', 'prompt.ts', '--fresh'], '/data/calibration_results', '/data', 'caf run prompt.ts'],
  ['/data/caf.config.ts', ['run', '--output', '/scratch/r'], '/scratch/r', '/data', 'caf run --output /scratch/r'],
  [
    '/data/caf.config.ts',
    ['run', '--iov', '7,1,7,-1', '--only=gain'],
    '/data/calibration_results',
    '/data',
    'caf run --iov 7,1,7,-1 --only gain',
  ],
  ['/data/caf.config.ts', ['run', '--backend=slurm', '--', '--only'], '/data/calibration_results', '/data', 'caf run --backend slurm'],
  ['/my data/a config.ts', ['run'], '/my data/calibration_results', '/my data', "caf run 'a config.ts'"],
])('after %s run as %j into %s, in %s: %s', (config, argv, results, cwd, expected) => {
  expect(resumeAfter({ config, argv }, results, { cwd })).toBe(expected);
});

test('a directory where nothing was run yet is continued by caf run', () => {
  expect(resumeAfter(null, '/data/calibration_results', { cwd: '/' })).toBe('caf run');
});

test.each(['plain', 'größe/データ', 'a b', "it's", '$HOME `x` "q" \\', '*', '~', '', 'a;b', '#x'])(
  'a shell reads %j back as it was',
  (text) => {
    expect(execFileSync('sh', ['-c', `printf %s ${shellWord(text)}`], { encoding: 'utf8' })).toBe(text);
  },
);
