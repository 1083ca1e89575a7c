// Suites on real engines: boots one with its script, runs its commands, breaks it and mends it.
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe } from 'vitest';
import { commandsOf, control, ENGINES, type EngineName, type Said, say, whyNot } from './boot.ts';

export interface User {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
}

export interface RunOptions {
  /** Default: a temporary directory of the suite. */
  readonly cwd?: string;
  /** Added to the environment of the engine. */
  readonly env?: Readonly<Record<string, string>>;
  /** Runs it as the engine's user. The wrappers of HTCondor do so by themselves. */
  readonly asUser?: boolean;
  /** Default 60,000. */
  readonly timeoutMs?: number;
}

export interface Engine {
  readonly name: EngineName;
  /** The surroundings with the engine's commands first on PATH. */
  readonly env: Readonly<Record<string, string>>;
  /** Who must own jobs: HTCondor refuses those of root. Null: whoever runs the tests. */
  readonly user: User | null;
  /** A directory of the suite where everybody may write; removed at the end. */
  readonly directory: string;
  /** Runs a command; how it ended is part of the answer. */
  run(argv: readonly string[], options?: RunOptions): Promise<Said>;
  /** As run, but anything but exit code 0 is an error. Returns standard output without the last line end. */
  ask(argv: readonly string[], options?: RunOptions): Promise<string>;
  /** Stops a daemon until it is mended: `await using broken = await engine.down('ctld')`. */
  down(daemon: string): Promise<Fault>;
  /** Power loss of a node: what ran there is dead. */
  crash(node: string): Promise<Fault>;
  /** Network loss of a node: what runs there goes on unseen. */
  cut(node: string): Promise<Fault>;
}

export interface Fault extends AsyncDisposable {
  /** Starts it again; once. */
  mend(): Promise<void>;
}

/**
 * A suite on a real engine, which is started when it is not running. The suite is skipped, and its title says why, where no
 * engine can be booted (not root, no apt). An engine that should boot and does not fails the suite.
 */
export function withEngine(name: EngineName, tests: (engine: Engine) => void): void {
  const reason = whyNot();
  if (reason !== null) {
    describe.skip(`${name} (${reason})`, () => tests(engineOf(name)));
    return;
  }
  describe(name, () => {
    const engine = engineOf(name);
    // A first boot downloads packages.
    beforeAll(() => control(name, ['start']), 900_000);
    afterAll(() => rmSync(engine.directory, { recursive: true, force: true }));
    tests(engine);
  });
}

function engineOf(name: EngineName): Engine {
  const { user } = ENGINES[name];
  const env = { ...definedEnv(), PATH: `${commandsOf(name)}${delimiter}${process.env.PATH ?? ''}` };
  let directory: string | null = null;
  const place = (): string => {
    if (directory === null) {
      directory = mkdtempSync(join(tmpdir(), 'caf-'));
      chmodSync(directory, 0o1777);
    }
    return directory;
  };
  const account = (): User | null => (user === null ? null : readUser(user));
  const run: Engine['run'] = (argv, { cwd = place(), env: more = {}, asUser = false, timeoutMs = 60_000 } = {}) => {
    const as = asUser ? account() : null;
    const identity = as === null ? {} : { uid: as.uid, gid: as.gid };
    const home = as === null ? {} : { HOME: as.home, USER: as.name, LOGNAME: as.name };
    return say(argv, { cwd, env: { ...env, ...home, ...more }, timeout: timeoutMs, ...identity });
  };
  const fault = async (word: 'down' | 'crash' | 'cut', target: string): Promise<Fault> => {
    await control(name, [word, target]);
    let mending: Promise<void> | null = null;
    const mend = (): Promise<void> => {
      mending ??= control(name, ['up', target]);
      return mending;
    };
    return { mend, [Symbol.asyncDispose]: mend };
  };
  return {
    name,
    env,
    get user() {
      return account();
    },
    get directory() {
      return place();
    },
    run,
    async ask(argv, options) {
      const said = await run(argv, options);
      if (said.exitCode !== 0) throw new Error(`${argv.join(' ')} ended with ${said.exitCode}:\n${said.stdout}${said.stderr}`);
      return said.stdout.replace(/\n$/, '');
    },
    down: (daemon) => fault('down', daemon),
    crash: (node) => fault('crash', node),
    cut: (node) => fault('cut', node),
  };
}

/** Asks an engine every 100 ms until it says what is waited for: an outside fact that announces itself by no event. */
export async function until<T>(what: string, ask: () => Promise<T | null>, timeoutMs = 120_000): Promise<T> {
  const end = Date.now() + timeoutMs;
  for (;;) {
    const answer = await ask();
    if (answer !== null) return answer;
    if (Date.now() > end) throw new Error(`after ${timeoutMs / 1000} s still not: ${what}`);
    await delay(100);
  }
}

function definedEnv(): Record<string, string> {
  return Object.fromEntries(Object.entries(process.env).filter((entry): entry is [string, string] => entry[1] !== undefined));
}

function readUser(name: string): User {
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((text) => text.startsWith(`${name}:`));
  if (line === undefined) throw new Error(`there is no user ${name}: is the engine running?`);
  const [, , uid, gid, , home = '/'] = line.split(':');
  return { name, uid: Number(uid), gid: Number(gid), home };
}
