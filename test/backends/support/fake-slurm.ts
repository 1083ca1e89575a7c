// A Slurm for tests: real commands on PATH, real processes, the states and texts of the real one; and faults on demand. What it says is checked against the recordings by slurm.test.ts.
import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, closeSync, mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { constants, tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

interface Task {
  readonly array: number;
  readonly number: number;
  /** Its own id. */
  readonly raw: number;
  readonly name: string;
  readonly script: string;
  readonly log: string;
  readonly limitMs: number;
  readonly env: NodeJS.ProcessEnv;
  state: string;
  reason: string;
  exit: string;
  child: ChildProcess | null;
  /** Why it is being ended. */
  stop: string | null;
}

interface Answer {
  readonly stdout?: string;
  readonly stderr?: string;
  readonly code?: number;
}

export type Fault =
  /** Nothing answers, as with no controller. */
  | 'down'
  /** sbatch takes the job, and says that it timed out. */
  | 'submit-unclear'
  /** squeue knows nothing that has ended, and sacct does. */
  | 'forgets'
  /** sbatch takes the job, and warns of something. */
  | 'warns'
  /** Neither of them does. */
  | 'forgets-all'
  /** Nothing is started. */
  | 'full';

export interface FakeSlurm {
  /** For commands: PATH and SLURM_CONF. */
  readonly env: NodeJS.ProcessEnv;
  /** What was called, in order. */
  readonly calls: readonly (readonly string[])[];
  readonly tasks: readonly Readonly<Task>[];
  fault(fault: Fault | null): void;
  /** Of a task by its number in the order of submission: what an administrator, or a node that fails, can do to it. */
  become(task: number, state: string, reason: string): void;
  close(): Promise<void>;
}

const SLOTS = 8;
const KILL_WAIT_MS = 200;

/** Minutes become `minuteMs`. */
export async function startFakeSlurm({ minuteMs = 60_000, maxArray = 1001 } = {}): Promise<FakeSlurm> {
  const directory = mkdtempSync(join(tmpdir(), 'caf-'));
  const bin = join(directory, 'bin');
  mkdirSync(bin);
  const client = fileURLToPath(new URL('./fake-slurm-client.mjs', import.meta.url));
  for (const command of ['sbatch', 'squeue', 'sacct', 'scancel', 'scontrol']) {
    writeFileSync(join(bin, command), `#!/bin/sh\nexec '${process.execPath}' '${client}' ${command} "$@"\n`);
    chmodSync(join(bin, command), 0o755);
  }
  const calls: string[][] = [];
  const tasks: Task[] = [];
  let fault: Fault | null = null;
  let nextId = 1;

  const optionOf = (args: readonly string[], name: string): string | undefined =>
    args.find((arg) => arg.startsWith(`--${name}=`))?.slice(name.length + 3);
  const idOf = ({ array, number }: Task): string => `${array}_${number}`;

  function startTasks(): void {
    if (fault === 'full') return;
    for (const task of tasks) {
      if (tasks.filter(({ child }) => child !== null).length >= SLOTS) return;
      if (task.state === 'PENDING' && task.reason === 'None') start(task);
    }
  }

  function start(task: Task): void {
    const log = openSync(task.log, 'a');
    const env = {
      ...task.env,
      USER: userInfo().username,
      LOGNAME: userInfo().username,
      SLURM_ARRAY_JOB_ID: String(task.array),
      SLURM_ARRAY_TASK_ID: String(task.number),
      SLURM_JOB_ID: String(task.raw),
    };
    const child = spawn(task.script, [], { cwd: '/', env, detached: true, stdio: ['ignore', log, log] });
    closeSync(log);
    task.child = child;
    task.state = 'RUNNING';
    const timer = setTimeout(() => end(task, 'TIMEOUT'), task.limitMs);
    child.on('exit', (code, signal) => {
      clearTimeout(timer);
      task.child = null;
      signalGroup(child, 'SIGKILL');
      if (task.stop !== null) task.state = task.stop;
      else if (code === 0) task.state = 'COMPLETED';
      else {
        task.state = 'FAILED';
        task.reason = signal === null ? 'NonZeroExitCode' : 'JobLaunchFailure';
        task.exit = signal === null ? `${code}:0` : `0:${constants.signals[signal]}`;
      }
      startTasks();
    });
  }

  function end(task: Task, state: string): void {
    if (task.state === 'PENDING') task.state = state;
    const { child } = task;
    if (child === null) return;
    task.stop ??= state;
    task.state = 'COMPLETING';
    signalGroup(child, 'SIGTERM');
    setTimeout(() => signalGroup(child, 'SIGKILL'), KILL_WAIT_MS);
  }

  function signalGroup({ pid = 0 }: ChildProcess, signal: NodeJS.Signals): void {
    try {
      process.kill(-pid, signal);
    } catch {
      // Gone.
    }
  }

  const commands: Readonly<Record<string, (args: readonly string[], env: NodeJS.ProcessEnv) => Answer>> = {
    sbatch(args, env) {
      if (args[0] === '--version') return { stdout: 'slurm-wlm 22.05.8\n' };
      const last = Number(optionOf(args, 'array')?.split('-')[1]);
      if (optionOf(args, 'partition') === 'nosuch')
        return {
          stderr:
            'sbatch: error: invalid partition specified: nosuch\nsbatch: error: Batch job submission failed: Invalid partition name specified\n',
          code: 1,
        };
      if (!(last < maxArray)) return { stderr: 'sbatch: error: Batch job submission failed: Invalid job array specification\n', code: 1 };
      const array = nextId;
      nextId += last + 1;
      for (let number = 0; number <= last; number += 1) {
        tasks.push({
          array,
          number,
          // The last one has the id of the array.
          raw: number === last ? array : array + number + 1,
          name: optionOf(args, 'job-name') ?? '',
          script: args.at(-1) ?? '',
          log: (optionOf(args, 'output') ?? '').replaceAll('%%', '%'),
          limitMs: Number(optionOf(args, 'time')) * minuteMs,
          env,
          state: 'PENDING',
          reason: 'None',
          exit: '0:0',
          child: null,
          stop: null,
        });
      }
      setImmediate(startTasks);
      if (fault === 'submit-unclear')
        return { stderr: 'sbatch: error: Batch job submission failed: Socket timed out on send/recv operation\n', code: 1 };
      const warning = "sbatch: Warning: can't honor --ntasks-per-node set to 4\n";
      return { stdout: `${array}\n`, ...(fault === 'warns' ? { stderr: warning } : {}) };
    },
    squeue() {
      const forgets = fault === 'forgets' || fault === 'forgets-all';
      const shown = tasks.filter(({ state }) => !forgets || ['PENDING', 'RUNNING', 'COMPLETING'].includes(state));
      const lines = shown.map((task) => {
        const { array, number, raw, state, reason, name } = task;
        return `${idOf(task)}|${raw}|${array}|${number}|${state}|${reason}|n1|N/A|N/A|me|${name}|(null)\n`;
      });
      return { stdout: lines.join('') };
    },
    sacct(args) {
      if (fault === 'forgets-all') return {};
      const jobs = optionOf(args, 'jobs')?.split(',');
      const names = optionOf(args, 'name')?.split(',');
      const shown = tasks.filter(({ array, name }) => jobs?.includes(String(array)) ?? names?.includes(name));
      const lines = shown.map((task) => {
        const state = task.state === 'CANCELLED' ? 'CANCELLED by 1000' : task.state;
        return `${idOf(task)}|${task.raw}|${task.name}|${state}|${task.exit}|0:0|${task.reason}|n1|Unknown|Unknown|0||\n`;
      });
      return { stdout: lines.join('') };
    },
    scancel(args) {
      for (const word of args) {
        const [array, list = ''] = word.split('_');
        const numbers = list
          .replace(/[[\]]/g, '')
          .split(',')
          .flatMap((range) => {
            const [first = 0, last = first] = range.split('-').map(Number);
            return Array.from({ length: last - first + 1 }, (_, i) => first + i);
          });
        for (const task of tasks) if (String(task.array) === array && numbers.includes(task.number)) end(task, 'CANCELLED');
      }
      return {};
    },
    scontrol: () => ({ stdout: `Configuration data\nMaxArraySize            = ${maxArray}\n` }),
  };

  const server = createServer((socket: Socket) => {
    let text = '';
    socket.on('data', (data) => {
      text += String(data);
      if (!text.endsWith('\n')) return;
      const { command, args, env } = JSON.parse(text) as { command: string; args: string[]; env: NodeJS.ProcessEnv };
      calls.push([command, ...args]);
      const answer =
        fault === 'down'
          ? { stderr: `${command}: error: Unable to contact slurm controller (connect failure)\n`, code: command === 'scancel' ? 8 : 1 }
          : (commands[command]?.(args, env) ?? { code: 127 });
      socket.end(JSON.stringify({ stdout: '', stderr: '', code: 0, ...answer }));
    });
    socket.on('error', () => undefined);
  });
  const path = join(directory, 'socket');
  await new Promise<void>((listening) => server.listen(path, listening));

  return {
    env: { ...process.env, PATH: `${bin}:${process.env.PATH}`, SLURM_CONF: path },
    calls,
    tasks,
    fault(wanted) {
      fault = wanted;
      startTasks();
    },
    become(number, state, reason) {
      const task = tasks[number];
      if (task === undefined) throw new Error(`no task ${number}`);
      task.reason = reason;
      if (task.child === null) task.state = state;
      else {
        task.stop = state;
        signalGroup(task.child, 'SIGKILL');
      }
      setImmediate(startTasks);
    },
    async close() {
      for (const { child } of tasks) if (child !== null) signalGroup(child, 'SIGKILL');
      await new Promise((closed) => server.close(closed));
      rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}
