// Submits attempts as array jobs: gathers those of one moment, writes each array down before the engine hears of it, and never submits again what may have arrived.
import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { BatchSpec, Resources } from '../domain/calibration.ts';
import { createBacklog } from './batch-backlog.ts';
import type { Commands } from './batch-commands.ts';
import { scriptText, tasksText } from './batch-script.ts';
import { declareVoid, filesOf, pathsOf, removeArray, type SpooledArray, traceOf, writeArray } from './batch-spool.ts';
import type { BatchTask } from './batch-task.ts';
import { liveArray, type Watcher } from './batch-watcher.ts';
import type { BatchEngine } from './engine.ts';
import { linkLog, logPlace } from './log-place.ts';

/** What all jobs of one backend share. */
export interface Owner<Site> {
  readonly spec: BatchSpec;
  readonly site: Site;
  /** What a task runs, with its own environment. */
  command(task: BatchTask): { readonly argv: readonly string[]; readonly ownEnv: Readonly<Record<string, string>> };
}

export interface SubmitterOptions<Site> {
  readonly engine: BatchEngine<Site>;
  readonly commands: Commands;
  readonly watcher: Watcher;
  /** Absolute directory of this campaign's arrays. */
  readonly spool: string;
  /** Puts these files on the disk for good. */
  readonly makeDurable: (paths: readonly string[]) => Promise<void>;
  /** Told when the engine takes no jobs, in words; null = it does again. */
  readonly onTrouble: (message: string | null) => void;
  /** Told what the engine warned of while it took an array. */
  readonly onWarning: (warning: string) => void;
  readonly onAccepted: (directory: string, tasks: readonly BatchTask[]) => void;
}

export interface Submitter<Site> {
  add(task: BatchTask, owner: Owner<Site>): void;
  /** Takes back what was not submitted yet; false = it is too late. */
  withdraw(task: BatchTask): boolean;
  /** The id of an array that an earlier caf may have submitted; null = it was not, and its tasks will do nothing. Rejects when closed meanwhile, and when its files cannot be read. */
  find(array: SpooledArray): Promise<string | null>;
  /** Submits nothing more; resolves when the command under way has ended. */
  close(): Promise<void>;
}

interface Group<Site> {
  readonly owner: Owner<Site>;
  readonly resources: Resources;
  /** When (performance.now()) the first of them came. */
  readonly since: number;
  tasks: BatchTask[];
}

/** The jobs of a collection arrive within this time of each other. */
const GATHER_MS = 50;
const GATHER_MOST_MS = 1000;
/** Behind a long queue new ones wait for more of them, but no longer than this: the engine may count how long a job waits. */
const LATER_MS = 1000;
const LATEST_MS = 600_000;
const MINUTE_MS = 60_000;
const FIRST_PAUSE_MS = 2000;
const LONGEST_PAUSE_MS = 60_000;
/** A command for submission that has not ended after this time has ended: engines' clients give up earlier. */
const SUBMITTING_MS = 90_000;
const LEAST_ANSWERS = 2;
const HISTORY_TRIES = 3;

