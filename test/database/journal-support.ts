// What the journal's tests share: a results directory that vanishes, and one entry of each kind.
import { type SpawnOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { onTestFinished } from 'vitest';
import { type Journal, type JournalOptions, openJournal } from '../../src/database/journal.ts';
import { CafError } from '../../src/domain/errors.ts';
import type { ExecutionRecord } from '../../src/domain/execution.ts';
import type { JournalEntry, JournalKind } from '../../src/domain/journal.ts';

export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'caf-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** Closed when the test ends, whatever happens to it. */
export function openForTest(directory: string, options: JournalOptions = {}): Journal {
  const journal = openJournal(directory, options);
  onTestFinished(() => {
    try {
      journal.close();
    } catch {
      // The test has looked at the failure.
    }
  });
  return journal;
}

export const RESOURCES = { cores: 1, memoryBytes: 2_000_000_000, memoryIsSet: false, timeMs: 3_600_000 };
export const FINGERPRINT = { collectors: { 'files:random': 'f1' }, algorithms: { 'options:means': 'o1' }, code: { '/here/fit.ts': 'c1' } };
export const PROCESS = { host: 'login02', bootId: 'boot', pid: 4711, startTicks: 815 };

export const jobKey = (job: number, iteration = 0) => ({ calibration: 'pedestals', iteration, collection: 'random', job });
export const algorithmKey = (iteration = 0) => ({ calibration: 'pedestals', iteration, algorithm: 'means' });

export const execution = (seq: number, result: ExecutionRecord['result'] = 'ok'): ExecutionRecord => ({
  seq,
  runs: [[1, seq + 1]],
  iov: [1, seq + 1, 1, seq + 1],
  result,
  seconds: 0.25,
  payloads: [{ name: 'Pedestals', sha256: 'aa', md5: 'bb', size: 42, mediaType: 'application/json', extension: '.json', iov: null }],
  metadata: { chi2: 1.5 },
  error: result === 'failure' ? 'it threw' : null,
});

/** In an order in which they can happen. */
export const ENTRIES: { readonly [K in JournalKind]: Extract<JournalEntry, { readonly kind: K }> } = {
  'invocation.started': {
    kind: 'invocation.started',
    argv: ['run', '--quiet'],
    version: '0.1.0',
    config: '/here/caf.config.ts',
    actor: 'physicist@login02',
  },
  'calibration.planned': {
    kind: 'calibration.planned',
    calibration: 'pedestals',
    position: 0,
    fingerprint: FINGERPRINT,
    reason: 'never run',
    redo: 'nothing',
  },
  'calibration.state': {
    kind: 'calibration.state',
    calibration: 'pedestals',
    state: 'running_collector',
    checkpoint: 'init',
    iteration: 0,
  },
  'iteration.started': {
    kind: 'iteration.started',
    calibration: 'pedestals',
    iteration: 0,
    chainDigest: 'd1',
    jobs: { random: 2, muons: 1 },
  },
  'attempt.started': {
    kind: 'attempt.started',
    inputs: 'i0',
    ...jobKey(0),
    attempt: 0,
    token: 't0',
    directory: 'pedestals/0/collector/random/0.attempt-0',
    resources: RESOURCES,
  },
  'attempt.spawned': { kind: 'attempt.spawned', ...jobKey(0), attempt: 0, handle: PROCESS },
  'attempt.finished': {
    kind: 'attempt.finished',
    ...jobKey(0),
    attempt: 0,
    outcome: { state: 'succeeded' },
    usage: { seconds: 2.5, maxRssBytes: 1_000_000 },
    warnings: ['a record lies outside'],
  },
  'job.finished': { kind: 'job.finished', ...jobKey(0), attempt: 0, outcome: { state: 'succeeded' } },
  'algorithm.started': { kind: 'algorithm.started', ...algorithmKey(), runs: [[1, 1]] },
  'execution.finished': { kind: 'execution.finished', ...algorithmKey(), execution: execution(0) },
  'result.reported': { kind: 'result.reported', ...algorithmKey(), report: { seq: 0, execution: 0, iov: [1, 1, 1, 3], result: 'ok' } },
  'algorithm.finished': { kind: 'algorithm.finished', ...algorithmKey(), finalState: 'completed', gaps: [[1, 4, 1, 4]], error: null },
  'iteration.committed': {
    kind: 'iteration.committed',
    calibration: 'pedestals',
    iteration: 0,
    versionId: 'v1',
    contentId: 'c1',
    viewId: 'w1',
    outcome: 'ok',
  },
  'calibration.completed': {
    kind: 'calibration.completed',
    calibration: 'pedestals',
    iteration: 0,
    versionId: 'v2',
    contentId: 'c2',
    viewId: 'w2',
    converged: true,
    payloads: 1,
  },
  'invocation.ended': { kind: 'invocation.ended', outcome: 'completed' },
  'calibration.reset': { kind: 'calibration.reset', calibration: 'pedestals', iteration: 0 },
};

/** Everything up to a kind, and it. */
export function entriesUpTo(kind: JournalKind): readonly JournalEntry[] {
  const kinds = Object.keys(ENTRIES) as JournalKind[];
  return kinds.slice(0, kinds.indexOf(kind) + 1).map((each) => ENTRIES[each]);
}

/** The CafError that a call throws; anything else fails the test. */
export function cafErrorOf(call: () => unknown): CafError {
  try {
    call();
  } catch (error) {
    if (error instanceof CafError) return error;
    throw error;
  }
  throw new Error('expected a CafError, but nothing was thrown');
}

const CHILD = join(import.meta.dirname, 'journal-child.ts');

export interface Child {
  readonly pid: number;
  /** The next line of its standard output; rejects when it ends before. */
  nextLine(): Promise<string>;
  /** All lines that were not taken, once it has ended. */
  ended(): Promise<{ readonly signal: NodeJS.Signals | null; readonly code: number | null; readonly lines: readonly string[] }>;
  kill(signal: NodeJS.Signals): void;
  endInput(): void;
}

/** Starts journal-child.ts; killed when the test ends. `wrap` goes before the command (unshare, sh). */
export function startChild(mode: string, directory: string, options: SpawnOptions & { readonly wrap?: readonly string[] } = {}): Child {
  const { wrap = [], env, ...rest } = options;
  const [file = '', ...args] = [...wrap, process.execPath, CHILD, mode, directory];
  const child = spawn(file, args, { ...rest, env: { ...process.env, ...env }, stdio: ['pipe', 'pipe', 'inherit'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  const closed = once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>;
  const lines = createInterface({ input: child.stdout as Readable })[Symbol.asyncIterator]();
  return {
    pid: child.pid as number,
    async nextLine() {
      const { value, done } = await lines.next();
      if (done === true) throw new Error(`the child (${mode}) ended`);
      return value;
    },
    async ended() {
      const rest: string[] = [];
      for (let next = await lines.next(); next.done !== true; next = await lines.next()) rest.push(next.value);
      const [code, signal] = await closed;
      return { code, signal, lines: rest };
    },
    kill: (signal) => void child.kill(signal),
    endInput: () => void child.stdin?.end(),
  };
}
