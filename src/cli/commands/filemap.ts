// `caf filemap`: which input file holds which runs, as the config says.
import { dirname } from 'node:path';
import { type Command, Option } from 'commander';
import type { CalibrationSpec, CampaignSpec, CollectionSpec } from '../../domain/calibration.ts';
import { CafError } from '../../domain/errors.ts';
import type { Iov, Run } from '../../domain/iov.ts';
import { nearest } from '../../domain/nearest.ts';
import { count, drawTable, oneLine } from '../../report/text.ts';
import { addExamples } from '../examples.ts';
import type { Io } from '../io.ts';

interface FilemapOptions {
  readonly only?: string;
  readonly json?: boolean;
}

interface FileRow {
  readonly calibration: string;
  readonly collection: string;
  readonly file: string;
  /** `[experiment, run]`, an IoV, or null: the config does not say. */
  readonly runs: Run | Iov | null;
  /** Why it is not used; null when it is. */
  readonly dropped: string | null;
}

export function registerFilemap(program: Command, io: Io): void {
  const command = program
    .command('filemap')
    .summary('which input file holds which runs')
    .description('Prints which input file holds which runs, and which files are not used.')
    .argument('[config]', 'config file, or a directory with a caf.config.ts (default: caf.config.ts)')
    .option('--only <name>', 'only this calibration')
    .addOption(new Option('--json', 'one document for machines'))
    .action((config: string | undefined, options: FilemapOptions) => showFilemap(config, options, io));
  addExamples(command, [
    ['caf filemap', 'all files of caf.config.ts'],
    ['caf filemap --only gain', 'those of one calibration'],
  ]);
}

async function showFilemap(config: string | undefined, { only, json }: FilemapOptions, io: Io): Promise<void> {
  const { readCampaign } = await import('../read-campaign.ts');
  const { spec } = await readCampaign({ config }, io);
  const rows: FileRow[] = [];
  for (const calibration of selectCalibrations(spec, only)) {
    for (const collection of calibration.collections) for (const row of await mapFiles(spec, calibration, collection)) rows.push(row);
  }
  if (json === true) {
    io.stdout.write(`${JSON.stringify({ v: 1, files: rows })}\n`);
    return;
  }
  const nameOf = ({ file }: FileRow) => (io.stdout.isTTY ? oneLine(file) : file);
  const cells = rows.map((row) => [`${row.calibration}/${row.collection}`, nameOf(row), runsText(row.runs), row.dropped ?? '']);
  io.stdout.write(`${drawTable(['collection', 'file', 'runs', ''], cells).join('\n')}\n`);
  const unused = rows.filter((row) => row.dropped !== null).length;
  io.stderr.write(`\n${count(rows.length, 'file')}${unused > 0 ? `, ${unused} not used` : ''}\n`);
}

function selectCalibrations(spec: CampaignSpec, only: string | undefined): readonly CalibrationSpec[] {
  if (only === undefined) return spec.calibrations;
  const found = spec.calibrations.filter((calibration) => calibration.name === only);
  if (found.length > 0) return found;
  const names = spec.calibrations.map((calibration) => calibration.name);
  const near = nearest(only, names);
  throw new CafError('CAF_USAGE', `No calibration is called '${only}'`, {
    hint: near === null ? `there are: ${names.join(', ')}` : `did you mean '${near}'?`,
  });
}

async function mapFiles(spec: CampaignSpec, calibration: CalibrationSpec, collection: CollectionSpec): Promise<FileRow[]> {
  const { resolveFiles } = await import('../../runners/resolve-files.ts');
  const { runsOfFile, selectFiles } = await import('../../plan/select.ts');
  const where = `calibrations.${calibration.name}.collections.${collection.name}`;
  const { files, problems } = resolveFiles(collection.files, dirname(spec.configPath), `${where}.files`);
  const found = files.map((file) => ({ path: file.path, answer: runsOfFile(collection.runs, file.path) }));
  const wrong = [...problems, ...found.flatMap(({ answer }) => (answer.ok ? [] : [answer.error]))];
  if (wrong.length > 0) {
    throw new CafError('CAF_INPUT_MISSING', `${where} has ${count(wrong.length, 'problem')}`, { problems: wrong });
  }
  const inputs = found.map(({ path, answer }) => ({ path, runs: answer.ok ? answer.value : null }));
  const { dropped } = selectFiles(inputs, spec.iov, calibration.ignoredRuns);
  const reasons = new Map(dropped.map(({ file, reason }) => [file.path, reason]));
  return inputs.map(({ path, runs }) => ({
    calibration: calibration.name,
    collection: collection.name,
    file: path,
    runs,
    dropped: reasons.get(path) ?? null,
  }));
}

/** `7,12` for a run, `7,1,7,20` for an interval. */
const runsText = (runs: Run | Iov | null): string => (runs === null ? '-' : runs.join(','));
