// What caf adds to a real engine: node bench/real-engine.ts slurm|htcondor latency|load|rate, with its commands on PATH, as a user who may submit, and nobody else using it.
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { difference, logCommands, readRequests } from '../test/engines/support/counting.ts';
import { batchJobs, latencyJobs, longBatchJobs } from './configs.ts';
import { install } from './install.ts';
import { cpuMs } from './measure.ts';
import { PLAIN_ENGINES, type PlainEngine } from './plain-engine.ts';

const CAF = fileURLToPath(new URL('../bin/caf.js', import.meta.url));
const ROUNDS = 40;
const TASKS = 4;
const LONG_JOBS = 1000;
const SETTLE_MS = 180_000;
const WATCH_MS = 300_000;
const MANY_JOBS = 4000;
const ASK_MS = 20;
const LOOK_MS = 5;

const [name = '', what = ''] = process.argv.slice(2);
const plain = PLAIN_ENGINES[name];
const BENCHES: Readonly<Record<string, (engine: PlainEngine, directory: string) => Promise<void>>> = { latency, load, rate };
const bench = BENCHES[what];
if (plain === undefined || bench === undefined)
  throw new Error(`expected ${Object.keys(PLAIN_ENGINES).join(' or ')}, and ${Object.keys(BENCHES).join(', ')}`);

// -------------------------------------------------------------------------------------------------------------- latency

/** From the last job's end, as the job itself sees the clock, to whoever hears of it. */
async function latency(engine: PlainEngine, directory: string): Promise<void> {
  const queue: number[] = [];
  const log: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const own = join(directory, String(round));
    mkdirSync(own);
    const id = engine.submit(own, TASKS, `date +%s%N > ${own}/end.$n`);
    const endsIn = () => readdirSync(own).filter((file) => file.startsWith('end.'));
    let inLog: number | null = null;
    const looking = setInterval(() => {
      if (inLog === null && engine.ended(own) === TASKS) inLog = Date.now();
    }, LOOK_MS);
    let gone = 0;
    while (gone === 0) {
      await delay(ASK_MS);
      if ((await engine.left(id)) === 0 && endsIn().length === TASKS) gone = Date.now();
    }
    if (engine.ended(own) !== null) while (inLog === null) await delay(LOOK_MS);
    clearInterval(looking);
    const end = lastEnd(endsIn().map((file) => join(own, file)));
    queue.push(gone - end);
    if (inLog !== null) log.push(inLog - end);
  }
  show(`its queue, asked every ${ASK_MS} ms`, queue);
  if (log.length > 0) show(`its log, looked at every ${LOOK_MS} ms`, log);

  const begun = join(directory, 'begun');
  writeFileSync(join(directory, 'caf.config.ts'), latencyJobs(ROUNDS, TASKS, engine.backend, begun));
  const finished = new Map<number, number>();
  const started = new Map<number, number>();
  const child = startCaf(directory, process.env);
  for await (const line of createInterface(child.stdout)) {
    const { type, at, iteration } = JSON.parse(line) as { type: string; at: string; iteration: number };
    if (type === 'job.finished') finished.set(iteration, Date.parse(at));
    if (type === 'algorithm.started') started.set(iteration, Date.parse(at));
  }
  const code = await child.ended;
  if (code !== 0) throw new Error(`caf run ended with ${code}`);
  const begins = readFileSync(begun, 'utf8').trim().split('\n').map(Number);
  const ends = begins.map((_, iteration) => {
    const jobs = join(directory, 'calibration_results/c', String(iteration), 'collector/all');
    return lastEnd(Array.from({ length: TASKS }, (_, job) => join(jobs, String(job), 'end')));
  });
  const since = (times: readonly (number | undefined)[]) => ends.map((end, iteration) => (times[iteration] ?? Number.NaN) - end);
  show('caf: the last job counts', since(ends.map((_, iteration) => finished.get(iteration))));
  show('caf: the algorithm is started', since(ends.map((_, iteration) => started.get(iteration))));
  show("caf: the algorithm's function is called", since(begins));
}

const lastEnd = (files: readonly string[]): number => Math.max(...files.map((file) => Number(readFileSync(file, 'utf8')) / 1e6));

