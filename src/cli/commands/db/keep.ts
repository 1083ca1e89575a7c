// `caf db publish`, `rollback`, `gc`: what consumers follow, and what nobody needs any more.
import { type Command, InvalidArgumentError, Option } from 'commander';
import { actorHere } from '../../../host/actor.ts';
import { addExamples } from '../../examples.ts';
import { findFinalDatabases } from '../../final-databases.ts';
import type { Io } from '../../io.ts';
import { findResults } from '../../results.ts';
import { drawGarbage, drawPublication, drawRollback } from '../db-versions-text.ts';
import { answer, dryRun, type Json, json, note } from './common.ts';

const output = () => new Option('--output <dir>', 'results directory (default: the one of the config here)');

interface KeepFlags extends Json {
  readonly note?: string;
  readonly dryRun?: boolean;
  readonly output?: string;
}

export function registerKeep(db: Command, io: Io): void {
  registerPublish(db, io);
  registerRollback(db, io);
  registerGc(db, io);
}

function registerPublish(db: Command, io: Io): void {
  const command = db
    .command('publish')
    .description(
      'Makes one database of the results of a campaign, checks every byte, and gives it a tag. The branch `published` goes there.',
    )
    .argument('<tag>', 'name of the new tag')
    .addOption(note())
    .addOption(dryRun())
    .addOption(output())
    .addOption(json())
    .action(async (tag: string, flags: KeepFlags) => {
      const results = await findResults(flags.output, io);
      const { publishCampaign } = await import('../../../database/publish-campaign.ts');
      const report = await publishCampaign(results, {
        tag,
        databases: await findFinalDatabases(results, io),
        note: flags.note ?? '',
        actor: actorHere(),
        dryRun: flags.dryRun === true,
      });
      answer(io, flags, report, (context) => drawPublication(report, context));
    });
  addExamples(command, [
    ['caf db publish prompt-2026b --note "first pass of experiment 21"', 'then: caf db diff prompt-2026a prompt-2026b'],
    ['caf db show published', 'what is in use'],
  ]);
}

function registerRollback(db: Command, io: Io): void {
  db.command('rollback')
    .description('Lets the branch `published` go back to an earlier tag, or to what it stood for before. Nothing is deleted.')
    .argument('[tag]', 'a tag that was published')
    .addOption(note())
    .addOption(dryRun())
    .addOption(output())
    .addOption(json())
    .action(async (tag: string | undefined, flags: KeepFlags) => {
      const results = await findResults(flags.output, io);
      const { rollBack } = await import('../../../database/publish-campaign.ts');
      const request = { tag: tag ?? null, note: flags.note ?? '', actor: actorHere(), dryRun: flags.dryRun === true };
      const report = await rollBack(results, request);
      answer(io, flags, report, (context) => drawRollback(report, context));
    });
}

function registerGc(db: Command, io: Io): void {
  const command = db
    .command('gc')
    .description('Lists payload objects that nothing refers to and what killed processes left; with --delete moves them to a trash.')
    .argument('[dir]', 'results directory (default: the one of the config here)')
    .option('--delete', 'move to objects/trash; what lies there longer than the grace period is deleted')
    .addOption(new Option('--dry-run', 'only list, as without --delete').conflicts('delete'))
    .addOption(new Option('--grace <days>', 'what is younger stays').default(7).argParser(days))
    .addOption(json())
    .action(async (directory: string | undefined, flags: Json & { delete?: boolean; grace: number }) => {
      const results = await findResults(directory, io);
      const { collectGarbage } = await import('../../../database/gc.ts');
      const report = await collectGarbage(results, { sweep: flags.delete === true, graceMs: flags.grace * 86_400_000 });
      answer(io, flags, report, (context) => drawGarbage(report, context));
    });
  addExamples(command, [
    ['caf db gc', 'only look'],
    ['caf db gc --delete', 'the first time to the trash, a week later for good'],
  ]);
}

function days(text: string): number {
  if (!/^\d{1,5}(\.\d{1,6})?$/.test(text)) throw new InvalidArgumentError('It must be a number of days, 0 or larger.');
  return Number(text);
}
