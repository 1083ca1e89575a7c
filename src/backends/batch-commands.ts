// Runs the commands of an engine: one at a time of each kind, in an environment of a few variables, and counts them.
import { userInfo } from 'node:os';
import type { BatchEngine, EngineAnswer, SubmitAnswer } from './engine.ts';
import { type CommandResult, runCommand } from './exec.ts';

const SUBMIT_TIMEOUT_MS = 60_000;
const QUERY_TIMEOUT_MS = 60_000;
const BASE = ['PATH', 'HOME', 'USER', 'LOGNAME', 'SHELL'];
/** Names or arrays in one question about the past. */
const ASKED_AT_ONCE = 100;
const MAX_WARNING = 500;

export interface Commands {
  /** `answerFile`: see pathsOf. */
  submit(argv: readonly string[], answerFile: string): Promise<SubmitAnswer & { readonly warnings: readonly string[] }>;
  queue(): Promise<EngineAnswer>;
  /** Null also where the engine keeps no history, or does not tell it. */
  history(
    wanted: { readonly arrays: readonly string[] } | { readonly names: readonly string[]; readonly sinceDays: number },
  ): Promise<EngineAnswer>;
  cancel(tasks: readonly string[]): Promise<boolean>;
  /** The most tasks of one array; asked once. */
  maxArray(): Promise<number>;
  /** What the last command said that failed; null = the last one did not. */
  trouble(): string | null;
}

export function createCommands(engine: Omit<BatchEngine<never>, 'submit'>, processEnv: NodeJS.ProcessEnv): Commands {
  const env = environmentFor(engine, processEnv);
  const user = userInfo().username;
  let trouble: string | null = null;
  let maxArray: Promise<number> | null = null;

  const note = <T>(result: CommandResult, argv: readonly string[], answer: T | null): T | null => {
    trouble = answer === null ? failureText(result, argv) : null;
    return answer;
  };
  const ask = async <T>(argv: readonly string[], read: (result: CommandResult) => T | null): Promise<T | null> => {
    const result = await runCommand(argv, { env, timeoutMs: QUERY_TIMEOUT_MS });
    return note(result, argv, read(result));
  };

  return {
    async submit(argv, answerFile) {
      const result = await runCommand(argv, { env, timeoutMs: SUBMIT_TIMEOUT_MS, stdoutFile: answerFile });
      const answer = engine.readSubmit(result);
      note(result, argv, answer.how === 'accepted' ? answer : null);
      return { ...answer, warnings: answer.how === 'accepted' ? warningsIn(result.stderr) : [] };
    },
    queue: () => ask(engine.queue(user), engine.readQueue),
    async history(wanted) {
      if (engine.history === null) return null;
      const all = 'arrays' in wanted ? wanted.arrays : wanted.names;
      const tasks = [];
      for (let first = 0; first < all.length; first += ASKED_AT_ONCE) {
        const some = all.slice(first, first + ASKED_AT_ONCE);
        const argv = engine.history('arrays' in wanted ? { arrays: some } : { names: some, sinceDays: wanted.sinceDays });
        const answer = await ask(argv, engine.readHistory);
        if (answer === null) return null;
        tasks.push(...answer);
      }
      return tasks;
    },
    cancel: async (tasks) => (await ask(engine.cancel(tasks), (result) => engine.readCancel(result) || null)) !== null,
    maxArray() {
      const { limits } = engine;
      if (limits === null) return Promise.resolve(Infinity);
      maxArray ??= ask(limits.argv, limits.read).then((found) => (found ?? limits.fallback).maxArray);
      return maxArray;
    },
    trouble: () => trouble,
  };
}

/** Of caf's environment only what the engine's commands need: the rest would travel into every job. Who the user is, is added where it does not say. */
export function environmentFor(engine: Pick<BatchEngine, 'needs'>, processEnv: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const isNeeded = (name: string) =>
    BASE.includes(name) || engine.needs.some((need) => (need.endsWith('*') ? name.startsWith(need.slice(0, -1)) : name === need));
  const { username, homedir } = userInfo();
  return {
    HOME: homedir,
    USER: username,
    LOGNAME: username,
    ...Object.fromEntries(Object.entries(processEnv).filter(([name]) => isNeeded(name))),
  };
}

/** What a command that has done its work warns of: an option that it did not know and left out, for instance. Each in one line, with what follows it. */
export function warningsIn(stderr: string): readonly string[] {
  const warnings: string[] = [];
  let isOpen = false;
  for (const line of stderr.split('\n').map((text) => text.trim())) {
    const begins = /^(?:[\w.-]+: )?warning: *(.*)$/i.exec(line)?.[1];
    if (begins !== undefined) warnings.push(begins);
    else if (isOpen && line !== '') warnings.push(`${warnings.pop() ?? ''} ${line}`);
    isOpen = (isOpen || begins !== undefined) && line !== '';
  }
  return warnings.map((text) => text.slice(0, MAX_WARNING));
}

/** For people, in one line. */
export function failureText({ ended, exitCode, stdout, stderr }: CommandResult, [program = '']: readonly string[]): string {
  const said = (stderr.trim() || stdout.trim()).split('\n').slice(-1).join('').slice(0, 300);
  switch (ended) {
    case 'missing':
      return `${program} was not found on PATH`;
    case 'time-limit':
      return `${program} did not answer in time`;
    case 'signal':
      return `${program} was killed${said === '' ? '' : `: ${said}`}`;
    default:
      return said === '' ? `${program} ended with ${exitCode ?? 'no'} exit status and said nothing` : said;
  }
}
