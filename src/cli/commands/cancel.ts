// `caf cancel`: stops the campaign that works on a results directory, from any shell that can write there.
import { type Command, Option } from 'commander';
import { addExamples } from '../examples.ts';
import type { Io } from '../io.ts';

export interface CancelOptions {
  readonly drain: boolean;
  readonly keepJobs: boolean;
  /** Shown by the caf that is stopped, and kept in its log. */
  readonly reason: string | null;
}

export function registerCancel(program: Command, io: Io): void {
  const command = program
    .command('cancel')
    .summary('stop the campaign that works on a results directory')
    .description(
      'Stops the campaign that works on a results directory, here or on another machine that shares the directory, and waits until it has ended. What is finished is kept; caf run continues.',
    )
    .argument('[dir]', 'results directory (default: the one of the config here)')
    .addOption(new Option('--drain', 'start nothing more and let running jobs end, as Ctrl-C once').conflicts('keepJobs'))
    .option('--keep-jobs', 'let running jobs run on: the next caf run adopts them')
    .option('--reason <text>', 'told to whoever watches the campaign, and kept in its log')
    .action(async (directory: string | undefined, { drain, keepJobs, reason }: Partial<CancelOptions>) => {
      const { cancelCampaign } = await import('../cancel.ts');
      await cancelCampaign(directory, { drain: drain ?? false, keepJobs: keepJobs ?? false, reason: reason ?? null }, io);
    });
  addExamples(command, [
    ['caf cancel', 'as Ctrl-C twice; also ends what a killed caf has left'],
    ['caf cancel --drain', 'as Ctrl-C once: what runs may end'],
    ['caf cancel --keep-jobs', 'only caf: what runs goes on, to be adopted by the next caf run'],
    ['caf cancel --reason "node goes down"', 'says why'],
  ]);
}
