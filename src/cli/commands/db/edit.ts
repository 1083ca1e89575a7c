// `caf db merge`, `running-update`, `fill-gaps`, `extend`: each makes a new version of old ones, with a note.
import { type Command, Option } from 'commander';
import type { EditOptions } from '../../../database/edit.ts';
import type { MergeStrategy } from '../../../database/merge-databases.ts';
import type { UpdateMode } from '../../../database/running-update.ts';
import { CafError } from '../../../domain/errors.ts';
import type { Iov } from '../../../domain/iov.ts';
import { actorHere } from '../../../host/actor.ts';
import { addExamples } from '../../examples.ts';
import { EXIT_FAILED } from '../../exit-codes.ts';
import type { Io } from '../../io.ts';
import { iovOption } from '../../option-values.ts';
import { drawEdit, drawMerge, drawUpdate } from '../db-edit-text.ts';
import { answer, at, databaseAt, dryRun, into, type Json, json, note, pathHelp, runArgument, runOf } from './common.ts';

interface EditFlags extends Json {
  readonly into?: string;
  readonly note?: string;
  readonly dryRun?: boolean;
}

export function registerEdits(db: Command, io: Io): void {
  registerMerge(db, io);
  registerUpdate(db, io);
  registerFillGaps(db, io);
  registerExtend(db, io);
}

const editOptions = (command: Command): Command => command.addOption(into()).addOption(note()).addOption(dryRun()).addOption(json());

function optionsOf(io: Io, flags: EditFlags): EditOptions {
  if (flags.into === undefined && flags.dryRun !== true) {
    throw new CafError('CAF_USAGE', 'The new version needs a directory', { hint: 'Add: --into DIR; or only look with --dry-run' });
  }
  return {
    directory: flags.into === undefined ? '' : at(io, flags.into),
    note: flags.note ?? '',
    actor: actorHere(),
    at: new Date().toISOString(),
    dryRun: flags.dryRun === true,
  };
}

interface MergeFlags extends EditFlags {
  readonly base?: string;
  readonly strategy: MergeStrategy;
  readonly resolve?: string;
}

function registerMerge(db: Command, io: Io): void {
  const command = editOptions(
    db
      .command('merge')
      .description('Joins two versions that come from one. What both changed in different ways is a conflict, and somebody decides it.')
      .argument('<ours>', pathHelp)
      .argument('<theirs>', 'the other')
      .option('--base <path>', 'from what both come (default: their nearest common ancestor); none: all that differs is a conflict')
      .addOption(new Option('--strategy <name>', 'who decides conflicts').choices(['fail', 'ours', 'theirs', 'newest']).default('fail'))
      .option('--resolve <file>', 'decisions: what --dry-run --json writes, with "take" added to each conflict'),
  ).action(async (ours: string, theirs: string, flags: MergeFlags) => {
    const { mergeDatabases, readResolutions } = await import('../../../database/merge-databases.ts');
    const request = {
      ours: await databaseAt(io, ours),
      theirs: await databaseAt(io, theirs),
      strategy: flags.strategy,
      resolutions: flags.resolve === undefined ? [] : readResolutions(at(io, flags.resolve)),
      ...(flags.base === undefined ? {} : { base: flags.base === 'none' ? 'none' : await databaseAt(io, flags.base) }),
    };
    const report = await mergeDatabases(request, optionsOf(io, flags));
    answer(io, flags, report, (context) => drawMerge(report, context));
    if (report.conflicts.length > 0) io.setExitCode(EXIT_FAILED);
  });
  addExamples(command, [
    ['caf db merge gain gain~2 --dry-run', 'what would be taken from where, and what is in conflict'],
    ['caf db merge gain gain~2 --strategy newest --into merged --note "runs 300-400 redone"', 'the later entry wins'],
  ]);
}

interface UpdateFlags extends EditFlags {
  readonly run: readonly number[];
  readonly allowClosed?: boolean;
  readonly fixClosed?: boolean;
  readonly simple?: boolean;
  readonly fullReplacement?: boolean;
}

