// `caf run`: its options. What it does is in cli/run.ts.
import { type Command, Option } from 'commander';
import type { Iov } from '../../domain/iov.ts';
import { addExamples } from '../examples.ts';
import type { Io } from '../io.ts';
import { iovOption, repeated } from '../option-values.ts';

/** The command line of `caf run` as it was given: undefined = not said, so that environment and config may. */
export interface RunOptions {
  /** Path of a config file, or of a directory with a caf.config.ts. */
  readonly config: string | undefined;
  /** Empty: all calibrations. */
  readonly only: readonly string[];
  readonly iov: Iov | undefined;
  readonly backend: string | undefined;
  /** Relative to the working directory. */
  readonly output: string | undefined;
  readonly dryRun: boolean;
  /** The campaign goes on in the background. */
  readonly detach: boolean;
  /** This is the caf in the background, started by the one that detached. */
  readonly inBackground: boolean;
  readonly fresh: boolean;
  /** Finished jobs are archived. */
  readonly compact: boolean;
  readonly json: boolean;
  readonly quiet: boolean;
  readonly verbose: boolean;
}

export interface ParsedRunOptions extends Partial<Omit<RunOptions, 'config' | 'only'>> {
  readonly only?: readonly string[];
}

export function registerRun(program: Command, io: Io): void {
  const command = program
    .command('run')
    .summary('run the calibrations of a config, or continue')
    .description('Runs the calibrations of a config. Run again on the same results directory, it continues: what is finished is kept.')
    .argument('[config]', 'config file, or a directory with a caf.config.ts (default: caf.config.ts)')
    .option('--only <name>', 'only this calibration, and those of its ancestors that are not complete; may be repeated', repeated)
    .addOption(new Option('--iov <e,r,e,r>', 'only this interval: firstExp,firstRun,finalExp,finalRun; -1 = open').argParser(iovOption))
    .option('--backend <name>', 'where jobs run, for calibrations that do not say')
    .option('--output <dir>', 'results directory (default: calibration_results beside the config)')
    .option('--dry-run', 'show what would be done and why; touch nothing')
    .option('--fresh', 'redo everything')
    .option('--compact', 'put the finished jobs of each collection into one tar file once their iteration is committed')
    .addOption(new Option('--detach', 'in the background, also after logout; returns once it has begun').conflicts('dryRun'))
    .addOption(new Option('--in-background').hideHelp())
    .addOption(new Option('--json', 'one event per line on standard output').conflicts(['quiet', 'verbose']))
    .addOption(new Option('-q, --quiet', 'print only failures').conflicts('verbose'))
    .option('-v, --verbose', 'a line for each job, and the reasons')
    .action(async (config: string | undefined, options: ParsedRunOptions) => {
      const asked = runOptions(config, options);
      if (asked.detach || asked.inBackground) {
        const { detachRun, runInBackground } = await import('../detach.ts');
        return asked.detach ? detachRun(asked, io) : runInBackground(asked, io);
      }
      const { runCommand } = await import('../run.ts');
      return runCommand(asked, io);
    });
  addExamples(command, [
    ['caf run', 'run caf.config.ts, or continue it'],
    ['caf run --dry-run', 'what would be done, and why'],
    ['caf run --only gain', 'gain and what it depends on'],
    ['caf run --iov 7,1,7,20', 'only runs 1 to 20 of experiment 7'],
    ['caf run --detach', 'in the background, also after logout'],
    ['caf run --json | jq .type', 'events for machines'],
  ]);
}

export const runOptions = (config: string | undefined, options: ParsedRunOptions): RunOptions => ({
  config,
  only: options.only ?? [],
  iov: options.iov,
  backend: options.backend,
  output: options.output,
  dryRun: options.dryRun ?? false,
  fresh: options.fresh ?? false,
  compact: options.compact ?? false,
  detach: options.detach ?? false,
  inBackground: options.inBackground ?? false,
  json: options.json ?? false,
  quiet: options.quiet ?? false,
  verbose: options.verbose ?? false,
});
