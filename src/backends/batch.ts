// Jobs on a batch engine, for all backends of a campaign on the same engine: gathers, submits, watches, cancels and finds again together.
import { rmdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { BatchSpec } from '../domain/calibration.ts';
import type { Emit } from '../domain/event.ts';
import { isEngineJob } from '../domain/job.ts';
import { ENDED_FILE, JOB_FILE, STARTED_FILE } from '../worker/contract.ts';
import type { Backend, JobSubmission, RunningJob } from './backend.ts';
import { createCensus } from './batch-census.ts';
import { createCommands } from './batch-commands.ts';
import { createNotices } from './batch-notices.ts';
import { moduleLines } from './batch-script.ts';
import { isVoid, readArrays, removeArray, type SpooledArray } from './batch-spool.ts';
import { createSubmitter, type Owner } from './batch-submitter.ts';
import { type BatchTask, createTask } from './batch-task.ts';
import { createWatcher, type LiveArray, liveArray } from './batch-watcher.ts';
import type { BatchEngine } from './engine.ts';
import { createRoom, type Room } from './room.ts';
import { withSetup } from './setup-lines.ts';

export interface BatchOptions<Site> {
  readonly engine: BatchEngine<Site>;
  /** Absolute directory for the arrays of this campaign: on a file system that the nodes see. */
  readonly spool: string;
  /** Node and its arguments up to the module of a collector child, as on the nodes. */
  readonly collector: readonly string[];
  /** See LocalBackendOptions. */
  readonly compileCache?: string | undefined;
  /** The least time between two queries of the queue. */
  readonly pollMs: number;
  /** How late the file system may be with what a job has written. */
  readonly settleMs: number;
  readonly emit: Emit;
  /** Before the engine hears of an array: puts its files, and whatever says that its jobs are begun, on the disk for good. Default: they survive a kill, and no loss of power. */
  readonly makeDurable?: (paths: readonly string[]) => Promise<void>;
  /** Default: of this process. */
  readonly env?: NodeJS.ProcessEnv;
}

export interface Batch<Site> {
  backend(spec: BatchSpec, site: Site): Backend;
  /** Leaves all jobs as they are. */
  close(): Promise<void>;
}

const MAX_LOG_BYTES = 2 ** 30;
const CANCEL_GATHER_MS = 50;
const CANCEL_PAUSE_MS = 2000;
const LONGEST_CANCEL_PAUSE_MS = 60_000;
/** Tasks in one command. */
const CANCELLED_AT_ONCE = 2000;

export function createBatch<Site>(options: BatchOptions<Site>): Batch<Site> {
  const { engine, spool, collector, compileCache, pollMs, settleMs, emit, makeDurable, env = process.env } = options;
  const commands = createCommands(engine, env);
  const notices = createNotices(engine, emit);
  const census = createCensus(engine.name, emit);
  const watcher = createWatcher({
    engine,
    commands,
    pollMs,
    settleMs,
    onAnswer(answer) {
      notices.asked(answer === null ? commands.trouble() : null, watcher.tasks());
      census.changed();
    },
    onLog: () => census.changed(),
  });
  const submitter = createSubmitter({
    engine,
    commands,
    watcher,
    spool,
    makeDurable: makeDurable ?? (() => Promise.resolve()),
    onTrouble: notices.submitted,
    onWarning: notices.warned,
    onAccepted: (directory, tasks) => {
      for (const task of tasks) arrayOf.set(task, directory);
      arrays.set(directory, tasks.filter(({ isOver }) => !isOver).length);
      sendCancels();
    },
  });
  /** Arrays of this invocation, each with the number of its tasks that are not over: those with none are removed at the end. */
  const arrays = new Map<string, number>();
  const arrayOf = new WeakMap<BatchTask, string>();
  const toCancel = new Set<BatchTask>();
  let cancelTimer: NodeJS.Timeout | null = null;
  let cancelPauseMs = CANCEL_PAUSE_MS;
  let isClosed = false;

  /** Collections of one backend share its limit, also where they have options of their own. */
  const rooms = new Map<number, Room>();
  const roomFor = (maxJobs: number): Room => {
    const room = rooms.get(maxJobs) ?? createRoom(maxJobs);
    rooms.set(maxJobs, room);
    return room;
  };

  const taskOf = (submission: JobSubmission, owner: object): BatchTask => {
    const task = createTask({
      engine: engine.name,
      submission,
      owner,
      maxLogBytes: MAX_LOG_BYTES,
      onCancel() {
        if (submitter.withdraw(task)) {
          task.finish({ how: 'cancelled', usage: { seconds: 0, maxRssBytes: null } });
          return;
        }
        toCancel.add(task);
        sendCancels();
      },
      onOver(_, end) {
        toCancel.delete(task);
        notices.ended(end);
        census.changed();
        const directory = arrayOf.get(task);
        if (directory !== undefined) arrays.set(directory, (arrays.get(directory) ?? 0) - 1);
      },
    });
    census.add(task);
    return task;
  };

  // --------------------------------------------------------------------------------------------------------------- cancel

  function sendCancels(inMs = CANCEL_GATHER_MS): void {
    if (cancelTimer === null && toCancel.size > 0 && !isClosed) cancelTimer = setTimeout(() => void cancelAll(), inMs);
  }

  /** Together, and again until the engine has heard of it: what was said to nobody was not said. */
  async function cancelAll(): Promise<void> {
    // One whose submission is under way has no id yet: its acceptance leads here again.
    const known = [...toCancel].filter(({ id, isCancelSent }) => id !== null && !isCancelSent).slice(0, CANCELLED_AT_ONCE);
    const arrived = known.length === 0 || (await commands.cancel(known.flatMap(({ id }) => (id === null ? [] : [id]))));
    cancelTimer = null;
    if (!arrived) {
      sendCancels(cancelPauseMs);
      cancelPauseMs = Math.min(LONGEST_CANCEL_PAUSE_MS, cancelPauseMs * 2);
      return;
    }
    cancelPauseMs = CANCEL_PAUSE_MS;
    for (const task of known) task.isCancelSent = true;
    if (known.length > 0) watcher.wish();
    if ([...toCancel].some(({ id, isCancelSent }) => id !== null && !isCancelSent)) sendCancels();
  }

  // ------------------------------------------------------------------------------------------------------------- adoption

  interface Found {
    readonly array: SpooledArray;
    readonly live: LiveArray;
    id: Promise<string | null> | null;
  }
  let spooled: ReadonlyMap<string, { readonly found: Found; readonly number: number }> | null = null;

  /** What is on disk of the array of an attempt. */
  function findSpooled(token: string) {
    // After an unclear answer an attempt is in two of them: the one that was not given up comes last, and counts.
    spooled ??= new Map(
      [...readArrays(spool, engine.name)]
        .sort((a, b) => Number(isVoid(b.directory)) - Number(isVoid(a.directory)))
        .flatMap((array) => {
          const found: Found = { array, live: liveArray(array), id: null };
          return array.file.attempts.map((attempt, number) => [attempt, { found, number }] as const);
        }),
    );
    return spooled.get(token) ?? null;
  }

  function adopt(submission: JobSubmission, owner: object, id: string | null): RunningJob | null {
    const spot = findSpooled(submission.token);
    if (id === null && spot === null) return null;
    const task = taskOf(submission, owner);
    const accept = (known: string) => {
      task.accepted(known);
      watcher.watch(task, spot === null ? null : { array: spot.found.live, number: spot.number });
      sendCancels();
    };
    if (id !== null) accept(id);
    else if (spot !== null) {
      spot.found.id ??= submitter.find(spot.found.array);
      spot.found.id.then(
        (array) => {
          if (array !== null) accept(engine.taskId(array, spot.number));
          else
            task.finish({
              how: 'node-lost',
              detail: 'its caf was killed before it was submitted',
              usage: { seconds: 0, maxRssBytes: null },
            });
        },
        (error: unknown) => {
          // The next invocation asks again.
          if (isClosed) return;
          const why = error instanceof Error ? error.message : String(error);
          task.finish({
            how: 'node-lost',
            detail: `whether it was submitted cannot be found out: ${why}`,
            usage: { seconds: 0, maxRssBytes: null },
          });
        },
      );
    }
    return task.job;
  }

  return {
    backend(spec, site) {
      const room = roomFor(spec.maxJobs);
      const before = [...moduleLines(spec.modules), ...spec.setup];
      const owner: Owner<Site> = {
        spec,
        site,
        command({ submission: { task, directory } }) {
          const setup = [...before, ...task.setup];
          if (task.kind === 'program') return { argv: withSetup(task.argv, setup), ownEnv: task.ownEnv };
          const cache = compileCache === undefined ? {} : { NODE_COMPILE_CACHE: compileCache };
          return { argv: withSetup(collector, setup), ownEnv: { ...cache, CAF_JOB: join(directory, JOB_FILE) } };
        },
      };
      return {
        name: engine.name,
        environment: spec.env,
        window: spec.maxJobs,
        isRemote: true,
        refuses: () => null,
        admit: (_, signal) => room.admit(signal),
        submit(submission) {
          const task = taskOf(submission, owner);
          submitter.add(task, owner);
          return task.job;
        },
        adopt(submission, handle) {
          if (handle !== null && (!isEngineJob(handle) || handle.engine !== engine.name)) return null;
          return adopt(submission, owner, handle?.id ?? null);
        },
        forget(directory) {
          for (const name of [ENDED_FILE, STARTED_FILE]) rmSync(join(directory, name), { force: true });
        },
        // All backends of an engine are closed together.
        close: () => Promise.resolve(),
      };
    },
    async close() {
      isClosed = true;
      if (cancelTimer !== null) clearTimeout(cancelTimer);
      const submitted = submitter.close();
      watcher.close();
      await submitted;
      census.close();
      for (const [directory, left] of arrays) if (left === 0) removeArray(directory);
      removeIfEmpty(spool);
    },
  };
}

function removeIfEmpty(directory: string): void {
  try {
    rmdirSync(directory);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOENT' && code !== 'ENOTEMPTY' && code !== 'EEXIST') throw error;
  }
}
