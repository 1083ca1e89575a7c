// The core of fake engines: real commands on PATH, real processes in a few slots, limits of time, holds; what commands say is up to each engine.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface FakeTask {
  readonly array: number;
  /** As the engine counts. */
  readonly number: number;
  readonly name: string;
  readonly argv: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly limitMs: number;
  readonly startedAt: number | null;
  readonly phase: 'waiting' | 'held' | 'running' | 'ended';
  /** Exit status as shells count; null = it has not ended, or never began. */
  readonly status: number | null;
  /** Why the engine ended it. */
  readonly stop: 'limit' | 'deleted' | null;
}

export interface Answer {
  readonly stdout?: string;
  readonly stderr?: string;
  readonly code?: number;
}

export type NewTask = Pick<FakeTask, 'array' | 'number' | 'name' | 'argv' | 'env' | 'limitMs'>;

/** What the commands of an engine do to the scheduler. */
export interface FakeScheduler {
  readonly tasks: readonly FakeTask[];
  nextArray(): number;
  add(task: NewTask): void;
  end(task: FakeTask): void;
  hold(task: FakeTask): void;
  release(task: FakeTask): void;
}

export type FakeCommand = (scheduler: FakeScheduler, args: readonly string[], env: NodeJS.ProcessEnv) => Answer;

export interface FakeEngine {
  /** With the commands first on PATH. */
  readonly env: NodeJS.ProcessEnv;
  close(): Promise<void>;
}

/** As engines set them for jobs. */
const { username, homedir } = userInfo();
const PERSON = { USER: username, LOGNAME: username, HOME: homedir };
const SLOTS = 8;
const KILL_WAIT_MS = 200;

export async function startFakeEngine(commands: Readonly<Record<string, FakeCommand>>): Promise<FakeEngine> {
  const directory = mkdtempSync(join(tmpdir(), 'caf-'));
  const bin = join(directory, 'bin');
  const path = join(directory, 'socket');
  const client = fileURLToPath(new URL('./fake-client.mjs', import.meta.url));
  mkdirSync(bin);
  for (const command of Object.keys(commands))
    writeFileSync(join(bin, command), `#!/bin/sh\nexec '${process.execPath}' '${client}' '${path}' ${command} "$@"\n`, { mode: 0o755 });

  type Own = { -readonly [Key in keyof FakeTask]: FakeTask[Key] } & { child: ChildProcess | null };
  const tasks: Own[] = [];
  let arrays = 0;

  function signal({ pid = 0 }: ChildProcess, name: NodeJS.Signals): void {
    try {
      process.kill(-pid, name);
    } catch {
      // Gone.
    }
  }

  function startSome(): void {
    for (const task of tasks) {
      if (tasks.filter(({ child }) => child !== null).length >= SLOTS) return;
      if (task.phase === 'waiting') start(task);
    }
  }

  function start(task: Own): void {
    const [program = '', ...args] = task.argv;
    const child = spawn(program, args, { cwd: '/', env: { ...task.env, ...PERSON }, detached: true, stdio: 'ignore' });
    Object.assign(task, { child, phase: 'running', startedAt: Date.now() });
    const timer = setTimeout(() => stop(task, 'limit'), task.limitMs);
    child.on('exit', (code, name) => {
      clearTimeout(timer);
      signal(child, 'SIGKILL');
      const numbers: Readonly<Record<string, number>> = { SIGKILL: 9, SIGTERM: 15 };
      Object.assign(task, { child: null, phase: 'ended', status: code ?? 128 + (numbers[name ?? ''] ?? 0) });
      startSome();
    });
  }

  function stop(task: Own, why: 'limit' | 'deleted'): void {
    if (task.phase === 'ended') return;
    task.stop ??= why;
    const { child } = task;
    if (child === null) {
      task.phase = 'ended';
      return;
    }
    signal(child, 'SIGTERM');
    setTimeout(() => signal(child, 'SIGKILL'), KILL_WAIT_MS);
  }

  const own = (task: FakeTask): Own => {
    const found = tasks.find((each) => each === task);
    if (found === undefined) throw new Error('not a task of this engine');
    return found;
  };
  const scheduler: FakeScheduler = {
    tasks,
    nextArray: () => ++arrays,
    add(task) {
      tasks.push({ ...task, startedAt: null, phase: 'waiting', status: null, stop: null, child: null });
      setImmediate(startSome);
    },
    end: (task) => stop(own(task), 'deleted'),
    hold(task) {
      if (task.phase === 'waiting') own(task).phase = 'held';
    },
    release(task) {
      if (task.phase === 'held') own(task).phase = 'waiting';
      startSome();
    },
  };

  const server = createServer((socket) => {
    let text = '';
    socket.on('data', (data) => {
      text += String(data);
      if (!text.endsWith('\n')) return;
      const { command, args, env } = JSON.parse(text) as { command: string; args: string[]; env: NodeJS.ProcessEnv };
      socket.end(JSON.stringify({ stdout: '', stderr: '', code: 0, ...commands[command]?.(scheduler, args, env) }));
    });
    socket.on('error', () => undefined);
  });
  await new Promise<void>((listening) => server.listen(path, listening));

  return {
    env: { ...process.env, PATH: `${bin}:${process.env.PATH}` },
    async close() {
      for (const { child } of tasks) if (child !== null) signal(child, 'SIGKILL');
      await new Promise((closed) => server.close(closed));
      rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

/** The word behind an option. */
export function optionOf(args: readonly string[], name: string): string | undefined {
  const place = args.indexOf(name);
  return place < 0 ? undefined : args[place + 1];
}
