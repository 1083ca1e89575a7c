// `caf doctor`: what works here, and what to do about the rest.
import { resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { DEFAULT_OUTPUT } from '../../domain/calibration.ts';
import { type Style, styleFor } from '../../report/style.ts';
import { drawTable } from '../../report/text.ts';
import type { Finding } from '../doctor.ts';
import { addExamples } from '../examples.ts';
import { EXIT_TROUBLE, exitCodeOfSignal } from '../exit-codes.ts';
import type { Io } from '../io.ts';
import { durationOption } from '../option-values.ts';
import type { TestedJob } from '../test-jobs.ts';

interface DoctorOptions {
  readonly json?: boolean;
  /** Of an engine; true = those of the config, or all that are here. */
  readonly testJob?: string | true;
  readonly config?: string;
  readonly wait?: number;
}

const DEFAULT_WAIT_MS = 600_000;

export function registerDoctor(program: Command, io: Io): void {
  const command = program
    .command('doctor')
    .summary('what works here, and what to do')
    .description('Looks whether everything caf needs works here, and says what to do.')
    .argument('[dir]', `results directory (default: ${DEFAULT_OUTPUT})`)
    .option('--test-job [engine]', 'send one tiny job to the batch engine, as a campaign would, and measure its ways')
    .option('--config <file>', 'whose backend gets the test job (default: the config here, if there is one)')
    .addOption(new Option('--wait <duration>', "how long the test job may wait in the queue (default: '10 min')").argParser(durationOption))
    .option('--json', 'one document for machines')
    .action((directory: string | undefined, options: DoctorOptions) => runDoctor(directory, options, io));
  addExamples(command, [
    ['caf doctor', 'before the first run on a new machine'],
    ['caf doctor /nfs/results', 'would this directory do?'],
    ['caf doctor /nfs/results --test-job slurm', 'do jobs come back from there?'],
  ]);
}

async function runDoctor(directory: string | undefined, { json, testJob, config, wait }: DoctorOptions, io: Io): Promise<void> {
  const { examine } = await import('../doctor.ts');
  if (testJob === undefined) {
    const findings = await examine({ results: resolve(io.cwd, directory ?? DEFAULT_OUTPUT), env: io.env });
    show(findings, null, json === true, io);
    return;
  }
  const { planTestJobs, runTestJobs } = await import('../test-jobs.ts');
  const words = { engine: testJob === true ? null : testJob, config, waitMs: wait ?? DEFAULT_WAIT_MS };
  // What is wrong with the words or the config comes first.
  const plan = await planTestJobs(words, io);
  const results = directory === undefined ? (plan.results ?? resolve(io.cwd, DEFAULT_OUTPUT)) : resolve(io.cwd, directory);
  const findings = await examine({ results, env: io.env });
  const tested = await runTestJobs(plan, results, words.waitMs, io);
  show([...findings, ...tested.findings], tested.jobs, json === true, io);
  if (tested.signal !== null) io.setExitCode(exitCodeOfSignal(tested.signal));
}

function show(findings: readonly Finding[], testJobs: readonly TestedJob[] | null, json: boolean, io: Io): void {
  const document = { v: 1, findings, ...(testJobs === null ? {} : { testJobs }) };
  const text = json ? JSON.stringify(document) : drawFindings(findings, styleFor(io.stdout, io.env)).join('\n');
  io.stdout.write(`${text}\n`);
  if (findings.some((finding) => finding.status === 'fail')) io.setExitCode(EXIT_TROUBLE);
}

const MARKS = { ok: 'done', warn: 'warning', fail: 'failed' } as const;

function drawFindings(findings: readonly Finding[], style: Style): string[] {
  const lines = drawTable(
    [],
    findings.map((finding) => [`${style.mark(MARKS[finding.status])} ${finding.check}`, finding.text]),
  );
  return findings.flatMap(({ hint }, i) => [lines[i] ?? '', ...(hint === null ? [] : [`    ${style.paint('cyan', 'hint:')} ${hint}`])]);
}
