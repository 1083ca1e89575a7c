// The command line as a tree of commands. Each loads what it needs when it runs, so that all of them start quickly.
import { Command, Option } from 'commander';
import { isLive, styleFor } from '../report/style.ts';
import { registerCancel } from './commands/cancel.ts';
import { registerCompletion } from './commands/completion.ts';
import { registerDb } from './commands/db.ts';
import { registerDoctor } from './commands/doctor.ts';
import { registerFilemap } from './commands/filemap.ts';
import { registerGraph } from './commands/graph.ts';
import { registerHelp } from './commands/help.ts';
import { registerInit } from './commands/init.ts';
import { registerLogs } from './commands/logs.ts';
import { registerReset } from './commands/reset.ts';
import { registerRun } from './commands/run.ts';
import { registerStatus } from './commands/status.ts';
import { registerSubmit } from './commands/submit.ts';
import type { Io } from './io.ts';
import { VERSION } from './version.ts';

/** Also what goes wrong is told from here: one bundle, one class of errors. */
export { reportFailure } from './failure.ts';

/** Heading in the help, name, and what makes it. */
const COMMANDS: readonly (readonly [group: string, name: string, register: (program: Command, io: Io) => void])[] = [
  ['Run:', 'init', registerInit],
  ['Run:', 'run', registerRun],
  ['Run:', 'submit', registerSubmit],
  ['Run:', 'cancel', registerCancel],
  ['Run:', 'reset', registerReset],
  ['Look:', 'status', registerStatus],
  ['Look:', 'logs', registerLogs],
  ['Look:', 'graph', registerGraph],
  ['Look:', 'filemap', registerFilemap],
  ['Look:', 'db', registerDb],
  ['More:', 'doctor', registerDoctor],
  // These two speak of all commands.
  ['More:', '', registerCompletion],
  ['More:', '', registerHelp],
];

/** `word`: the first on the command line. When it names a command, only that one is made. */
export function buildProgram(io: Io, word?: string): Command {
  const program = new Command('caf');
  const style = styleFor(io.stdout, io.env);
  // Settings come first: commands inherit them when they are made.
  program
    .description('Calibrations as loops: collectors, algorithms, payloads with intervals of validity, iterated to convergence.')
    .version(VERSION, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'show help')
    .helpCommand(false)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => io.stdout.write(text),
      writeErr: (text) => io.stderr.write(text),
      // reportFailure draws them, in the look of all our errors.
      outputError: () => undefined,
      getOutHelpWidth: () => (isLive(io.stdout, io.env) ? io.stdout.columns : 80),
      getErrHelpWidth: () => 80,
      getOutHasColors: () => style.colour,
      getErrHasColors: () => style.colour,
    })
    .configureHelp({
      styleTitle: (text) => style.paint('bold', text),
      showGlobalOptions: false,
      subcommandTerm: (command) => command.name(),
    })
    .addOption(new Option('--no-color', 'no colours; so does NO_COLOR in the environment'));

  const only = COMMANDS.find(([, name]) => name === word);
  for (const [group, , register] of only === undefined ? COMMANDS : [only]) {
    program.commandsGroup(group);
    register(program, io);
  }
  return program;
}
