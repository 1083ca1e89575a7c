// The one door to execa: short commands whose output is read, of engines, containers and probes. Jobs never go through here.
import { execa } from 'execa';

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
}

/** An argument vector, never a shell string. Never rejects: how it ended is part of the answer. */
export async function runCommand([program = '', ...rest]: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
  const { env = process.env, timeoutMs = 10_000 } = options;
  const result = await execa(program, rest, {
    env,
    extendEnv: false,
    reject: false,
    stdin: 'ignore',
    timeout: timeoutMs,
    killDescendants: true,
  });
  return {
    ended: endOf(result),
    exitCode: result.exitCode ?? null,
    stdout: result.stdout,
    stderr: result.stderr,
  };
}

function endOf(result: { failed: boolean; timedOut: boolean; isTerminated: boolean; code?: string | undefined }): CommandResult['ended'] {
  if (!result.failed) return 'ok';
  if (result.code === 'ENOENT') return 'missing';
  if (result.timedOut) return 'time-limit';
  return result.isTerminated ? 'signal' : 'exit';
}
