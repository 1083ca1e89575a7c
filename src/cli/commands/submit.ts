// `caf submit`: its options. What it does is in cli/submit.ts.
import { type Command, Option } from 'commander';
import { addExamples } from '../examples.ts';
import type { Io } from '../io.ts';
import { coresOption, durationOption, iovOption, repeated, sizeOption } from '../option-values.ts';
import { type ParsedRunOptions, runOptions } from './run.ts';

/** What `caf submit` adds to the options of `caf run`. */
export interface SubmitOptions {
  /** Which engine gets the job; undefined = the config's backend. */
  readonly engine: string | undefined;
  /** Of the job: what is not said is the default of jobs. */
  readonly cores: number | undefined;
  readonly memoryBytes: number | undefined;
  readonly timeMs: number | undefined;
  /** Further options for the engine, as in the `directives` of a backend: only of this job. */
  readonly directives: readonly string[];
  /** Names of variables of this environment that the job gets, too. */
  readonly env: readonly string[];
  /** Only shows the script and the command. */
  readonly dryRun: boolean;
}

interface ParsedSubmitOptions extends Omit<ParsedRunOptions, 'dryRun'> {
  readonly backend?: string;
  readonly cores?: number;
  readonly memory?: number;
  readonly time?: number;
  readonly directive?: readonly string[];
  readonly env?: readonly string[];
  readonly dryRun?: boolean;
}

export function registerSubmit(program: Command, io: Io): void {
  const command = program
    .command('submit')
    .summary('run the whole campaign as one batch job')
    .description(
      'Checks a config, and submits its campaign to a batch engine as one job, which is a caf run on the same results directory. Jobs of the campaign go where the config says: with a local backend they share the cores of the batch job.',
    )
    .argument('[config]', 'config file, or a directory with a caf.config.ts (default: caf.config.ts)')
    .option('--backend <name>', "the engine that gets the job (default: the config's backend)")
    .addOption(new Option('--cores <n>', 'cores of the job (default: 1)').argParser(coresOption))
    .addOption(new Option('--memory <size>', "memory of the job, such as '8 GB' (default: 2 GB)").argParser(sizeOption))
    .addOption(new Option('--time <duration>', "time limit of the job, such as '2 d' (default: 1 d)").argParser(durationOption))
    .option('--directive <text>', 'an option for the engine, such as --partition=long; may be repeated', repeated)
    .option('--env <name>', 'a variable of this environment that the job gets; may be repeated', repeated)
    .option('--only <name>', 'as in caf run; may be repeated', repeated)
    .addOption(new Option('--iov <e,r,e,r>', 'as in caf run').argParser(iovOption))
    .option('--output <dir>', 'results directory (default: calibration_results beside the config)')
    .option('--fresh', 'redo everything')
    .option('--compact', 'as in caf run')
    .option('--dry-run', 'show the job and how it would be submitted; touch nothing')
    .addOption(new Option('--json', 'one document on standard output').conflicts(['quiet']))
    .addOption(new Option('-q, --quiet', 'print only failures'))
    .action(async (config: string | undefined, { backend, cores, memory, time, directive, env, dryRun, ...rest }: ParsedSubmitOptions) => {
      const { submitRun } = await import('../submit.ts');
      const asked = {
        engine: backend,
        cores,
        memoryBytes: memory,
        timeMs: time,
        directives: directive ?? [],
        env: env ?? [],
        dryRun: dryRun ?? false,
      };
      await submitRun(runOptions(config, rest), asked, io);
    });
  addExamples(command, [
    ['caf submit', "to the config's backend"],
    ["caf submit --backend slurm --cores 16 --memory '32 GB'", 'a local backend, on 16 cores of a node'],
    ['caf submit --directive=--partition=long', 'with an option that only the engine knows'],
    ['caf submit --dry-run', 'what would be submitted'],
  ]);
}
