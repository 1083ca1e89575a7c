// `caf db iovs` and `view`: the intervals of one database, and those of a chain.
import { type Command, Option } from 'commander';
import type { Iov } from '../../../domain/iov.ts';
import { addExamples } from '../../examples.ts';
import type { Io } from '../../io.ts';
import { iovOption } from '../../option-values.ts';
import { drawEntries, drawSegments, drawSources } from '../db-list-text.ts';
import { answer, below, chainHelp, chainNamed, databaseAt, type Json, json, pathHelp, runArgument, runOf } from './common.ts';

export function registerList(db: Command, io: Io): void {
  registerIovs(db, io);
  registerView(db, io);
}

interface IovsFlags extends Json {
  readonly name?: string;
  readonly run?: readonly number[];
  readonly range?: Iov;
  readonly shadowed?: boolean;
}

function registerIovs(db: Command, io: Io): void {
  const command = db
    .command('iovs')
    .description('Lists the entries of a database in the order of the commits, each with the intervals on which it answers.')
    .argument('<path>', pathHelp)
    .option('--name <name>', 'only this payload')
    .addOption(new Option('--run <numbers...>', 'only entries that hold this run: experiment and run').argParser(runArgument))
    .addOption(new Option('--range <e,r,e,r>', 'only entries that hold any of these runs').argParser(iovOption))
    .option('--shadowed', 'only entries that later ones hide altogether')
    .addOption(json())
    .action(async (path: string, flags: IovsFlags) => {
      const { listEntries } = await import('../../../database/list-intervals.ts');
      const listed = listEntries(await databaseAt(io, path), {
        ...(flags.name === undefined ? {} : { name: flags.name }),
        ...(flags.run === undefined ? {} : { run: runOf(flags.run, '--run') }),
        ...(flags.range === undefined ? {} : { range: flags.range }),
        shadowed: flags.shadowed === true,
      });
      answer(io, flags, listed, (context) => drawEntries(listed.entries, context));
    });
  addExamples(command, [
    ['caf db iovs published --name Gains', 'all intervals of one payload'],
    ['caf db iovs published --run 7 12', 'every entry that holds run 12, the last of each payload answers'],
    ['caf db iovs published --shadowed', 'what was committed and never answers'],
  ]);
}

interface ViewFlags extends Json {
  readonly range?: Iov;
  readonly bySource?: boolean;
  readonly withChain?: boolean;
  readonly below?: readonly string[];
}

function registerView(db: Command, io: Io): void {
  const command = db
    .command('view')
    .description('Lists the resolved intervals of a database or a chain: what answers where, and from which database.')
    .argument('<chain>', chainHelp)
    .addOption(new Option('--range <e,r,e,r>', 'only these runs').argParser(iovOption))
    .option('--by-source', 'by database, highest priority first')
    .option('--with-chain', 'with the chain that the database was made on below it')
    .addOption(below())
    .addOption(json())
    .action(async (path: string, flags: ViewFlags) => {
      const { viewChain } = await import('../../../database/list-intervals.ts');
      const { v, segments, sources } = viewChain(await chainNamed(io, path, flags.below, flags.withChain), flags.range);
      if (flags.bySource === true) answer(io, flags, { v, sources }, (context) => drawSources(sources, context));
      else answer(io, flags, { v, segments }, (context) => drawSegments(segments, context));
    });
  addExamples(command, [
    ['caf db view published --range 7,1,7,20', 'what answers for runs 1 to 20'],
    ['caf db view gain/2/localdb --with-chain --by-source', 'which iteration and which database still answers where'],
  ]);
}
