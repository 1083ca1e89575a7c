// `caf db tag`, `branch`, `ls`, `reflog`, `reindex`: names for versions, and who moved them when.
import { type Command, Option } from 'commander';
import type { RefKind } from '../../../database/refs-file.ts';
import { CafError } from '../../../domain/errors.ts';
import { actorHere } from '../../../host/actor.ts';
import { addExamples } from '../../examples.ts';
import type { Io } from '../../io.ts';
import { findResults } from '../../results.ts';
import { drawListing, drawNamed, drawReflog } from '../db-versions-text.ts';
import { answer, databaseAt, dryRun, type Json, json, note } from './common.ts';

const output = () => new Option('--output <dir>', 'results directory (default: the one of the config here)');

interface NameFlags extends Json {
  readonly delete?: boolean;
  readonly dryRun?: boolean;
  readonly note?: string;
  readonly output?: string;
}

export function registerNames(db: Command, io: Io): void {
  addExamples(
    registerName(db, io, 'tag', 'Gives a version a name that stays, tells what a tag stands for, or lists the tags.').option(
      '--delete',
      'remove the tag; its database stays',
    ),
    [
      ['caf db tag', 'all tags'],
      ['caf db tag prompt-2026a calibration_results/gain', 'from now on prompt-2026a is good wherever a database is asked for'],
    ],
  );
  addExamples(
    registerName(db, io, 'branch', 'Gives a version a name that may move, or lists the branches. Each calibration has one.').option(
      '--delete',
      'remove the branch; its databases stay',
    ),
    [['caf db branch online prompt-2026b --note "new magnet"', 'move, or make']],
  );
  registerLs(db, io);
  registerReflog(db, io);
  registerReindex(db, io);
}

function registerName(db: Command, io: Io, kind: RefKind, description: string): Command {
  return db
    .command(kind)
    .description(description)
    .argument('[name]', `name of the ${kind}`)
    .argument('[version]', 'directory of a database, a name, or the first digits of a version id')
    .addOption(note())
    .addOption(dryRun())
    .addOption(output())
    .addOption(json())
    .action(async (name: string | undefined, version: string | undefined, flags: NameFlags) => {
      const results = await findResults(flags.output, io);
      const { listNames, nameVersion } = await import('../../../database/names.ts');
      if (name === undefined || (version === undefined && flags.delete !== true)) {
        const { refs, ...rest } = listNames(results, false);
        const chosen = refs.filter((ref) => ref.kind === kind && (name === undefined || ref.name === name));
        if (name !== undefined && chosen.length === 0) throw unknownName(kind, name);
        const listing = { ...rest, refs: chosen };
        answer(io, flags, listing, (context) => drawListing(listing, context));
        return;
      }
      const named = await nameVersion(results, {
        name,
        kind,
        target: flags.delete === true || version === undefined ? null : await findTarget(io, version),
        note: flags.note ?? '',
        actor: actorHere(),
        dryRun: flags.dryRun === true,
        command: `caf db ${kind}`,
      });
      answer(io, flags, named, (context) => drawNamed(named, context));
    });
}

async function findTarget(io: Io, version: string): Promise<string> {
  const { findDatabase } = await import('../../../database/open.ts');
  return findDatabase(await databaseAt(io, version));
}

const unknownName = (kind: RefKind, name: string): CafError =>
  new CafError('CAF_DB_REF', `There is no ${kind} ${name}`, { hint: `To make it, say of which database: caf db ${kind} ${name} DIR` });

function registerLs(db: Command, io: Io): void {
  db.command('ls')
    .description('Lists the branches and tags of a results directory; with --all every version in it.')
    .argument('[dir]', 'results directory (default: the one of the config here)')
    .option('-a, --all', 'every version, also those without a name')
    .addOption(json())
    .action(async (directory: string | undefined, flags: Json & { all?: boolean }) => {
      const results = await findResults(directory, io);
      const { listNames } = await import('../../../database/names.ts');
      const listing = listNames(results, flags.all === true);
      answer(io, flags, listing, (context) => drawListing(listing, context));
    });
}

function registerReflog(db: Command, io: Io): void {
  db.command('reflog')
    .description('Tells who moved which branch or tag, when and why; newest first.')
    .argument('[name]', 'only this one')
    .addOption(output())
    .addOption(json())
    .action(async (name: string | undefined, flags: Json & { output?: string }) => {
      const results = await findResults(flags.output, io);
      const { reflogOf } = await import('../../../database/names.ts');
      const changes = reflogOf(results, name ?? null);
      answer(io, flags, { v: 1, changes }, (context) => drawReflog(changes, context));
    });
}

function registerReindex(db: Command, io: Io): void {
  db.command('reindex')
    .description('Rebuilds the registry in caf.db from the directories and caf.refs, which are the truth.')
    .argument('[dir]', 'results directory (default: the one of the config here)')
    .addOption(dryRun())
    .addOption(json())
    .action(async (directory: string | undefined, flags: Json & { dryRun?: boolean }) => {
      const results = await findResults(directory, io);
      const { openRegistry, planReindex } = await import('../../../database/registry.ts');
      const rebuild = async () => {
        const registry = await openRegistry(results, { command: 'caf db reindex' });
        try {
          return registry.reindex();
        } finally {
          registry.close();
        }
      };
      const isDry = flags.dryRun === true;
      const { versions, problems, refs } = isDry ? planReindex(results) : await rebuild();
      answer(io, flags, { v: 1, results, versions: versions.length, refs, problems }, ({ short, style }) => [
        `${isDry ? '' : `${style.mark('done')} `}${versions.length} versions, ${refs} changes of names${isDry ? '; nothing was written' : ''}`,
        ...problems.map((problem) => `${style.mark('warning')} ${short(problem.directory)}: ${problem.message}`),
      ]);
      if (problems.length > 0) io.setExitCode(1);
    });
}
