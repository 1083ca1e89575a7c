// `caf db import`, `export` and `dump`: to and from Belle II, and one payload for reading.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Command, Option } from 'commander';
import { formatIov } from '../../../domain/iov.ts';
import { actorHere } from '../../../host/actor.ts';
import { count } from '../../../report/text.ts';
import { addExamples } from '../../examples.ts';
import type { Io } from '../../io.ts';
import { drawImportPlan, drawPublished } from '../db-text.ts';
import { answer, at, databaseAt, dryRun, into, intoOf, type Json, json, pathHelp } from './common.ts';

export function registerExchange(db: Command, io: Io): void {
  registerImport(db, io);
  registerExport(db, io);
  registerDump(db, io);
}

function registerImport(db: Command, io: Io): void {
  const command = db
    .command('import')
    .description('Makes a database of a database.txt or a global tag (Belle II) and the payload files beside it.')
    .argument('<file>', 'database.txt, or the SQLite file of b2conditionsdb download (file#globaltag when it holds several)')
    .addOption(into())
    .option('--lenient', 'repair what Belle II repairs, with a warning each')
    .option('-m, --message <text>', 'why; kept with every entry')
    .addOption(dryRun())
    .addOption(json())
    .action(async (file: string, options: Json & { into?: string; lenient?: boolean; message?: string; dryRun?: boolean }) => {
      const { importDatabase, planImport } = await import('../../../database/exchange.ts');
      if (options.dryRun === true) {
        const plan = planImport(at(io, file), { lenient: options.lenient === true });
        answer(io, options, { v: 1, ...plan }, (context) => drawImportPlan(plan, context));
        return;
      }
      const imported = await importDatabase(at(io, file), at(io, intoOf(options.into, 'The database')), {
        at: new Date().toISOString(),
        actor: actorHere(),
        lenient: options.lenient === true,
        ...(options.message === undefined ? {} : { message: options.message }),
      });
      answer(io, options, { v: 1, ...imported }, (context) => drawPublished(imported, imported.warnings, context));
    });
  addExamples(command, [
    ['caf db import localdb/database.txt --into pedestals', 'a local database of basf2'],
    ["caf db import 'metadata.sqlite#main_2025' --into main", 'a global tag that was downloaded'],
  ]);
}

function registerExport(db: Command, io: Io): void {
  const command = db
    .command('export')
    .description('Writes a database as database.txt and dbstore_*.root files, as Belle II reads them.')
    .argument('<path>', `${pathHelp}, or a results directory: the results of its calibrations, flattened`)
    .addOption(into())
    .addOption(
      new Option('--rev <form>', 'revisions as md5 digits, or as numbers for basf2 before release 6')
        .choices(['hash', 'int'])
        .default('hash'),
    )
    .addOption(dryRun())
    .addOption(json())
    .action(async (path: string, options: Json & { into?: string; rev: 'hash' | 'int'; dryRun?: boolean }) => {
      const { exportDatabase, planExport } = await import('../../../database/exchange.ts');
      const what = ({ entries, payloads }: { entries: number; payloads: number }) =>
        `${count(entries, 'entry', 'entries')} and ${count(payloads, 'payload file')}`;
      if (options.dryRun === true) {
        const plan = await withDatabase(path, io, (database) => planExport(database, { revisions: options.rev }));
        answer(io, options, { v: 1, ...plan }, () => [...plan.files, '', `${what(plan)}; nothing was written`]);
        return;
      }
      const target = at(io, intoOf(options.into, 'The export'));
      const exported = await withDatabase(path, io, (database) => exportDatabase(database, target, { revisions: options.rev }));
      answer(io, options, { v: 1, ...exported }, ({ short }) => [`${what(exported)} written to ${short(exported.directory)}`]);
    });
  addExamples(command, [
    ['caf db export results/gain/localdb --into gain', 'one database'],
    ['caf db export results --into constants', 'a whole campaign, without savePayloads: false'],
  ]);
}

/** The database that is exported: the one at the path, or the results of a whole campaign, flattened for as long as `use` takes. */
async function withDatabase<T>(path: string, io: Io, use: (database: string) => T | Promise<T>): Promise<T> {
  const { findFinalDatabases, isResultsDirectory } = await import('../../final-databases.ts');
  const results = at(io, path);
  if (!isResultsDirectory(results)) return use(await databaseAt(io, path));
  const { describeDatabase } = await import('../../../database/chain.ts');
  const { flattenChain } = await import('../../../database/flatten.ts');
  const databases = (await findFinalDatabases(results, io)).map((each) => describeDatabase(each));
  const temporary = mkdtempSync(join(tmpdir(), 'caf-export-'));
  try {
    const { directory: flat } = await flattenChain({ v: 1, databases }, { directory: join(temporary, 'localdb') });
    return await use(flat);
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}

function registerDump(db: Command, io: Io): void {
  const command = db
    .command('dump')
    .description('Tells what one payload is, where it is valid, and its value.')
    .argument('<payload>', 'a payload file; with --in a revision, or the first digits of a hash')
    .option('--in <path>', 'the database that holds it')
    .addOption(json())
    .action(async (payload: string, options: Json & { in?: string }) => {
      const { dumpPayload } = await import('../../../database/payload-dump.ts');
      const dumped = await (options.in === undefined
        ? dumpPayload(at(io, payload), null)
        : dumpPayload(payload, await databaseAt(io, options.in)));
      answer(io, options, dumped, ({ short }) => [
        `${dumped.name === null ? 'file' : `${dumped.name} ${dumped.revision}`}   ${dumped.mediaType}   ${count(dumped.size, 'byte')}`,
        `file     ${short(dumped.file)}`,
        `sha256   ${dumped.sha256}`,
        `md5      ${dumped.md5}`,
        ...dumped.iovs.map((iov, index) => `${index === 0 ? 'valid' : '     '}    ${formatIov(iov)}`),
        ...(dumped.boundaries === null ? [] : [`parts    begin at events ${[0, ...dumped.boundaries].join(', ')}`]),
        ...('value' in dumped ? ['', JSON.stringify(dumped.value, null, 2)] : []),
      ]);
    });
  addExamples(command, [
    ['caf db dump localdb/Pedestals_rev_b1946a.json', 'a payload file'],
    ['caf db dump b1946a --in localdb', 'a payload by its revision'],
  ]);
}
