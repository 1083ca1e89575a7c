// What a batch engine is to caf: pure functions from wishes to command lines, and from answers to facts. batch.ts runs the commands.
import type { Resources } from '../domain/calibration.ts';
import type { CommandResult } from './exec.ts';

/** An argument vector, never a shell string. */
export type Argv = readonly string[];

/** Some attempts that are submitted by one command: one array job. */
export interface ArrayRequest<Site> {
  /** What the engine shows of it, and what it is found by when its id is not known: unique for ever, at most 100 characters of `[A-Za-z0-9_.+-]`. */
  readonly name: string;
  /** Tasks are numbered 0 to size - 1. */
  readonly size: number;
  /** Of each task. */
  readonly resources: Resources;
  /** What this site needs: the options of the backend. */
  readonly site: Site;
  /** Absolute path of the shell script: each task runs it, with its number as the engine says (see `taskNumber`). */
  readonly script: string;
  /** Absolute path of a file beside it, which may be written for the engine (see `SubmitText.description`). */
  readonly description: string;
  /** Absolute path of a file to which the engine may append what it says itself about all tasks. */
  readonly log: string;
}

export interface SubmitText {
  readonly argv: Argv;
  /** Lines to stand at the top of the script: directives in comments. Empty where the engine has none. */
  readonly header: readonly string[];
  /** Text of the submit description file, for engines that want one; null = none. */
  readonly description: string | null;
}

export type SubmitAnswer =
  /** `id` of the array; see `taskId`. */
  | { readonly how: 'accepted'; readonly id: string }
  /** Certainly not accepted, and asking again will not help: an option is wrong. */
  | { readonly how: 'refused'; readonly message: string }
  /** Not accepted, but it may be later: a limit of jobs is reached (`full`), or the engine could not be reached. */
  | { readonly how: 'later'; readonly full: boolean; readonly message: string }
  /** It may have been accepted: it has to be searched for before it is tried again. */
  | { readonly how: 'unclear'; readonly message: string };

/** How the engine says that a task ended. What the task itself has written down about its end goes before, where they do not contradict. */
export type EngineEnd =
  /** `code` null = not said here: the history says it. */
  | { readonly how: 'exited'; readonly code: number | null }
  /** For instance `SIGKILL`. */
  | { readonly how: 'signalled'; readonly signal: string }
  | { readonly how: 'out-of-memory' }
  | { readonly how: 'time-limit' }
  /** By somebody: caf, the user, an administrator. `by` = who, in words; null = not known. */
  | { readonly how: 'cancelled'; readonly by: string | null }
  | { readonly how: 'preempted' }
  | { readonly how: 'node-lost'; readonly detail: string }
  /** The engine could not start it. */
  | { readonly how: 'not-started'; readonly detail: string };

export type EngineState =
  /** `reason`: the engine's word for why it waits; null = it says none. `advice`: set where it will wait for ever, or until somebody does something. */
  | { readonly state: 'queued'; readonly reason: string | null; readonly advice: string | null }
  /** Somebody has to release it. */
  | { readonly state: 'held'; readonly reason: string; readonly advice: string }
  | { readonly state: 'running'; readonly node: string | null }
  | { readonly state: 'suspended'; readonly reason: string | null }
  /** Its processes are being ended, or its files brought back: not over yet. */
  | { readonly state: 'ending' }
  | { readonly state: 'ended'; readonly end: EngineEnd }
  /** A word this engine is not known to say: shown, and otherwise no news. */
  | { readonly state: 'unknown'; readonly word: string };

export interface EngineTask {
  /** As `taskId` makes it. */
  readonly id: string;
  /** The name of its array, where the answer has it. */
  readonly name: string | null;
  /** What the engine's own log calls it; null = the same, or not known. */
  readonly inLog: string | null;
  readonly state: EngineState;
}

/** What an answer says; null = it is no answer (the command failed, or it may be a lie): nothing is learned from it. */
export type EngineAnswer = readonly EngineTask[] | null;

export interface EngineLimits {
  /** The most tasks of one array. */
  readonly maxArray: number;
}

export interface Survey {
  readonly text: string;
  /** Of a backend that would do: what stands within the brackets of its call in a config; empty = none are needed. */
  readonly options: string;
}

/**
 * An engine, for all sites: adding one is writing these functions. None of them reads a clock, a file or the environment.
 * Ids are those of tasks, for instance `4711_3`; the part before the number is the id of the array.
 */
export interface BatchEngine<Site = unknown> {
  /** Name of the backend: `slurm`. */
  readonly name: string;
  /** A command that answers at once when the engine's commands are there: what it prints begins with its version. */
  readonly version: Argv;
  /** What an engine has for this user, for `caf doctor`; null = it cannot be asked in one command. `read` gives null for what is no answer. */
  readonly survey: { readonly argv: Argv; read(answer: CommandResult): Survey | null } | null;
  /** Asked once; null = the engine tells none, and `fallback` holds. */
  readonly limits: { readonly argv: Argv; read(answer: CommandResult): EngineLimits | null; readonly fallback: EngineLimits } | null;
  /** Expression of POSIX shell for a task's number within the script, for instance `$SLURM_ARRAY_TASK_ID`. */
  readonly taskNumber: string;
  /** True where the engine ends a job by a signal to its script alone: the script then passes it on. */
  readonly signalsScriptOnly: boolean;
  /** Variables that the engine sets for a task and that programs may need: names, or a prefix and `*`. They are passed on, nothing else is. */
  readonly passes: readonly string[];
  /** Variables of caf's environment that the engine's commands get, beside PATH, HOME, USER, LOGNAME and SHELL: names, or a prefix and `*`. Nothing else is handed on to jobs by them. */
  readonly needs: readonly string[];

  submit(request: ArrayRequest<Site>): SubmitText;
  readSubmit(answer: CommandResult): SubmitAnswer;
  /** Id of a task of an array of this id. */
  taskId(array: string, number: number): string;
  /** The array of a task, by their ids. */
  arrayOf(task: string): string;
  /** One command for all that this user has in the queue, and that ended a moment ago where the engine keeps that. */
  queue(user: string): Argv;
  readQueue(answer: CommandResult): EngineAnswer;
  /** For what is not in the queue any more, and for what was perhaps never in it. At most 100 arrays or names at once. `null` = the engine keeps no history. */
  history:
    | ((wanted: { readonly arrays: readonly string[] } | { readonly names: readonly string[]; readonly sinceDays: number }) => Argv)
    | null;
  readHistory(answer: CommandResult): EngineAnswer;
  /** One command for many tasks. */
  cancel(tasks: readonly string[]): Argv;
  /** True when the wish has arrived. What has gone already counts as arrived. */
  readCancel(answer: CommandResult): boolean;
  /** For engines that write down in their own log (see `ArrayRequest.log`) what happens to tasks: what a piece of it tells, in order. `rest`: its end from the beginning of a line on, as far as that is no whole event. */
  readonly readLog?: (log: string) => { readonly tasks: readonly EngineTask[]; readonly rest: string };
  /** The option of a backend that keeps jobs off a node, as code in a config. Missing = there is none. */
  readonly avoid?: (node: string) => string;
  /** What of the engine's own log (see `ArrayRequest.log`) changes its verdict on a task, for instance a kill for memory; null = nothing. `inLog`: as in EngineTask. */
  endInLog(log: string, inLog: string): EngineEnd | null;
}
