// Planning: what --dry-run costs for many calibrations, and for many jobs in one collection.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Benchmark, caf, floor, MB, megabytes, type Row, seconds } from './benchmark.ts';
import { filesAsJobs, manyCalibrations, programJobs } from './configs.ts';
import { compare } from './measure.ts';

interface Case {
  readonly name: string;
  readonly config: string;
  readonly limitMs: number;
  readonly limitBytes: number | null;
  readonly files?: number;
}

const CASES: readonly Case[] = [
  { name: 'plan 10,000 calibrations, parallel', config: manyCalibrations(10_000, false), limitMs: 500, limitBytes: null },
  { name: 'plan 10,000 calibrations, a chain', config: manyCalibrations(10_000, true), limitMs: 500, limitBytes: null },
  { name: 'plan 100,000 jobs by arguments', config: programJobs(100_000, 2), limitMs: 1500, limitBytes: 300 * MB },
  { name: 'plan 100,000 jobs by files', config: filesAsJobs, limitMs: 1500, limitBytes: 300 * MB, files: 100_000 },
];

export const plan: Benchmark = {
  name: 'plan',
  run: async (directory, rounds) => {
    const rows: Row[] = [];
    for (const [number, each] of CASES.entries()) rows.push(await runCase(join(directory, String(number)), each, rounds));
    return rows;
  },
};

async function runCase(directory: string, { name, config, limitMs, limitBytes, files }: Case, rounds: number): Promise<Row> {
  mkdirSync(directory);
  writeFileSync(join(directory, 'caf.config.ts'), config);
  if (files !== undefined) makeFiles(directory, files);
  const { floor: empty, caf: own } = await compare(
    rounds,
    () => floor('empty'),
    () => caf(['run', '--dry-run'], directory),
  );
  return {
    name,
    floor: empty,
    caf: own,
    figure: seconds(own.wall),
    bar: `${seconds(limitMs)}${limitBytes === null ? '' : `, ${megabytes(limitBytes)}`}`,
    holds: own.wall <= limitMs && (limitBytes === null || own.rssBytes <= limitBytes),
  };
}

/** A thousand to a directory, as they are kept in practice. */
function makeFiles(directory: string, count: number): void {
  for (let file = 0; file < count; file += 1) {
    const folder = join(directory, 'data', String(Math.floor(file / 1000)));
    if (file % 1000 === 0) mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, `e7r${file}.csv`), '');
  }
}