export function createSubmitter<Site>({
  engine,
  commands,
  watcher,
  spool,
  makeDurable,
  onTrouble,
  onWarning,
  onAccepted,
}: SubmitterOptions<Site>): Submitter<Site> {
  const groups = new Map<string, Group<Site>>();
  const owners = new Map<object, number>();
  let gatherTimer: NodeJS.Timeout | null = null;
  let gatherSince = 0;
  let laterTimer: NodeJS.Timeout | null = null;
  const backlog = createBacklog();
  let working: Promise<void> | null = null;
  const submittedAt: number[] = [];
  let chunkLimit = Infinity;
  const closing = new AbortController();

  function add(task: BatchTask, owner: Owner<Site>): void {
    const { cores, memoryBytes, timeMs } = task.submission.resources;
    if (!owners.has(owner)) owners.set(owner, owners.size);
    const key = [owners.get(owner), cores, memoryBytes, timeMs].join(' ');
    const group = groups.get(key) ?? { owner, resources: task.submission.resources, since: performance.now(), tasks: [] };
    group.tasks.push(task);
    groups.set(key, group);
    gather();
  }

  function gather(): void {
    if (working !== null || closing.signal.aborted) return;
    const now = performance.now();
    if (gatherTimer === null) gatherSince = now;
    else clearTimeout(gatherTimer);
    gatherTimer = setTimeout(work, Math.max(0, Math.min(GATHER_MS, gatherSince + GATHER_MOST_MS - now)));
  }

  function work(): void {
    gatherTimer = null;
    working = submitAll()
      .catch((error: unknown) => failAll(error))
      .finally(() => {
        working = null;
        if (groups.size > 0) later();
      });
  }

  /** What is left can wait, or came meanwhile. */
  function later(): void {
    if (firstGroup(null) !== null) gather();
    else if (!closing.signal.aborted)
      laterTimer ??= setTimeout(() => {
        laterTimer = null;
        if (working === null && gatherTimer === null) later();
      }, LATER_MS);
  }

  async function submitAll(): Promise<void> {
    let pauseMs = FIRST_PAUSE_MS;
    const most = await commands.maxArray();
    let begun: Group<Site> | null = null;
    for (let next = firstGroup(begun); next !== null && !closing.signal.aborted; next = firstGroup(begun)) {
      const [key, group] = next;
      begun = group;
      await keepRate(group.owner.spec.submitsPerMinute);
      if (closing.signal.aborted) return;
      const tasks = group.tasks.splice(0, Math.max(1, Math.min(most, group.owner.spec.maxArray ?? Infinity, chunkLimit)));
      if (group.tasks.length === 0) groups.delete(key);
      if (await submitArray(key, group, tasks)) pauseMs = FIRST_PAUSE_MS;
      else {
        await pause(pauseMs);
        pauseMs = Math.min(LONGEST_PAUSE_MS, pauseMs * 2);
      }
    }
  }

  /** Null when nothing is left, or what is left does better to wait. A group that has been begun is not left half submitted. */
  function firstGroup(begun: Group<Site> | null): [string, Group<Site>] | null {
    const now = performance.now();
    for (const [key, group] of groups) {
      if (group.tasks.length === 0) groups.delete(key);
      else if (group === begun || now - group.since > LATEST_MS || !backlog.isLong(key, group.tasks.length)) return [key, group];
    }
    return null;
  }

  /** False when the engine takes none at the moment: its tasks wait again. */
  async function submitArray(key: string, group: Group<Site>, tasks: readonly BatchTask[]): Promise<boolean> {
    const token = randomBytes(5).toString('hex');
    let array: { readonly spooled: SpooledArray; readonly argv: readonly string[] };
    try {
      array = write(group, tasks, token);
      await makeDurable(filesOf(array.spooled.directory));
    } catch (error) {
      removeArray(join(spool, token));
      for (const task of tasks) task.finish({ how: 'not-started', message: `its array job could not be written: ${textOf(error)}` });
      return true;
    }
    try {
      return await submitWritten(key, group, tasks, array);
    } catch (error) {
      // When closed, the next invocation looks for it.
      if (closing.signal.aborted) return true;
      giveUp(array.spooled, tasks, error);
      return true;
    }
  }

  /** Something of this machine broke in the middle. Nobody else knows these tasks: who waits for them is told. */
  function giveUp({ directory }: SpooledArray, tasks: readonly BatchTask[], error: unknown): void {
    tryToDeclareVoid(directory);
    const message = `its array job could not be submitted: ${textOf(error)}`;
    for (const task of tasks) if (task.id === null) task.finish({ how: 'not-started', message });
  }

  async function submitWritten(
    key: string,
    group: Group<Site>,
    tasks: readonly BatchTask[],
    { spooled, argv }: { readonly spooled: SpooledArray; readonly argv: readonly string[] },
  ): Promise<boolean> {
    const answer = await commands.submit(argv, pathsOf(spooled.directory).answer);
    submittedAt.push(performance.now());
    switch (answer.how) {
      case 'accepted':
        onTrouble(null);
        // Said of the next array, it is the same warning.
        for (const warning of answer.warnings) onWarning(warning.replaceAll(spooled.directory, '...'));
        chunkLimit *= 2;
        accept(key, spooled, answer.id, tasks);
        return true;
      case 'refused':
        removeArray(spooled.directory);
        for (const task of tasks) task.finish({ how: 'not-started', message: `${engine.name} refused it: ${answer.message}` });
        return true;
      case 'later':
      case 'unclear': {
        onTrouble(answer.message);
        if (answer.how === 'later' && answer.full) {
          chunkLimit = Math.max(1, Math.floor(tasks.length / 2));
          removeArray(spooled.directory);
        } else {
          // A client can give up on a submission that the engine has taken.
          const id = await search(spooled);
          if (id !== null) {
            accept(key, spooled, id, tasks);
            return true;
          }
          declareVoid(spooled.directory);
        }
        for (const task of tasks) {
          if (task.isCancelWanted) task.finish({ how: 'cancelled', usage: { seconds: 0, maxRssBytes: null } });
          else add(task, group.owner);
        }
        return false;
      }
    }
  }

  function write(
    { owner, resources }: Group<Site>,
    tasks: readonly BatchTask[],
    token: string,
  ): { spooled: SpooledArray; argv: readonly string[] } {
    const directory = join(spool, token);
    const paths = pathsOf(directory);
    mkdirSync(directory, { recursive: true });
    const name = arrayName(tasks, token);
    const log = logPlace(paths.log, owner.spec.logDirectory, `caf-${token}`);
    linkLog(paths.log, log);
    const environments = [...new Set(tasks.map(({ submission }) => submission.task.env))];
    const { argv, header, description } = engine.submit({
      name,
      size: tasks.length,
      resources,
      site: owner.site,
      script: paths.script,
      description: paths.description,
      log,
    });
    const script = scriptText({
      header,
      array: directory,
      taskNumber: engine.taskNumber,
      passes: engine.passes,
      environments,
      passesSignalsOn: engine.signalsScriptOnly,
      scratch: owner.spec.scratch,
    });
    const texts = tasks.map((task) => ({
      directory: task.submission.directory,
      token: task.submission.token,
      environment: environments.indexOf(task.submission.task.env),
      ...owner.command(task),
    }));
    const attempts = tasks.map(({ submission }) => submission.token);
    const spooled = writeArray(directory, { engine: engine.name, name, attempts }, { script, tasks: tasksText(texts), description });
    return { spooled, argv };
  }

  function accept(key: string, spooled: SpooledArray, id: string, tasks: readonly BatchTask[]): void {
    backlog.add(key, tasks);
    const array = liveArray(spooled);
    onAccepted(spooled.directory, tasks);
    for (const [number, task] of tasks.entries()) {
      task.accepted(engine.taskId(id, number));
      watcher.watch(task, { array, number });
    }
  }

  /** The id of an array that may have been submitted; null = it was not. Asks until it is sure. */
  async function search(array: SpooledArray): Promise<string | null> {
    const { file } = array;
    for (let answers = 1, tries = 0; ; answers += 1) {
      const queued = await watcher.nextAnswer();
      const found = queued.find(({ name }) => name === file.name);
      if (found !== undefined) return engine.arrayOf(found.id);
      const trace = traceOf(array);
      if (trace.was === 'answered') {
        const answer = engine.readSubmit({ ended: 'ok', exitCode: 0, stdout: trace.answer, stderr: '' });
        if (answer.how === 'accepted') return answer.id;
      }
      if (trace.was === 'open' && trace.isAtWork && trace.ageMs < SUBMITTING_MS) continue;
      if (answers < LEAST_ANSWERS) continue;
      if (engine.history === null) return null;
      const past = await commands.history({ names: [file.name], sinceDays: 30 });
      const done = past?.find(({ name }) => name === file.name);
      if (done !== undefined) return engine.arrayOf(done.id);
      tries += 1;
      // A history that cannot be asked (no accounting here) must not stop everything.
      if (past !== null || tries >= HISTORY_TRIES) return null;
    }
  }

  async function keepRate(perMinute: number): Promise<void> {
    for (;;) {
      const now = performance.now();
      while (submittedAt[0] !== undefined && submittedAt[0] < now - MINUTE_MS) submittedAt.shift();
      const oldest = submittedAt[submittedAt.length - perMinute];
      if (oldest === undefined) return;
      await pause(oldest + MINUTE_MS - now);
      if (closing.signal.aborted) return;
    }
  }

  const pause = (ms: number): Promise<void> => delay(ms, undefined, { signal: closing.signal }).catch(() => undefined);

  function failAll(error: unknown): void {
    if (closing.signal.aborted) return;
    for (const { tasks } of groups.values())
      for (const task of tasks.splice(0)) task.finish({ how: 'not-started', message: textOf(error) });
  }

  return {
    add,
    withdraw(task) {
      for (const { tasks } of groups.values()) {
        const place = tasks.indexOf(task);
        if (place < 0) continue;
        tasks.splice(place, 1);
        return true;
      }
      return false;
    },
    async find(array) {
      try {
        const trace = traceOf(array);
        if (trace.was === 'answered') {
          const answer = engine.readSubmit({ ended: 'ok', exitCode: 0, stdout: trace.answer, stderr: '' });
          if (answer.how === 'accepted') return answer.id;
        }
        const id = trace.was === 'not-submitted' ? null : await search(array);
        if (id === null) declareVoid(array.directory);
        return id;
      } catch (error) {
        if (!closing.signal.aborted) tryToDeclareVoid(array.directory);
        throw error;
      }
    },
    async close() {
      closing.abort();
      if (gatherTimer !== null) clearTimeout(gatherTimer);
      if (laterTimer !== null) clearTimeout(laterTimer);
      await working;
    },
  };
}

/** Where something is broken already. Tasks that begin all the same do so in directories that nobody looks into any more. */
function tryToDeclareVoid(directory: string): void {
  try {
    declareVoid(directory);
  } catch {
    // Perhaps for the same reason, which is told.
  }
}

const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** Readable in the queue, unique, and without characters that mean something to an engine. */
function arrayName(tasks: readonly BatchTask[], token: string): string {
  const { calibration = '', iteration = 0, collection = '' } = tasks[0]?.submission ?? {};
  return `${calibration.slice(0, 30)}.${iteration}.${collection.slice(0, 30)}.caf-${token}`;
}
