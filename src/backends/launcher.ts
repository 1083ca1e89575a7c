// The backend's side of the launcher: programs are asked for here, and what became of them is told by callbacks.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { ProcessStat } from '../host/process-tree.ts';
import { type Env, eachLine, type FromLauncher, type ToLauncher } from './launch-contract.ts';
import type { MainEnd } from './running-job.ts';

/** Exactly one of `started` and `failed` is called, then `ended` or `lost` for what was started. */
export interface Launch {
  readonly argv: readonly string[];
  readonly directory: string;
  /** Sent once for all launches that have the same object. */
  readonly env: Env;
  readonly ownEnv: Env;
  started(leader: ProcessStat): void;
  /** Nothing was started. The error has the code that the system gave, where it gave one. */
  failed(error: Error): void;
  ended(end: MainEnd): void;
  /** The launcher is gone. `leader`: what it had started; null = nobody knows whether it had. */
  lost(leader: ProcessStat | null): void;
}

export interface Launcher {
  launch(launch: Launch): void;
  /** What runs lives on, and what was asked for is still started and told. Resolves when the launcher is gone. */
  close(): Promise<void>;
}

/** Little garbage is made there, on one thread: less memory, and nothing competes with the programs. */
const NODE_FLAGS = ['--single-threaded', '--max-semi-space-size=1'];

export function createLauncher(childUrl: URL): Launcher {
  const pending = new Map<number, { readonly launch: Launch; leader: ProcessStat | null }>();
  let helper: Helper | null = null;
  let launches = 0;

  function start(): Helper {
    const child = spawn(process.execPath, [...NODE_FLAGS, fileURLToPath(childUrl)], {
      stdio: ['pipe', 'pipe', 'inherit'],
      detached: true,
    });
    const started: Helper = { child, environments: new Map(), numbers: new WeakMap() };
    child.on('error', (error) => (child.pid === undefined ? refuse(started, error) : lose(started)));
    child.on('close', () => lose(started));
    // Not even made where the system has no more files to give.
    const { stdin, stdout } = child as { readonly stdin: Writable | undefined; readonly stdout: Readable | undefined };
    stdout?.setEncoding('utf8');
    stdout?.on('data', eachLine(receive));
    // A pipe that breaks is told by the end of the process.
    stdin?.on('error', () => undefined);
    return started;
  }

  function receive(line: string): void {
    const message = JSON.parse(line) as FromLauncher;
    const entry = pending.get(message.launch);
    if (entry === undefined) return;
    if ('started' in message) {
      entry.leader = message.started;
      entry.launch.started(message.started);
      return;
    }
    // While it is closed, only the processes that it leaves are of interest.
    if (helper === null) return;
    pending.delete(message.launch);
    if (pending.size === 0) hold(false);
    if ('failed' in message) entry.launch.failed(Object.assign(new Error(message.failed.message), message.failed));
    else entry.launch.ended(endOf(message.ended));
  }

  function lose(lost: Helper): void {
    for (const { launch, leader } of withoutHelper(lost)) launch.lost(leader);
  }

  /** The launcher itself could not be started, and so nothing was. */
  function refuse(lost: Helper, error: NodeJS.ErrnoException): void {
    const isOfTheSystem = ['EAGAIN', 'EMFILE', 'ENFILE'].includes(error.code ?? '');
    const reason = isOfTheSystem ? error : new Error(`the process of caf that starts programs could not be started: ${error.message}`);
    for (const { launch } of withoutHelper(lost)) launch.failed(reason);
  }

  /** What it was asked for and has not ended. */
  function withoutHelper(lost: Helper) {
    if (helper !== lost) return [];
    helper = null;
    const entries = [...pending.values()];
    pending.clear();
    return entries;
  }

  /** Whether the event loop waits for the launcher: while something runs. */
  function hold(isHeld: boolean): void {
    if (helper === null) return;
    const { child } = helper;
    for (const part of [child, child.stdin as Socket | null, child.stdout as Socket | null])
      if (isHeld) part?.ref();
      else part?.unref();
  }

  function send({ child }: Helper, message: ToLauncher): void {
    child.stdin?.write(`${JSON.stringify(message)}\n`);
  }

  /** An environment is sent once, however many objects hold it. */
  function numberOf(helper: Helper, env: Env): number {
    const known = helper.numbers.get(env);
    if (known !== undefined) return known;
    const text = JSON.stringify(env);
    let number = helper.environments.get(text);
    if (number === undefined) {
      number = helper.environments.size;
      helper.environments.set(text, number);
      send(helper, { env: number, values: env });
    }
    helper.numbers.set(env, number);
    return number;
  }

  return {
    launch(launch) {
      helper ??= start();
      launches += 1;
      if (pending.size === 0) hold(true);
      pending.set(launches, { launch, leader: null });
      const { argv, directory, ownEnv } = launch;
      send(helper, { launch: launches, argv, directory, shared: numberOf(helper, launch.env), own: ownEnv });
    },
    async close() {
      if (helper === null) return;
      hold(true);
      const { child } = helper;
      helper = null;
      child.stdin?.end();
      await once(child, 'close');
      pending.clear();
    },
  };
}

interface Helper {
  readonly child: ChildProcess;
  /** Environments it knows, as JSON text. */
  readonly environments: Map<string, number>;
  readonly numbers: WeakMap<Env, number>;
}

const endOf = ({ code, signal }: { readonly code: number | null; readonly signal: string | null }): MainEnd =>
  signal === null ? { how: 'exited', code: code ?? 0 } : { how: 'signalled', signal };