function show(title: string, times: readonly number[]): void {
  const sorted = times.toSorted((a, b) => a - b);
  const quantile = (share: number) => Math.round(sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN);
  console.log(`${title.padEnd(44)} median ${quantile(0.5)} ms, p95 ${quantile(0.95)} ms, most ${quantile(1)} ms (${sorted.length})`);
}

// ----------------------------------------------------------------------------------------------------------------- load

/** What is asked of the engine while all jobs run for long or wait. */
async function load(engine: PlainEngine, directory: string): Promise<void> {
  writeFileSync(join(directory, 'caf.config.ts'), longBatchJobs(LONG_JOBS, engine.backend));
  const log = logCommands(join(directory, 'bin'), engine.commands, process.env.PATH ?? '');
  const requests = () => (name === 'slurm' ? readRequests(execFileSync('sdiag', { encoding: 'utf8' })) : {});
  const idle = requests();
  await delay(WATCH_MS / 5);
  const without = difference(idle, requests());
  const child = startCaf(directory, { ...process.env, PATH: log.path });
  child.stdout.resume();
  try {
    await delay(SETTLE_MS);
    const before = { requests: requests(), commands: log.counts(), cpu: cpuMs(child.pid) };
    await delay(WATCH_MS);
    const cpu = cpuMs(child.pid) - before.cpu;
    const minutes = WATCH_MS / 60_000;
    console.log(`${LONG_JOBS} jobs, of which some run: ${((100 * cpu) / WATCH_MS).toFixed(2)} % of a core`);
    console.log(`commands in ${minutes} minutes  ${JSON.stringify(difference(before.commands, log.counts()))}`);
    console.log(`commands until then     ${JSON.stringify(before.commands)}`);
    if (name !== 'slurm') return;
    console.log(`requests in ${minutes} minutes  ${JSON.stringify(difference(before.requests, requests()))}`);
    console.log(`without caf, in 1       ${JSON.stringify(without)}`);
  } finally {
    await cancelAll(child);
  }
}

// ----------------------------------------------------------------------------------------------------------------- rate

/** How soon the engine has taken jobs that it will not start. */
async function rate(engine: PlainEngine, directory: string): Promise<void> {
  const own = join(directory, 'plain');
  mkdirSync(own);
  const begin = performance.now();
  const id = engine.submit(own, MANY_JOBS, 'true', true);
  const seconds = (performance.now() - begin) / 1000;
  console.log(`plain: ${MANY_JOBS} jobs in ${seconds.toFixed(2)} s, ${Math.round(MANY_JOBS / seconds)} a second`);
  engine.cancel(id);

  writeFileSync(join(directory, 'caf.config.ts'), batchJobs(1, MANY_JOBS, engine.idleBackend));
  const start = Date.now();
  const child = startCaf(directory, process.env);
  let taken = 0;
  let planned = 0;
  for await (const line of createInterface(child.stdout)) {
    const { type, at } = JSON.parse(line) as { type: string; at: string };
    if (type === 'campaign.started') planned = Date.parse(at);
    if (type === 'job.started') taken += 1;
    if (taken < MANY_JOBS) continue;
    const whole = (Date.parse(at) - start) / 1000;
    const since = (Date.parse(at) - planned) / 1000;
    console.log(
      `caf: ${taken} jobs ${whole.toFixed(2)} s after its start, ${since.toFixed(2)} s after planning, ${Math.round(taken / since)} a second`,
    );
    break;
  }
  await cancelAll(child);
}

// ------------------------------------------------------------------------------------------------------------------ caf

function startCaf(directory: string, env: NodeJS.ProcessEnv) {
  const child = spawn(process.execPath, [CAF, 'run', '--json'], { cwd: directory, env, stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
  return { stdout: child.stdout, pid: child.pid ?? 0, ended, kill: (signal: NodeJS.Signals) => child.kill(signal) };
}

/** The first asks it to stop, the second ends its jobs as well. */
async function cancelAll(child: ReturnType<typeof startCaf>): Promise<void> {
  child.stdout.resume();
  child.kill('SIGINT');
  await delay(500);
  child.kill('SIGINT');
  await child.ended;
}

// ----------------------------------------------------------------------------------------------------------------- main

const place = mkdtempSync(join(tmpdir(), 'caf-bench-engine-'));
try {
  install(place);
  await bench(plain, place);
} finally {
  rmSync(place, { recursive: true, force: true });
}
