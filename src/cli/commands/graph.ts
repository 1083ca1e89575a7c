// `caf graph`: which calibration waits for which; or one of caf's own statecharts.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Command, Option } from 'commander';
import type { CalibrationState } from '../../domain/calibration.ts';
import { JOURNAL_FILE } from '../../domain/results-directory.ts';
import { drawDot, drawMermaid, drawTree, type GraphNode } from '../../report/draw-graph.ts';
import { shortPath } from '../../report/error-text.ts';
import { styleFor } from '../../report/style.ts';
import { addExamples } from '../examples.ts';
import type { Io } from '../io.ts';

interface GraphOptions {
  readonly mermaid?: boolean;
  readonly dot?: boolean;
  readonly machine?: string;
}

export const MACHINES = ['campaign', 'calibration', 'algorithm', 'job'] as const;

export function registerGraph(program: Command, io: Io): void {
  const command = program
    .command('graph')
    .summary('which calibration waits for which')
    .description('Draws which calibration waits for which, and how far each is.')
    .argument('[config]', 'config file, or a directory with a caf.config.ts (default: caf.config.ts)')
    .addOption(new Option('--mermaid', 'as a mermaid flowchart').conflicts(['dot', 'machine']))
    .addOption(new Option('--dot', 'for graphviz').conflicts('machine'))
    .addOption(new Option('--machine <name>', "one of caf's own statecharts, as mermaid").choices(MACHINES))
    .action((config: string | undefined, options: GraphOptions) => showGraph(config, options, io));
  addExamples(command, [
    ['caf graph', 'as a tree'],
    ['caf graph --dot | dot -Tsvg', 'as a picture'],
    ['caf graph --machine job', 'the states of a job'],
  ]);
}

async function showGraph(config: string | undefined, { mermaid, dot, machine }: GraphOptions, io: Io): Promise<void> {
  if (machine !== undefined) {
    const { machinePicture } = await import('../../machines/picture.ts');
    io.stdout.write(machinePicture(machine) ?? '');
    return;
  }
  const { readCampaign } = await import('../read-campaign.ts');
  const { spec } = await readCampaign({ config }, io);
  const { buildGraph } = await import('../../plan/graph.ts');
  const graph = buildGraph(spec.calibrations);
  // A checked config has no circles.
  const order = graph.ok ? graph.value.order : spec.calibrations.map((calibration) => calibration.name);
  const states = await readStates(spec.output);
  const specs = new Map(spec.calibrations.map((calibration) => [calibration.name, calibration]));
  const nodes = order.map((name): GraphNode => {
    const state = states.get(name);
    return { name, dependsOn: specs.get(name)?.dependsOn ?? [], ...(state === undefined ? {} : { state }) };
  });
  const title = shortPath(spec.configPath, io.cwd);
  const lines = mermaid === true ? drawMermaid(nodes) : dot === true ? drawDot(nodes) : drawTree(title, nodes, styleFor(io.stdout, io.env));
  io.stdout.write(`${lines.join('\n')}\n`);
}

async function readStates(output: string): Promise<ReadonlyMap<string, CalibrationState>> {
  if (!existsSync(join(output, JOURNAL_FILE))) return new Map();
  const { readStatus } = await import('../../report/status-model.ts');
  return new Map(readStatus(output).calibrations.map(({ name, state }) => [name, state]));
}
