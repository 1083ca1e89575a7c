// Arrays of jobs on a real engine by its plain commands: what caf is compared with.
import { execFile, execFileSync } from 'node:child_process';
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

export interface PlainEngine {
  /** Of a config: the default options of its backend. */
  readonly backend: string;
  /** The same, for jobs that are not started today. */
  readonly idleBackend: string;
  /** Commands that caf runs. */
  readonly commands: readonly string[];
  /** Submits an array whose tasks run this line of shell, with their number in `$n`. Returns its id. */
  submit(directory: string, tasks: number, line: string, idle?: boolean): string;
  /** How many of its tasks are in the queue. */
  left(id: string): Promise<number>;
  cancel(id: string): void;
  /** How many tasks the engine's own log of the array in this directory calls ended; null = it writes none. */
  ended(directory: string): number | null;
}

const run = promisify(execFile);
const linesOf = (text: string): number => text.split('\n').filter((line) => line !== '').length;

function scriptIn(directory: string, number: string, line: string): string {
  const path = join(directory, 'script');
  writeFileSync(path, `#!/bin/sh\nn=${number}\n${line}\n`);
  chmodSync(path, 0o755);
  return path;
}

const slurm: PlainEngine = {
  backend: 'slurm()',
  idleBackend: "slurm({ directives: ['--begin=now+1day'] })",
  commands: ['sbatch', 'squeue', 'sacct', 'scancel', 'scontrol'],
  submit(directory, tasks, line, idle = false) {
    const options = [
      '--parsable',
      `--array=0-${tasks - 1}`,
      '--mem=100M',
      '--time=10',
      '--output=/dev/null',
      ...(idle ? ['--begin=now+1day'] : []),
    ];
    return execFileSync('sbatch', [...options, scriptIn(directory, '$SLURM_ARRAY_TASK_ID', line)], { encoding: 'utf8' }).trim();
  },
  left: async (id) => linesOf((await run('squeue', ['--noheader', '--jobs', id, '--format=%T'])).stdout),
  cancel: (id) => void execFileSync('scancel', [id]),
  ended: () => null,
};

const htcondor: PlainEngine = {
  backend: 'htcondor()',
  idleBackend: "htcondor({ requirements: 'false' })",
  commands: ['condor_submit', 'condor_q', 'condor_history', 'condor_rm'],
  submit(directory, tasks, line, idle = false) {
    const path = join(directory, 'description');
    const script = scriptIn(directory, '$1', line);
    writeFileSync(
      path,
      `executable = ${script}\narguments = $(ProcId)\ninitialdir = ${directory}\nlog = ${join(directory, 'log')}\nrequest_memory = 100\nshould_transfer_files = no\n${idle ? 'requirements = false\n' : ''}queue ${tasks}\n`,
    );
    // 12.0 - 12.99
    return execFileSync('condor_submit', ['-terse', path], { encoding: 'utf8' }).split('.')[0] ?? '';
  },
  left: async (id) => linesOf((await run('condor_q', [id, '-af', 'ProcId'])).stdout),
  cancel: (id) => void execFileSync('condor_rm', [id]),
  ended(directory) {
    const path = join(directory, 'log');
    return existsSync(path) ? (readFileSync(path, 'utf8').match(/^005 \(/gm)?.length ?? 0) : 0;
  },
};

export const PLAIN_ENGINES: Readonly<Record<string, PlainEngine>> = { slurm, htcondor };
