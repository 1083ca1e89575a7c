// A temporary results directory with collected data, and a real strategy child run on it.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll } from 'vitest';
import type { AlgorithmListener, AlgorithmOutcome, AlgorithmsRunner, StrategyJob } from '../../src/domain/algorithms-runner.ts';
import type { ExecutionRecord, ReportedResult } from '../../src/domain/execution.ts';
import type { Iov, Run } from '../../src/domain/iov.ts';
import type { StoredPayload } from '../../src/domain/payload.ts';
import { objectPath } from '../../src/payloads/store.ts';
import { createForkedAlgorithmsRunner, type ForkedAlgorithmsRunnerOptions } from '../../src/runners/forked-algorithms-runner.ts';
import type { ChainLock, CollectedJob } from '../../src/worker/contract.ts';

/** Compiled once for all children of a test file. */
export const compileCache = mkdtempSync(join(tmpdir(), 'caf-'));
afterAll(() => rmSync(compileCache, { recursive: true, force: true }));

export const CHILD = new URL('../../src/worker/strategy-child.ts', import.meta.url);
const DEFINE = new URL('../../src/config/define.ts', import.meta.url).href;
const STRATEGIES = new URL('../../src/strategies/', import.meta.url).href;

/** For configs that check their payloads: without it a child starts faster. */
export const ZOD = `import * as z from '${pathToFileURL(createRequire(import.meta.url).resolve('zod')).href}';\n`;

/** Imports that a config of a test begins with. */
export const PRELUDE = `
import { appendFileSync, writeFileSync } from 'node:fs';
import { spawn, spawnSync } from 'node:child_process';
import { command, defineCalibration, defineConfig, definePayload, defineStrategy } from '${DEFINE}';
import { singleIov } from '${STRATEGIES}single-iov.ts';
import { simpleRunByRun } from '${STRATEGIES}simple-run-by-run.ts';
import { sequentialRunByRun } from '${STRATEGIES}sequential-run-by-run.ts';
import { sequentialBoundaries } from '${STRATEGIES}sequential-boundaries.ts';
const files = { files: ['*.csv'], runs: /(?<experiment>\\d+)-(?<run>\\d+)/, collect: () => undefined };
const anything = { '~standard': { version: 1, vendor: 'test', validate: (value) => ({ value }) } };
const Mean = definePayload('Mean', anything);
const Table = definePayload('Table');
`;

export interface Story {
  readonly outcome: AlgorithmOutcome;
  readonly ready: readonly Run[] | null;
  readonly started: readonly number[];
  readonly executions: readonly ExecutionRecord[];
  readonly reports: readonly ReportedResult[];
  readonly warnings: readonly string[];
  /** What happened, in order. */
  readonly order: readonly string[];
}

export interface RunOptions extends Partial<Pick<StrategyJob, 'requestedIov' | 'ignoredRuns' | 'recorded' | 'iteration'>> {
  readonly executionTimeLimitMs?: number;
  readonly memoryLimitBytes?: number;
  readonly signal?: AbortSignal;
  readonly stopping?: AbortSignal;
  readonly env?: Readonly<Record<string, string>>;
  readonly runner?: Partial<ForkedAlgorithmsRunnerOptions>;
  /** Instead of the forked one. */
  readonly using?: AlgorithmsRunner;
  readonly chain?: ChainLock;
  readonly on?: Partial<AlgorithmListener>;
}

export interface Bench {
  readonly root: string;
  readonly objects: string;
  /** Makes this the config; what follows the prelude. */
  writeConfig(body: string): void;
  /** One calibration, \`cal\`, whose only algorithm \`alg\` has these options. */
  writeAlgorithm(options: string, before?: string): void;
  /** Adds a finished job; records in the order given. */
  addJob(
    records: readonly (readonly [Run, string, unknown])[],
    more?: Partial<Pick<CollectedJob, 'collection' | 'fileRuns'>> & { readonly files?: Readonly<Record<string, string>> },
  ): CollectedJob;
  forgetJobs(): void;
  job(calibration?: string, options?: RunOptions): StrategyJob;
  run(options?: RunOptions, calibration?: string): Promise<Story>;
  directory(calibration?: string): string;
  /** What was stored, decoded. */
  value(payload: StoredPayload | undefined): unknown;
  remove(): void;
}