function registerUpdate(db: Command, io: Io): void {
  const modes = ['allowClosed', 'fixClosed', 'simple', 'fullReplacement'];
  const mode = (flags: string, key: string, description: string) =>
    new Option(flags, description).conflicts(modes.filter((other) => other !== key));
  const command = editOptions(
    db
      .command('running-update')
      .description('Updates a running database from a first valid run on: nothing before it changes. The rules are those of Belle II.')
      .argument('<running>', 'the database that is in use')
      .argument('<staging>', 'the validated database with what is new')
      .addOption(new Option('--run <numbers...>', 'first valid run: experiment and run').argParser(runArgument).makeOptionMandatory())
      .addOption(mode('--allow-closed', 'allowClosed', 'staging may end'))
      .addOption(mode('--fix-closed', 'fixClosed', 'what ends in staging goes on for ever'))
      .addOption(mode('--simple', 'simple', 'staging has one payload per name, valid always'))
      .addOption(mode('--full-replacement', 'fullReplacement', 'close what is open and not in staging; staging may end')),
  ).action(async (running: string, staging: string, flags: UpdateFlags) => {
    const [{ updateRunning }, { describeUsable }] = await Promise.all([
      import('../../../database/edit.ts'),
      import('../../../database/chain.ts'),
    ]);
    const how = { firstRun: runOf(flags.run, '--run'), mode: modeOf(flags) };
    const members = [describeUsable(await databaseAt(io, running)), describeUsable(await databaseAt(io, staging))] as const;
    const report = await updateRunning(...members, how, optionsOf(io, flags));
    answer(io, flags, report, (context) => drawUpdate(report, context));
  });
  addExamples(command, [['caf db running-update online prompt-2026b --run 7 120 --dry-run', 'which intervals end, which begin']]);
}

const modeOf = (flags: UpdateFlags): UpdateMode => {
  if (flags.allowClosed === true) return 'allow-closed';
  if (flags.fixClosed === true) return 'fix-closed';
  if (flags.simple === true) return 'simple';
  return flags.fullReplacement === true ? 'full-replacement' : 'strict';
};

function registerFillGaps(db: Command, io: Io): void {
  editOptions(
    db
      .command('fill-gaps')
      .description('Extends each interval to where the next of its payload begins.')
      .argument('<path>', pathHelp)
      .option('--open-last', 'the last interval of each payload goes on for ever')
      .option('--name <name>', 'only this payload'),
  ).action(async (path: string, flags: EditFlags & { openLast?: boolean; name?: string }) => {
    const [{ fillGapsOf }, { describeUsable }] = await Promise.all([
      import('../../../database/edit.ts'),
      import('../../../database/chain.ts'),
    ]);
    const how = { openLast: flags.openLast === true, ...(flags.name === undefined ? {} : { name: flags.name }) };
    const report = await fillGapsOf(describeUsable(await databaseAt(io, path)), how, optionsOf(io, flags));
    answer(io, flags, report, (context) => drawEdit(report, context));
  });
}

function registerExtend(db: Command, io: Io): void {
  editOptions(
    db
      .command('extend')
      .description('Issues the last payload of a name again, for another interval.')
      .argument('<path>', pathHelp)
      .argument('<name>', 'name of the payload')
      .addOption(new Option('--iov <e,r,e,r>', 'the interval').argParser(iovOption).makeOptionMandatory()),
  ).action(async (path: string, name: string, flags: EditFlags & { iov: Iov }) => {
    const [{ extendPayload }, { describeUsable }] = await Promise.all([
      import('../../../database/edit.ts'),
      import('../../../database/chain.ts'),
    ]);
    const report = await extendPayload(describeUsable(await databaseAt(io, path)), name, flags.iov, optionsOf(io, flags));
    answer(io, flags, report, (context) => drawEdit(report, context));
  });
}
