// Starts the real caf, as a user would, and reads its answers.
import { spawn } from 'node:child_process';
import { join } from 'node:path';

export const ROOT = join(import.meta.dirname, '../../..');

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs caf with the project's root as working directory, without the caller's CAF_DATA. */
export function caf(
  args: readonly string[],
  options: { readonly env?: Readonly<Record<string, string>>; readonly cwd?: string } = {},
): Promise<Ended> {
  const { CAF_DATA: _, ...env } = process.env;
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [join(ROOT, 'bin/caf.js'), ...args], {
      cwd: options.cwd ?? ROOT,
      env: { ...env, NO_COLOR: '1', ...options.env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, stdout, stderr }));
  });
}

/** The parts of `caf status --json` that the tests look at. */
export interface Status {
  readonly v: 1;
  readonly state: string;
  readonly calibrations: readonly {
    readonly name: string;
    readonly state: string;
    readonly converged: boolean | null;
    readonly iteration: number;
    readonly jobs: { readonly total: number; readonly succeeded: number; readonly failed: number; readonly reused: number };
    readonly iterations: readonly {
      readonly iteration: number;
      readonly algorithms: readonly {
        readonly name: string;
        readonly finalState: string;
        readonly executions: readonly { readonly runs: readonly (readonly number[])[]; readonly result: string }[];
        readonly results: readonly { readonly iov: readonly number[]; readonly result: string }[];
      }[];
    }[];
    readonly localdb: string | null;
    readonly error: { readonly code: string; readonly message: string } | null;
  }[];
}

/** Throws, with all that caf said, unless it ended with 0. */
export async function ask(args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await caf(args);
  if (code !== 0) throw new Error(`caf ${args.join(' ')} ended with ${code}\n${stdout}${stderr}`);
  return stdout;
}

export const statusOf = async (results: string): Promise<Status> => JSON.parse(await ask(['status', results, '--json'])) as Status;

/** The value of a JSON payload. */
export const payload = async <Value>(database: string, name: string, experiment: number, run: number): Promise<Value> =>
  JSON.parse(await ask(['db', 'get', database, name, String(experiment), String(run)])) as Value;
