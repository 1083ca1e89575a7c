// Measures a command: wall time, processor time of its whole process tree, and the highest resident memory of the process itself.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Cost {
  /** Milliseconds. */
  readonly wall: number;
  /** Milliseconds of user and system time, of the command and all processes it waited for. */
  readonly cpu: number;
  /** Highest resident memory of the command's own process, in bytes; 0 where there is no /proc. */
  readonly rssBytes: number;
  readonly stdout: string;
}

export interface MeasureOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  /** Exit codes that are no error. Default: 0. */
  readonly allowed?: readonly number[];
}

/** bash keeps the times of a command in milliseconds, those of its children included. */
// biome-ignore lint/suspicious/noTemplateCurlyInString: this is for bash
const SCRIPT = 'TIMEFORMAT="%R %U %S"; { time "${@:2}" 2>"$1/stderr" >&3; } 3>"$1/stdout" 2>"$1/times"';
/** Ahead of whatever else the machine does; needs root. Without it, wall times of a busy machine mean little. */
const PRIORITY = process.env.CAF_BENCH_REALTIME === '1' ? ['chrt', '-r', '1'] : [];
const SAMPLE_MS = 20;

/** Throws when the command fails. */
export async function measure(argv: readonly string[], options: MeasureOptions = {}): Promise<Cost> {
  const directory = mkdtempSync(join(tmpdir(), 'caf-measure-'));
  try {
    const shell = spawn('bash', ['-c', SCRIPT, 'bash', directory, ...PRIORITY, ...argv], {
      stdio: 'ignore',
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      env: options.env ?? process.env,
    });
    let rssBytes = 0;
    let pid: number | null = null;
    const sampler = setInterval(() => {
      pid ??= firstChildOf(shell.pid ?? 0);
      if (pid !== null) rssBytes = Math.max(rssBytes, peakBytes(pid));
    }, SAMPLE_MS);
    const code = await new Promise<number | null>((resolve, reject) => {
      shell.once('error', reject);
      shell.once('exit', resolve);
    });
    clearInterval(sampler);
    if (!(options.allowed ?? [0]).includes(code ?? -1)) {
      throw new Error(`${argv.join(' ')} ended with ${code}: ${readFileSync(join(directory, 'stderr'), 'utf8')}`);
    }
    const [wall = 0, user = 0, system = 0] = readFileSync(join(directory, 'times'), 'utf8').trim().split(' ').map(Number);
    return { wall: wall * 1000, cpu: (user + system) * 1000, rssBytes, stdout: readFileSync(join(directory, 'stdout'), 'utf8') };
  } finally {
    rmSync(directory, { recursive: true });
  }
}

function firstChildOf(pid: number): number | null {
  try {
    const [first] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ');
    return first === undefined || first === '' ? null : Number(first);
  } catch {
    return null;
  }
}

/** VmHWM: the kernel keeps the highest value, so that samples between may be missed. */
export function peakBytes(pid: number): number {
  try {
    return Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}

/** User and system time of one process so far; Linux counts it in hundredths of a second. */
export function cpuMs(pid: number): number {
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

export interface Compared {
  readonly floor: Cost;
  readonly caf: Cost;
  /** Of wall times, and of processor times. */
  readonly ratio: number;
  readonly cpuRatio: number;
}

/**
 * Floor and caf in turn, so that both see the same machine. Of each the quickest round counts: what else the machine does only ever adds.
 * Memory is the highest of all rounds.
 */
export async function compare(rounds: number, floor: () => Promise<Cost>, caf: () => Promise<Cost>): Promise<Compared> {
  const floors: Cost[] = [];
  const cafs: Cost[] = [];
  for (let round = 0; round < rounds; round += 1) {
    floors.push(await floor());
    cafs.push(await caf());
  }
  const best = { floor: bestOf(floors), caf: bestOf(cafs) };
  return { ...best, ratio: best.caf.wall / best.floor.wall, cpuRatio: best.caf.cpu / best.floor.cpu };
}

export const bestOf = (costs: readonly Cost[]): Cost => ({
  wall: Math.min(...costs.map(({ wall }) => wall)),
  cpu: Math.min(...costs.map(({ cpu }) => cpu)),
  rssBytes: Math.max(...costs.map(({ rssBytes }) => rssBytes)),
  stdout: costs.at(-1)?.stdout ?? '',
});
