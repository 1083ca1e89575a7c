// `caf db`: what local databases hold, how they differ, whether they are sound, and exchange with Belle II.
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { VerifyOptions } from '../../database/verify.ts';
import { checkRun, type Iov } from '../../domain/iov.ts';
import { addExamples } from '../examples.ts';
import type { Io } from '../io.ts';
import { iovOption, wholeNumber } from '../option-values.ts';
import { registerAsk } from './db/ask.ts';
import { answer, at, databaseAt, dryRun, into, intoOf, type Json, json, pathHelp } from './db/common.ts';
import { registerEdits } from './db/edit.ts';
import { registerExchange } from './db/exchange.ts';
import { registerKeep } from './db/keep.ts';
import { registerList } from './db/list.ts';
import { registerNames } from './db/names.ts';
import { registerState } from './db/state.ts';
import { drawSegments } from './db-list-text.ts';
import { drawChain, drawLog, drawPublished, drawShow, drawVerify } from './db-text.ts';

export function registerDb(program: Command, io: Io): void {
  const db = program
    .command('db')
    .summary('what local databases hold, and their versions')
    .description('Local databases: what they hold, how they differ, whether they are sound.');
  addExamples(db, [
    ['caf db show calibration_results/pedestals/localdb', 'entries and view'],
    ['caf db get calibration_results/pedestals/localdb Pedestals 7 12', 'the constants of experiment 7, run 12'],
    ['caf db verify calibration_results/pedestals/localdb', 'check every byte'],
  ]);
  registerShow(db, io);
  registerGet(db, io);
  registerLog(db, io);
  registerChain(db, io);
  registerVerify(db, io);
  registerFlatten(db, io);
  registerExchange(db, io);
  registerAsk(db, io);
  registerList(db, io);
  registerState(db, io);
  registerNames(db, io);
  registerEdits(db, io);
  registerKeep(db, io);
}

function registerShow(db: Command, io: Io): void {
  db.command('show')
    .description('Shows the entries of a database.')
    .argument('<path>', pathHelp)
    .addOption(json())
    .action(async (path: string, options: Json) => {
      const { showDatabase } = await import('../../database/queries.ts');
      const database = await databaseAt(io, path);
      const shown = showDatabase(database);
      answer(io, options, shown, (context) => drawShow(shown, database, context));
    });
}

function registerGet(db: Command, io: Io): void {
  const command = db
    .command('get')
    .description('Prints the payload that is valid for a run: its value, or its bytes.')
    .argument('<path>', pathHelp)
    .argument('<name>', 'name of the payload')
    .argument('<experiment>', 'experiment', wholeNumber)
    .argument('<run>', 'run', wholeNumber)
    .addOption(new Option('--json', 'with provenance and the interval on which this answer holds'))
    .action(async (path: string, name: string, experiment: number, run: number, options: Json) => {
      const [{ getPayload }, { valueVersion }] = await Promise.all([import('../../database/queries.ts'), import('../../payloads/name.ts')]);
      const { answer: found, bytes } = getPayload(await databaseAt(io, path), name, checkRun([experiment, run]));
      const isJson = valueVersion(found.mediaType) !== null;
      if (options.json === true) {
        const { decodePayload } = await import('../../payloads/codec.ts');
        io.stdout.write(`${JSON.stringify({ v: 1, ...found, ...(isJson ? { value: decodePayload(bytes) } : {}) })}\n`);
        return;
      }
      io.stdout.write(bytes);
      if (isJson) io.stdout.write('\n');
    });
  addExamples(command, [
    ['caf db get localdb Pedestals 7 12', 'the value as JSON'],
    ['caf db get localdb Alignment 7 12 > alignment.root', 'the bytes of a file payload'],
  ]);
}

function registerLog(db: Command, io: Io): void {
  db.command('log')
    .description('Tells who made the entries of a database, and on top of which versions.')
    .argument('<path>', pathHelp)
    .addOption(json())
    .action(async (path: string, options: Json) => {
      const { logDatabase } = await import('../../database/queries.ts');
      const log = logDatabase(await databaseAt(io, path));
      answer(io, options, log, (context) => drawLog(log, context));
    });
}

