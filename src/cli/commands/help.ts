// `caf help [command]`, and two topics: exit codes and the environment.
import type { Command } from 'commander';
import { CafError } from '../../domain/errors.ts';
import { nearest } from '../../domain/nearest.ts';
import { drawTable } from '../../report/text.ts';
import { EXIT_CODES } from '../exit-codes.ts';
import type { Io } from '../io.ts';

const ENVIRONMENT: readonly (readonly [string, string])[] = [
  ['NO_COLOR', 'no colours, when not empty'],
  ['FORCE_COLOR', 'colours even where the output is no terminal; 0 = none'],
  ['CI', 'no live screen: one line per change'],
  ['TERM', 'dumb = no live screen, no colours'],
  ['LC_ALL, LC_CTYPE, LANG', 'the first that is set: symbols beyond ASCII only where it names UTF-8'],
  ['TMPDIR', 'temporary files'],
  ['CAF_OUTPUT', 'results directory, where --output does not say'],
  ['CAF_BACKEND', 'where jobs run, where --backend does not say'],
  ['CAF_SLOTS', 'cores for all jobs together, instead of what the config says'],
  ['CAF_CONFIG_TIMEOUT_MS', 'how long a config may take to load, in milliseconds (30000)'],
  ['NODE_COMPILE_CACHE', 'where compiled code is kept, instead of beside caf or in ~/.cache (XDG_CACHE_HOME)'],
  ['NODE_DISABLE_COMPILE_CACHE', '1 = compiled code is not kept'],
  ['CAF_JOB', 'set by caf for a program or a job: path of its job.json'],
  ['CAF_FILESYSTEM', 'network or local: what the results directory is taken to lie on'],
  ['CAF_LEASE_STALE_MS', 'after how long without a sign of life a caf on another host counts as gone (300000)'],
];

const topics: Readonly<Record<string, () => readonly string[]>> = {
  'exit-codes': () => [
    'Exit codes:',
    ...drawTable(
      [],
      EXIT_CODES.map(([code, meaning]) => [`  ${code}`, meaning]),
    ),
  ],
  environment: () => [
    'Environment:',
    ...drawTable(
      [],
      ENVIRONMENT.map(([name, meaning]) => [`  ${name}`, meaning]),
    ),
  ],
};

export function registerHelp(program: Command, io: Io): void {
  program
    .command('help')
    .summary('help for a command, or for exit-codes, environment')
    .description('help for a command, or for a topic: exit-codes, environment')
    .argument('[command]')
    .action((name: string | undefined) => {
      if (name === undefined) return program.outputHelp();
      const topic = topics[name];
      if (topic !== undefined) return io.stdout.write(`${topic().join('\n')}\n`);
      const command = program.commands.find((each) => each.name() === name || each.aliases().includes(name));
      if (command !== undefined) return command.outputHelp();
      const known = [...program.commands.map((each) => each.name()), ...Object.keys(topics)];
      const near = nearest(name, known);
      throw new CafError('CAF_USAGE', `There is no command or topic '${name}'`, {
        hint: near === null ? 'caf --help' : `did you mean ${near}?`,
      });
    });
}
