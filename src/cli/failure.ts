// The end of a command that failed: what the user reads, and the exit code.
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import { CafError } from '../domain/errors.ts';
import { drawError } from '../report/error-text.ts';
import { styleFor } from '../report/style.ts';
import { exitCodeOf } from './exit-codes.ts';
import type { Io } from './io.ts';
import { explainUnexpected } from './unexpected.ts';
import { VERSION } from './version.ts';

/** `program`: the commands that `argv` was read by; null = none was. */
export function reportFailure(error: unknown, argv: readonly string[], io: Io, program: Command | null = null): void {
  if (isCommanderError(error)) {
    // Help and version arrive as errors too; `caf db` without a subcommand shows its help with exit code 1.
    if (error.exitCode === 0) return;
    if (error.code === 'commander.help') {
      io.setExitCode(2);
      return;
    }
  }
  const shown = isCommanderError(error)
    ? usageError(error, argv, program)
    : error instanceof CafError
      ? error
      : explainUnexpected(error, () => bugHint(error, argv));
  const canvas = { columns: io.stderr.isTTY ? io.stderr.columns : 80, style: styleFor(io.stderr, io.env), cwd: safeCwd(io) };
  io.stderr.write(`${drawError(shown, canvas).join('\n')}\n`);
  io.setExitCode(exitCodeOf(shown));
}

interface CommanderError extends Error {
  readonly code: string;
  readonly exitCode: number;
}

const isCommanderError = (error: unknown): error is CommanderError =>
  error instanceof Error && String((error as NodeJS.ErrnoException).code).startsWith('commander.');

/** Commander says `error: unknown option '--onyl'\n(Did you mean --only?)`. */
function usageError(error: CommanderError, argv: readonly string[], program: Command | null): CafError {
  const [first = '', ...rest] = error.message.replace(/^error: /, '').split('\n');
  const suggestion = /\(Did you mean (.*?)\??\)$/.exec(rest.join(' '))?.[1];
  return new CafError('CAF_USAGE', (first.charAt(0).toUpperCase() + first.slice(1)).replace(/\.$/, ''), {
    hint: suggestion === undefined ? `${['caf', ...commandNames(argv, program)].join(' ')} --help` : `did you mean ${suggestion}?`,
  });
}

/** `db`, `show` of `db show --jsn`. */
function commandNames(argv: readonly string[], program: Command | null): readonly string[] {
  const names: string[] = [];
  let command = program;
  for (const word of argv) {
    command = command?.commands.find((each) => each.name() === word) ?? null;
    if (command === null) break;
    names.push(word);
  }
  return names;
}

/** The stack of a bug goes to a file, not to the user. */
function bugHint(error: unknown, argv: readonly string[]): string {
  const report = `caf ${VERSION}, Node ${process.versions.node}, ${process.platform} ${process.arch}\ncaf ${argv.join(' ')}\n${stackOf(error)}\n`;
  const path = keepReport(report);
  return path === null ? `report this bug with these lines: ${report}` : `report this bug with the file ${path}`;
}

/** In a directory of its own, for its owner only: others may have planted links where the file would be expected. Null = it could not be written. */
function keepReport(report: string): string | null {
  try {
    const path = join(mkdtempSync(join(tmpdir(), 'caf-bug-')), 'report.log');
    writeFileSync(path, report, { mode: 0o600, flag: 'wx' });
    return path;
  } catch {
    return null;
  }
}

function stackOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return `${error.stack}${error.cause === undefined ? '' : `\ncaused by: ${stackOf(error.cause)}`}`;
}

function safeCwd(io: Io): string {
  try {
    return io.cwd;
  } catch {
    // The working directory was removed.
    return '/';
  }
}