function registerChain(db: Command, io: Io): void {
  db.command('chain')
    .description('Shows the database chain that was used to produce a database, and whether it is still there.')
    .argument('<path>', 'directory of a local database, or a chain.lock.json')
    .addOption(json())
    .action(async (path: string, options: Json) => {
      const { showChain } = await import('../../database/queries.ts');
      const chain = showChain(await databaseAt(io, path));
      answer(io, options, chain, (context) => drawChain(chain, context));
    });
}

interface VerifyFlags extends Json {
  readonly readData: boolean;
  readonly readDataSubset?: { readonly part: number; readonly of: number };
}

function registerVerify(db: Command, io: Io): void {
  const command = db
    .command('verify')
    .description('Checks a database: header, SQLite, identities, view, database.txt, payload files and their bytes.')
    .argument('<path>', pathHelp)
    .addOption(new Option('--read-data', 'hash the bytes of every payload').default(true).conflicts('readDataSubset'))
    .addOption(new Option('--no-read-data', 'only look at sizes'))
    .addOption(new Option('--read-data-subset <n/m>', 'hash the n-th of m parts, for instance 3/10').argParser(subset))
    .addOption(json())
    .action(async (path: string, flags: VerifyFlags) => {
      const { verifyDatabase } = await import('../../database/verify.ts');
      const options: VerifyOptions = { readData: flags.readDataSubset ?? flags.readData };
      const report = await verifyDatabase(await databaseAt(io, path), options);
      answer(io, flags, report, (context) => drawVerify(report, context));
      if (!report.ok) io.setExitCode(1);
    });
  addExamples(command, [
    ['caf db verify localdb', 'everything'],
    ['caf db verify localdb --read-data-subset 3/10', 'a tenth of the payloads: every tenth day another'],
  ]);
}

interface FlattenFlags extends Json {
  readonly into?: string;
  readonly iov?: Iov;
  readonly range?: Iov;
  readonly message?: string;
  readonly dryRun?: boolean;
}

function registerFlatten(db: Command, io: Io): void {
  const command = db
    .command('flatten')
    .description('Makes one database of several, highest priority first: same answers, one directory.')
    .argument(
      '<dirs...>',
      'directories of local databases, highest priority first; a results directory stands for the results of its calibrations',
    )
    .addOption(into())
    .addOption(new Option('--iov <e,r,e,r>', 'only these runs').argParser(iovOption))
    .addOption(new Option('--range <e,r,e,r>', 'the same as --iov').argParser(iovOption).conflicts('iov'))
    .option('-m, --message <text>', 'why; kept with every entry')
    .addOption(dryRun())
    .addOption(json())
    .action(async (paths: readonly string[], options: FlattenFlags) => {
      const { describeDatabase } = await import('../../database/chain.ts');
      const { flattenChain } = await import('../../database/flatten.ts');
      const { findFinalDatabases, isResultsDirectory } = await import('../final-databases.ts');
      const found: string[] = [];
      for (const path of paths)
        found.push(...(isResultsDirectory(at(io, path)) ? await findFinalDatabases(at(io, path), io) : [await databaseAt(io, path)]));
      const databases = found.map((path) => describeDatabase(path));
      const range = options.iov ?? options.range;
      if (options.dryRun === true) {
        const { viewChain } = await import('../../database/list-intervals.ts');
        const { v, segments } = viewChain({ v: 1, databases }, range);
        answer(io, options, { v, segments }, (context) => drawSegments(segments, context, '; nothing was made'));
        return;
      }
      const published = await flattenChain(
        { v: 1, databases },
        {
          directory: at(io, intoOf(options.into, 'The database')),
          ...(range === undefined ? {} : { range }),
          ...(options.message === undefined ? {} : { message: options.message }),
        },
      );
      answer(io, options, { v: 1, ...published }, (context) => drawPublished(published, [], context));
    });
  addExamples(command, [
    ['caf db flatten results/gain/localdb results/t0/localdb --into tag', 'gain before t0'],
    ['caf db flatten results --into tag', 'a whole campaign, without savePayloads: false'],
  ]);
}

function subset(text: string): { readonly part: number; readonly of: number } {
  const [, part, of] = (/^(\d{1,6})\/(\d{1,6})$/.exec(text) ?? []).map(Number);
  if (part === undefined || of === undefined || part < 1 || part > of)
    throw new InvalidArgumentError('Write n/m with n from 1 to m, for instance 3/10.');
  return { part, of };
}
