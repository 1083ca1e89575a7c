// `caf doctor`: what works here, and what to do about the rest.
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { DEFAULT_OUTPUT } from '../../domain/calibration.ts';
import { type Style, styleFor } from '../../report/style.ts';
import { drawTable } from '../../report/text.ts';
import type { Finding } from '../doctor.ts';
import { addExamples } from '../examples.ts';
import { EXIT_TROUBLE } from '../exit-codes.ts';
import type { Io } from '../io.ts';

export function registerDoctor(program: Command, io: Io): void {
  const command = program
    .command('doctor')
    .summary('what works here, and what to do')
    .description('Looks whether everything caf needs works here, and says what to do.')
    .argument('[dir]', `results directory (default: ${DEFAULT_OUTPUT})`)
    .option('--json', 'one document for machines')
    .action((directory: string | undefined, options: { readonly json?: boolean }) => runDoctor(directory, options.json === true, io));
  addExamples(command, [
    ['caf doctor', 'before the first run on a new machine'],
    ['caf doctor /nfs/results', 'would this directory do?'],
  ]);
}

async function runDoctor(directory: string | undefined, json: boolean, io: Io): Promise<void> {
  const { examine } = await import('../doctor.ts');
  const findings = await examine({ results: resolve(io.cwd, directory ?? DEFAULT_OUTPUT), env: io.env });
  const text = json ? JSON.stringify({ v: 1, findings }) : drawFindings(findings, styleFor(io.stdout, io.env)).join('\n');
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
