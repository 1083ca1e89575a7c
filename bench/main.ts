// Runs the benchmarks that are named, or all but the long ones, and prints a table. Options: --rounds N (default 5). CAF_BENCH_REALTIME=1 runs all ahead of other work (root). Exit code 1 when a bar does not hold.
import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { batch } from './batch.ts';
import { type Benchmark, megabytes, type Row } from './benchmark.ts';
import { conditions } from './conditions.ts';
import { install } from './install.ts';
import { threeIterations } from './iteration.ts';
import type { Cost } from './measure.ts';
import { plan } from './plan.ts';
import { programJobsBench } from './program-jobs.ts';
import { runByRunBench } from './run-by-run.ts';
import { nothingToDo, version } from './start-up.ts';
import { waiting } from './waiting.ts';

const BENCHMARKS: readonly Benchmark[] = [
  version,
  nothingToDo,
  plan,
  programJobsBench,
  threeIterations,
  runByRunBench,
  waiting,
  conditions,
  batch,
];

const { values, positionals } = parseArgs({ options: { rounds: { type: 'string', default: '5' } }, allowPositionals: true });
const unknown = positionals.filter((name) => !BENCHMARKS.some((each) => each.name === name));
if (unknown.length > 0)
  throw new Error(`no benchmark is called ${unknown.join(', ')}; there are ${BENCHMARKS.map(({ name }) => name).join(', ')}`);

console.log(
  `Node ${process.versions.node}, ${availableParallelism()} x ${cpus()[0]?.model.trim()}, load ${loadavg()[0]?.toFixed(1)}; wall / processor time in ms, quickest of the rounds\n`,
);
const COLUMNS = [42, 16, 16, 24, 8, 40] as const;
const line = (cells: readonly string[]) =>
  console.log(
    cells
      .map((cell, column) => cell.padEnd(COLUMNS[column] ?? 0))
      .join('')
      .trimEnd(),
  );
const show = (cost: Cost | null) => (cost === null ? '' : `${Math.round(cost.wall)} / ${Math.round(cost.cpu)}`);

line(['', 'floor', 'caf', 'figure', 'memory', 'bar']);
let missed = 0;
for (const benchmark of BENCHMARKS) {
  if (positionals.length > 0 ? !positionals.includes(benchmark.name) : benchmark.isLong === true) continue;
  const directory = mkdtempSync(join(tmpdir(), `caf-bench-${benchmark.name}-`));
  try {
    install(directory);
    for (const row of await benchmark.run(directory, Number(values.rounds))) print(row);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
process.exitCode = missed === 0 ? 0 : 1;

function print({ name, floor, caf, figure, bar, holds }: Row): void {
  if (!holds) missed += 1;
  line([name, show(floor), show(caf), figure, megabytes(caf.rssBytes), bar === '' ? '' : `${holds ? 'holds ' : 'MISSED'} <= ${bar}`]);
}
