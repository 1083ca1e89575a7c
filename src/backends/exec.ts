// The one door to execa: short commands whose output is read, of engines, containers and probes. Jobs never go through here.
import { closeSync, openSync, readFileSync } from 'node:fs';
import { isOnPath } from './on-path.ts';

export interface CommandResult {
  /** How it ended; `missing` = there is no such program on PATH. */
  readonly ended: 'ok' | 'exit' | 'signal' | 'time-limit' | 'missing';
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandOptions {
  readonly env?: NodeJS.ProcessEnv;
  /** Default 10,000. */
  readonly timeoutMs?: number;
  /** Absolute path of a file that the command itself writes its standard output to: it is there also when caf is killed meanwhile. */
  readonly stdoutFile?: string;
}

/** An argument vector, never a shell string. Never rejects: how it ended is part of the answer. */
export async function runCommand([program = '', ...rest]: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
  const { env = process.env, timeoutMs = 10_000, stdoutFile } = options;
  const { execa } = await import('execa');
  const fd = stdoutFile === undefined ? null : openSync(stdoutFile, 'w');
  const running = execa(program, rest, {
    env,
    extendEnv: false,
    reject: false,
    stdin: 'ignore',
    // A descriptor is allowed here; only the types of execa do not know it beside `env`.
    stdout: (fd ?? 'pipe') as 'pipe',
    timeout: timeoutMs,
    killDescendants: true,
    // The queue of a big site.
    maxBuffer: 2 ** 30,
  });
  if (fd !== null) closeSync(fd);
  const result = await running;
  return {
    ended: result.code === 'EACCES' && !program.includes('/') && !isOnPath(program, env.PATH) ? 'missing' : endOf(result),
    exitCode: result.exitCode ?? null,
    stdout: stdoutFile === undefined ? String(result.stdout ?? '') : readFileSync(stdoutFile, 'utf8'),
    stderr: String(result.stderr ?? ''),
  };
}

function endOf(result: { failed: boolean; timedOut: boolean; isTerminated: boolean; code?: string | undefined }): CommandResult['ended'] {
  if (!result.failed) return 'ok';
  if (result.code === 'ENOENT') return 'missing';
  if (result.timedOut) return 'time-limit';
  return result.isTerminated ? 'signal' : 'exit';
}
