// `caf reset`: puts a calibration and its descendants back to the start of an iteration.
import { type Command, InvalidArgumentError, Option } from 'commander';
import { shortPath } from '../../report/error-text.ts';
import { addExamples } from '../examples.ts';
import type { Io } from '../io.ts';
import { findResults } from '../results.ts';
import { resumeIn } from '../resume.ts';

interface ResetOptions {
  readonly iteration?: number;
  readonly output?: string;
}

export function registerReset(program: Command, io: Io): void {
  const command = program
    .command('reset')
    .summary('put a calibration back to the start of an iteration')
    .description('Puts a calibration and its descendants back to the start of an iteration. What is dropped is kept under a dated name.')
    .argument('<calibration>')
    .addOption(new Option('--iteration <n>', 'redo from this iteration on').default(0).argParser(iterationOption))
    .option('--output <dir>', 'results directory (default: the one of the config here)')
    .action((calibration: string, options: ResetOptions) => reset(calibration, options, io));
  addExamples(command, [
    ['caf reset gain', 'gain and what depends on it, from the start'],
    ['caf reset gain --iteration 2', 'keep iterations 0 and 1'],
  ]);
}

async function reset(calibration: string, { iteration = 0, output }: ResetOptions, io: Io): Promise<void> {
  const results = await findResults(output, io);
  const { resetCalibration } = await import('../../runners/reset.ts');
  const descendants = await findDescendants(results, calibration, io);
  const { kept, calibrations } = await resetCalibration(results, calibration, iteration, descendants);
  io.stderr.write(`${calibrations.join(', ')}: back to the start of iteration ${iteration}\n`);
  for (const path of kept) io.stderr.write(`  kept ${shortPath(path, io.cwd)}\n`);
  io.stderr.write(`\n  ${await resumeIn(results, io)}   continue from there\n`);
}

/** What depends on it, as the config says that was last run here. */
async function findDescendants(results: string, calibration: string, io: Io): Promise<readonly string[]> {
  const { readStatus } = await import('../../report/status-model.ts');
  const { readCampaign } = await import('../read-campaign.ts');
  const { buildGraph } = await import('../../plan/graph.ts');
  const config = readStatus(results).invocation?.config;
  const { spec } = await readCampaign({ config }, io);
  const graph = buildGraph(spec.calibrations);
  const isKnown = spec.calibrations.some(({ name }) => name === calibration);
  return graph.ok && isKnown ? graph.value.descendants(calibration) : [];
}

function iterationOption(text: string): number {
  if (!/^\d{1,6}$/.test(text)) throw new InvalidArgumentError('Expected a whole number; 0 is the first iteration.');
  return Number(text);
}
