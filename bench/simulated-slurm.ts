// A Slurm that runs nothing: its commands answer, and its jobs leave the files of jobs that ended well, as many at a time as it has slots.
import { appendFileSync, chmodSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface SimulatedSlurm {
  readonly env: NodeJS.ProcessEnv;
  /** How often each command was run. */
  readonly counts: Readonly<Record<string, number>>;
  /** When (performance.now()) the last job ended. */
  lastEnd(): number;
  close(): Promise<void>;
}

export interface SimulationOptions {
  /** Jobs that end in one step; 0 = they wait for ever. */
  readonly perStep: number;
  readonly stepMs: number;
}

interface SimulatedArray {
  readonly id: number;
  readonly name: string;
  readonly directory: string;
  /** Directory and token of each task. */
  readonly tasks: readonly { readonly directory: string; readonly token: string }[];
  ended: number;
}

/** How many that ended are still in its answers, as within MinJobAge. */
const REMEMBERED = 20_000;
const CLIENT = fileURLToPath(new URL('../test/backends/support/fake-slurm-client.mjs', import.meta.url));

export async function simulateSlurm(directory: string, { perStep, stepMs }: SimulationOptions): Promise<SimulatedSlurm> {
  const bin = join(directory, 'bin');
  mkdirSync(bin);
  for (const command of ['sbatch', 'squeue', 'sacct', 'scancel', 'scontrol']) {
    writeFileSync(join(bin, command), `#!/bin/sh\nexec '${process.execPath}' '${CLIENT}' ${command} "$@"\n`);
    chmodSync(join(bin, command), 0o755);
  }
  const arrays: SimulatedArray[] = [];
  const counts: Record<string, number> = {};
  let nextId = 1;
  let lastEnd = 0;

  const step = setInterval(() => {
    let left = perStep;
    for (const array of arrays) {
      if (array.ended === array.tasks.length) continue;
      const numbers: number[] = [];
      for (; left > 0 && array.ended < array.tasks.length; left -= 1) {
        const task = array.tasks[array.ended];
        if (task === undefined) break;
        const file = join(task.directory, 'batch.ended');
        writeFileSync(`${file}.tmp`, `token ${task.token}\nnode n1\nseconds 1.00 1.50\nstatus 0\nstopped no\n`);
        renameSync(`${file}.tmp`, file);
        numbers.push(array.ended);
        array.ended += 1;
      }
      if (numbers.length > 0) {
        appendFileSync(join(array.directory, 'ended'), numbers.map((number) => `${number}\n`).join(''));
        lastEnd = performance.now();
      }
      if (left === 0) return;
    }
  }, stepMs);

  const answers: Readonly<Record<string, (args: readonly string[]) => string>> = {
    sbatch(args) {
      if (args[0] === '--version') return 'slurm-wlm 22.05.8\n';
      const id = nextId;
      const own = dirname(args.at(-1) ?? '');
      const tasks = readTasks(own);
      nextId += tasks.length;
      arrays.push({ id, name: args.find((arg) => arg.startsWith('--job-name='))?.slice(11) ?? '', directory: own, tasks, ended: 0 });
      return `${id}\n`;
    },
    squeue() {
      const lines: string[] = [];
      let remembered = REMEMBERED;
      for (const { id, name, tasks, ended } of arrays.toReversed()) {
        const first = Math.max(0, ended - remembered);
        remembered -= ended - first;
        for (let number = first; number < tasks.length; number += 1) {
          const state = number < ended ? 'COMPLETED' : 'PENDING';
          lines.push(`${id}_${number}|${id + number}|${id}|${number}|${state}|Priority|n1|N/A|N/A|me|${name}|(null)\n`);
        }
      }
      return lines.join('');
    },
    sacct: () => '',
    scancel: () => '',
    scontrol: () => 'MaxArraySize            = 10001\n',
  };

  const server = createServer((socket) => {
    let text = '';
    socket.on('data', (data) => {
      text += String(data);
      if (!text.endsWith('\n')) return;
      const { command, args } = JSON.parse(text) as { command: string; args: string[] };
      counts[command] = (counts[command] ?? 0) + 1;
      socket.end(JSON.stringify({ stdout: answers[command]?.(args) ?? '', stderr: '', code: 0 }));
    });
    socket.on('error', () => undefined);
  });
  const path = join(directory, 'socket');
  await new Promise<void>((listening) => server.listen(path, listening));
  return {
    env: { ...process.env, PATH: `${bin}:${process.env.PATH}`, SLURM_CONF: path },
    counts,
    lastEnd: () => lastEnd,
    async close() {
      clearInterval(step);
      await new Promise((closed) => server.close(closed));
    },
  };
}

/** As a task of caf's script finds them. */
function readTasks(array: string): SimulatedArray['tasks'] {
  const path = join(array, 'tasks');
  if (!existsSync(path)) return [];
  return [...readFileSync(path, 'utf8').matchAll(/^directory=(\S+) token=(\S+) environment=/gm)].map(([, directory = '', token = '']) => ({
    directory,
    token,
  }));
}