export function createBench(): Bench {
  const root = mkdtempSync(join(tmpdir(), 'caf-'));
  const configPath = join(root, 'caf.config.ts');
  const objects = join(root, 'objects');
  const dataFile = join(root, 'data.ndjson');
  const jobs: CollectedJob[] = [];
  mkdirSync(objects);
  mkdirSync(join(root, 'conditions'));
  const directory = (calibration = 'cal'): string => join(root, calibration, '0', 'algorithms', 'alg');

  const bench: Bench = {
    root,
    objects,
    writeConfig: (body) => writeFileSync(configPath, PRELUDE + body),
    writeAlgorithm: (options, before = '') =>
      bench.writeConfig(
        `${before}\nexport default defineConfig({ calibrations: [defineCalibration({ name: 'cal', collections: { files }, algorithms: [{ name: 'alg', ${options} }] })] });\n`,
      ),
    addJob(records, more = {}) {
      const job = jobs.length;
      const own = join(root, 'collected', String(job));
      mkdirSync(own, { recursive: true });
      if (records.length > 0) {
        writeFileSync(
          join(own, 'records.ndjson'),
          records.map(([run, name, value]) => `${JSON.stringify({ run, name, value })}\n`).join(''),
        );
      }
      for (const [name, text] of Object.entries(more.files ?? {})) writeFileSync(join(own, name), text);
      const collected: CollectedJob = {
        collection: more.collection ?? 'files',
        job,
        directory: own,
        outputs: Object.keys(more.files ?? {}).sort(),
        fileRuns: more.fileRuns ?? [],
      };
      jobs.push(collected);
      return collected;
    },
    forgetJobs: () => {
      jobs.length = 0;
    },
    job(
      calibration = 'cal',
      { requestedIov = null, ignoredRuns = [], recorded = [], iteration = 0, chain = { v: 1, databases: [] } } = {},
    ) {
      writeFileSync(dataFile, jobs.map((job) => `${JSON.stringify(job)}\n`).join(''));
      const chainFile = join(root, 'chain.lock.json');
      writeFileSync(chainFile, JSON.stringify(chain));
      return {
        configPath,
        calibration,
        algorithm: 'alg',
        iteration,
        directory: directory(calibration),
        objects,
        dataFile,
        chain: chainFile,
        conditions: join(root, 'conditions'),
        requestedIov,
        ignoredRuns,
        container: null,
        recorded,
      };
    },
    async run(options = {}, calibration = 'cal') {
      const runner = options.using ?? createForkedAlgorithmsRunner({ childUrl: CHILD, killGraceMs: 500, compileCache, ...options.runner });
      const { on = {} } = options;
      let ready: readonly Run[] | null = null;
      const started: number[] = [];
      const executions: ExecutionRecord[] = [];
      const reports: ReportedResult[] = [];
      const warnings: string[] = [];
      const order: string[] = [];
      const outcome = await runner.run(
        {
          job: bench.job(calibration, options),
          executionTimeLimitMs: options.executionTimeLimitMs ?? 60_000,
          memoryLimitBytes: options.memoryLimitBytes ?? null,
          stopping: options.stopping ?? new AbortController().signal,
          env: { ...(process.env as Record<string, string>), ...options.env },
        },
        {
          ready: (runs) => {
            ready = runs;
            order.push('ready');
            on.ready?.(runs);
          },
          executionStarted: (seq: number, runs: readonly Run[], iov: Iov) => {
            started.push(seq);
            order.push(`started ${seq}`);
            on.executionStarted?.(seq, runs, iov);
          },
          executionFinished: (execution) => {
            executions.push(execution);
            order.push(`finished ${execution.seq}`);
            on.executionFinished?.(execution);
          },
          resultReported: (report) => {
            reports.push(report);
            order.push(`reported ${report.seq}`);
            on.resultReported?.(report);
          },
          warning: (message) => {
            warnings.push(message);
            on.warning?.(message);
          },
        },
        options.signal ?? new AbortController().signal,
      );
      return { outcome, ready, started, executions, reports, warnings, order };
    },
    directory,
    value: (payload) => JSON.parse(readFileSync(objectPath(objects, payload?.sha256 ?? ''), 'utf8')),
    remove: () => rmSync(root, { recursive: true, force: true }),
  };
  return bench;
}
