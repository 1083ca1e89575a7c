// The command that continues a campaign, as the user would type it: with what chooses the work and its place, and nothing else.
import { existsSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { CONFIG_NAMES } from '../config/find-config.ts';
import { DEFAULT_OUTPUT } from '../domain/calibration.ts';
import { formatIov } from '../domain/iov.ts';
import { JOURNAL_FILE } from '../domain/results-directory.ts';
import { shortPath } from '../report/error-text.ts';
import { shellWord } from '../report/shell-word.ts';
import type { StatusDocument } from '../report/status-model.ts';
import type { RunOptions } from './commands/run.ts';
import type { Io } from './io.ts';

/** Another interval or calibration would be other work, and another backend would not find the jobs that an engine has. */
const REPEATED = ['--only', '--iov', '--backend'] as const;

/** After a `caf run` with these options, from the same working directory. */
export function resumeText({ config, only, iov, backend, output }: RunOptions): string {
  return typed([
    ...(config === undefined ? [] : [config]),
    ...only.flatMap((name) => ['--only', name]),
    ...(iov === undefined ? [] : ['--iov', formatIov(iov)]),
    ...(backend === undefined ? [] : ['--backend', backend]),
    ...(output === undefined ? [] : ['--output', output]),
  ]);
}

type Invocation = NonNullable<StatusDocument['invocation']>;

/** After an invocation that is in the journal, from any working directory. `results`: absolute path. */
export function resumeAfter(invocation: Pick<Invocation, 'config' | 'argv'> | null, results: string, { cwd }: Pick<Io, 'cwd'>): string {
  if (invocation === null) return 'caf run';
  const { config, argv } = invocation;
  const directory = dirname(config);
  const named = CONFIG_NAMES.some((name) => name === basename(config)) ? directory : config;
  return typed([
    ...(named === cwd ? [] : [shortPath(named, cwd)]),
    ...repeatedOptions(argv),
    ...(results === join(directory, DEFAULT_OUTPUT) ? [] : ['--output', shortPath(results, cwd)]),
  ]);
}

/** After the newest invocation on this results directory. */
export async function resumeIn(results: string, io: Pick<Io, 'cwd'>): Promise<string> {
  // A campaign that was submitted and has not begun has no journal.
  if (!existsSync(join(results, JOURNAL_FILE))) return 'caf run';
  const { readStatus } = await import('../report/status-model.ts');
  return resumeAfter(readStatus(results).invocation, results, io);
}

/** `--only a` and `--only=a` alike. */
function repeatedOptions(argv: readonly string[]): readonly string[] {
  const options = argv.includes('--') ? argv.slice(0, argv.indexOf('--')) : argv;
  return options.flatMap((word, at) => {
    const name = REPEATED.find((each) => word === each || word.startsWith(`${each}=`));
    if (name === undefined) return [];
    const value = word === name ? options[at + 1] : word.slice(name.length + 1);
    return value === undefined ? [] : [name, value];
  });
}

const typed = (words: readonly string[]): string => ['caf run', ...words.map(shellWord)].join(' ');
