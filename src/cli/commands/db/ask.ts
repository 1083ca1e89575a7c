// `caf db diff`, `lookup`, `blame`, `gaps`, `upload --plan`: questions about versions and chains. They change nothing.
import { type Command, Option } from 'commander';
import { CafError } from '../../../domain/errors.ts';
import { checkRun } from '../../../domain/iov.ts';
import { addExamples } from '../../examples.ts';
import { EXIT_FAILED } from '../../exit-codes.ts';
import type { Io } from '../../io.ts';
import { wholeNumber } from '../../option-values.ts';
import { findResults } from '../../results.ts';
import { drawBlame, drawDetailedDiff, drawExplanation, drawGaps, drawUploadPlan } from '../db-ask-text.ts';
import { answer, at, below, chainHelp, chainNamed, databaseAt, type Json, json, pathHelp, runArgument, runOf } from './common.ts';

export function registerAsk(db: Command, io: Io): void {
  registerDiff(db, io);
  registerLookup(db, io);
  registerBlame(db, io);
  registerGaps(db, io);
  registerUpload(db, io);
}

interface DiffFlags extends Json {
  readonly values?: boolean;
  readonly name?: string;
  readonly run?: readonly number[];
}

function registerDiff(db: Command, io: Io): void {
  const command = db
    .command('diff')
    .description('Compares the answers of two databases, by interval; with --values what changed inside them.')
    .argument('<a>', pathHelp)
    .argument('<b>', 'the other')
    .option('--values', 'compare the values of JSON payloads: each place, and by how much')
    .option('--name <name>', 'only this payload')
    .addOption(new Option('--run <numbers...>', 'only what changes for this run: experiment and run').argParser(runArgument))
    .addOption(json())
    .action(async (a: string, b: string, flags: DiffFlags) => {
      const { diffDetailed } = await import('../../../database/diff-values.ts');
      const diff = diffDetailed(await databaseAt(io, a), await databaseAt(io, b), {
        values: flags.values === true,
        ...(flags.name === undefined ? {} : { name: flags.name }),
        ...(flags.run === undefined ? {} : { run: runOf(flags.run, '--run') }),
      });
      answer(io, flags, diff, (context) => drawDetailedDiff(diff.changes, context));
    });
  addExamples(command, [
    ['caf db diff prompt-2026a prompt-2026b --values', 'two tags, with the largest relative change of each payload'],
    ['caf db diff gain gain~2 --run 7 12', 'a calibration before and after it was done again'],
  ]);
}

interface LookupFlags extends Json {
  readonly explain?: boolean;
  readonly withChain?: boolean;
  readonly below?: readonly string[];
}

function registerLookup(db: Command, io: Io): void {
  const command = db
    .command('lookup')
    .description('Says which payload is valid for a run, from which database and on which interval; with --explain why the others are not.')
    .argument('<chain>', chainHelp)
    .argument('<name>', 'name of the payload')
    .argument('<experiment>', 'experiment', wholeNumber)
    .argument('<run>', 'run', wholeNumber)
    .option('--explain', 'every layer of the chain, and why it answers or does not')
    .option('--with-chain', 'with the chain that the database was made on below it')
    .addOption(below())
    .addOption(json())
    .action(async (path: string, name: string, experiment: number, run: number, flags: LookupFlags) => {
      const { explainLookup, lookup } = await import('../../../database/explain.ts');
      const lock = await chainNamed(io, path, flags.below, flags.withChain);
      const moment = checkRun([experiment, run]);
      if (flags.explain === true) {
        const explanation = explainLookup(lock, name, moment);
        answer(io, flags, explanation, (context) => drawExplanation(explanation, context));
        if (explanation.answer === null) io.setExitCode(EXIT_FAILED);
        return;
      }
      const found = lookup(lock, name, moment);
      answer(io, flags, { v: 1, ...found }, (context) => drawExplanation({ v: 1, name, run: moment, answer: found, layers: [] }, context));
    });
  addExamples(command, [
    ['caf db lookup gain/2/localdb Gains 7 12 --with-chain --explain', 'as the jobs after iteration 2 would see it'],
    ['caf db lookup job/chain.lock.json Gains 7 12', 'what this job saw'],
  ]);
}

function registerBlame(db: Command, io: Io): void {
  const command = db
    .command('blame')
    .description('Lists every version that answers for a run, newest first: who made the answer, from which inputs and code.')
    .argument('<name>', 'name of the payload')
    .argument('<experiment>', 'experiment', wholeNumber)
    .argument('<run>', 'run', wholeNumber)
    .option('--in <path>', 'only this database, with the entries it hides (default: the results directory here)')
    .option('--all', 'also entries that are hidden in their database')
    .addOption(json())
    .action(async (name: string, experiment: number, run: number, flags: Json & { in?: string; all?: boolean }) => {
      const { blameIn, blameOf } = await import('../../../database/explain.ts');
      const moment = checkRun([experiment, run]);
      const all = flags.all === true;
      const found =
        flags.in === undefined
          ? blameIn(await findResults(undefined, io), name, moment, all)
          : blameOf(await databaseAt(io, flags.in), name, moment, true);
      answer(io, flags, { v: 1, name, run: moment, versions: found }, (context) => drawBlame(found, context));
      if (found.length === 0) io.setExitCode(EXIT_FAILED);
    });
  addExamples(command, [['caf db blame Gains 7 12', 'which iteration, job inputs and code made the gain of run 12']]);
}

function registerGaps(db: Command, io: Io): void {
  const command = db
    .command('gaps')
    .description('Lists where a database has no answer: holes inside experiments; with --runs every run of a list without one.')
    .argument('<chain>', chainHelp)
    .option('--runs <file>', 'the runs that exist, one per line: 7 12')
    .option('--name <name>', 'only this payload')
    .addOption(below())
    .addOption(json())
    .action(async (path: string, flags: Json & { runs?: string; name?: string; below?: readonly string[] }) => {
      const { gapsOf, readRuns } = await import('../../../database/gaps.ts');
      const runs = flags.runs === undefined ? null : readRuns(at(io, flags.runs));
      const found = gapsOf(await chainNamed(io, path, flags.below), runs, flags.name ?? null);
      answer(io, flags, { v: 1, payloads: found }, (context) => drawGaps(found, context));
    });
  addExamples(command, [['caf db gaps published --runs runs.txt', 'which runs cannot be reconstructed']]);
}

function registerUpload(db: Command, io: Io): void {
  const command = db
    .command('upload')
    .description('Says with --plan what an upload would send and whether the database is fit for it. caf itself sends nothing.')
    .argument('<path>', pathHelp)
    .option('--plan', 'the plan')
    .option('--against <path>', 'what is already there: a database, or its export')
    .addOption(json())
    .action(async (path: string, flags: Json & { plan?: boolean; against?: string }) => {
      if (flags.plan !== true) {
        throw new CafError('CAF_USAGE', 'caf sends nothing to a central database', {
          hint: 'See what would be sent with --plan; write it for b2conditionsdb upload with: caf db export',
        });
      }
      const { planUpload } = await import('../../../database/upload-plan.ts');
      const plan = await planUpload(await databaseAt(io, path), flags.against === undefined ? null : await databaseAt(io, flags.against));
      answer(io, flags, plan, (context) => drawUploadPlan(plan, context));
      if (plan.problems.length > 0) io.setExitCode(EXIT_FAILED);
    });
  addExamples(command, [['caf db upload published --plan --against global/database.txt', 'only what is not there yet is new']]);
}
