// `caf doctor --test-job`: which backends get a test job, and what their answers mean for a site.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ENGINES, requireEngines } from '../backends/engines.ts';
import { BACKENDS, callOf, defaultBackend } from '../config/check/check-backend.ts';
import { CONFIG_NAMES } from '../config/find-config.ts';
import type { BackendSpec, LocalSpec } from '../domain/calibration.ts';
import { CafError } from '../domain/errors.ts';
import { nearest } from '../domain/nearest.ts';
import { formatDuration } from '../domain/quantity.ts';
import { failureOf } from '../runners/judge-attempt.ts';
import { runTestJob, type TestJob } from '../runners/test-job.ts';
import { childrenOf } from './children.ts';
import type { Finding } from './doctor.ts';
import type { Io } from './io.ts';
import { readCampaign } from './read-campaign.ts';
import { STOP_SIGNALS, type StopSignal } from './stop-wishes.ts';

export interface TestJobWords {
  /** Of the engine; null = those of the config, or all that are here. */
  readonly engine: string | null;
  /** Whose backends are tried; undefined = the config here, if there is one. */
  readonly config: string | undefined;
  readonly waitMs: number;
}

type EngineSpec = Exclude<BackendSpec, LocalSpec>;

export interface TestPlan {
  readonly backends: readonly EngineSpec[];
  /** The results directory of the config; null = there is no config. */
  readonly results: string | null;
}

/** Throws CafError for an engine that there is not, and for a config with problems. */
export async function planTestJobs({ engine, config }: TestJobWords, io: Io): Promise<TestPlan> {
  const kind = engine === null ? null : kindOf(engine);
  const campaign = config !== undefined || hasConfig(io.cwd) ? await readCampaign({ config }, io) : null;
  const results = campaign?.spec.output ?? null;
  const ofConfig = new Map<string, EngineSpec>();
  for (const { backend } of campaign?.spec.calibrations ?? [])
    if (backend.kind !== 'local' && (kind === null || backend.kind === kind)) ofConfig.set(JSON.stringify(backend), backend);
  if (ofConfig.size > 0) return { backends: [...ofConfig.values()], results };
  const kinds = kind !== null ? [kind] : campaign === null ? await enginesHere(io.env) : [];
  return { backends: kinds.flatMap(byDefault), results };
}

const byDefault = (kind: BackendSpec['kind']): readonly EngineSpec[] => {
  const backend = defaultBackend({ cores: 1, kind });
  return backend.kind === 'local' ? [] : [backend];
};

function kindOf(name: string): EngineSpec['kind'] {
  const kinds = BACKENDS.filter((each) => each !== 'local');
  const kind = kinds.find((each) => each === name);
  if (kind !== undefined) return kind;
  const near = nearest(name, kinds);
  throw new CafError('CAF_USAGE', `--test-job: no engine is called '${name}'`, {
    hint: near === null ? `there is ${kinds.join(', ')}` : `did you mean '${near}'?`,
  });
}

const hasConfig = (cwd: string): boolean => CONFIG_NAMES.some((name) => existsSync(join(cwd, name)));

async function enginesHere(env: NodeJS.ProcessEnv): Promise<readonly EngineSpec['kind'][]> {
  const found: EngineSpec['kind'][] = [];
  for (const { name } of ENGINES) {
    try {
      await requireEngines([name], env);
      found.push(kindOf(name));
    } catch (error) {
      if (!(error instanceof CafError)) throw error;
    }
  }
  return found;
}

export interface TestedJob extends TestJob {
  readonly backend: string;
}

export interface TestedJobs {
  readonly findings: readonly Finding[];
  readonly jobs: readonly TestedJob[];
  /** What the user ended it with, for instance `SIGINT`. */
  readonly signal: StopSignal | null;
}

/** One after the other. A signal cancels the one under way. */
export async function runTestJobs(plan: TestPlan, results: string, waitMs: number, io: Io): Promise<TestedJobs> {
  const asked = new AbortController();
  let signalled: StopSignal | null = null;
  const onSignal = (signal: StopSignal) => {
    signalled ??= signal;
    asked.abort();
  };
  for (const signal of STOP_SIGNALS) process.on(signal, onSignal);
  try {
    return { ...(await testEach(plan, results, waitMs, asked.signal, io)), signal: signalled };
  } finally {
    for (const signal of STOP_SIGNALS) process.off(signal, onSignal);
  }
}

async function testEach(
  { backends }: TestPlan,
  results: string,
  waitMs: number,
  signal: AbortSignal,
  io: Io,
): Promise<Omit<TestedJobs, 'signal'>> {
  if (backends.length === 0) {
    const text = 'none was sent: there is no batch engine here';
    return { findings: [finding('test job', 'warn', text, 'on a login node, or with caf doctor --test-job NAME')], jobs: [] };
  }
  const findings: Finding[] = [];
  const jobs: TestedJob[] = [];
  for (const backend of backends) {
    if (signal.aborted) break;
    const { kind } = backend;
    try {
      await requireEngines([kind], io.env);
      io.stderr.write(`${kind}: sending a test job; it is waited for at most ${formatDuration(waitMs)}, and Ctrl-C cancels it\n`);
      const tell = (text: string) => void io.stderr.write(`${kind}: ${text}\n`);
      const job = await runTestJob({ backend, results, children: childrenOf(import.meta.url), waitMs, signal, tell });
      jobs.push({ backend: kind, ...job });
      findings.push(...judge(backend, job, results));
    } catch (error) {
      const { message, hint = 'see the message' } = error instanceof CafError ? error : { message: String(error) };
      findings.push(finding(`${kind} job`, 'fail', message, hint));
    }
  }
  return { findings, jobs };
}

const finding = (check: string, status: Finding['status'], text: string, hint: string | null = null): Finding => ({
  check,
  status,
  text,
  hint,
});

const CLOCK_TOLERANCE_MS = 5000;

/** In words: `job` the engine's part, the others what the job found on its node. */
function judge({ kind, settleMs }: EngineSpec, job: TestJob, results: string): readonly Finding[] {
  const { id, node, queueMs, filesMs, clockMs, nodeVersion } = job;
  const isDone = job.end?.how === 'exited' && job.end.code === 0;
  if (!isDone) return [failed(kind, job, results)];
  const parts = [
    ...(job.submitMs === null ? [] : [`submitted in ${seconds(job.submitMs)}`]),
    ...(queueMs === null ? [] : [`waited ${seconds(queueMs)}`]),
    ...(job.runMs === null ? [] : [`ran ${seconds(job.runMs)}`]),
    ...(job.noticeMs === null ? [] : [`its end was known ${seconds(job.noticeMs)} later`]),
  ];
  const findings = [finding(`${kind} job`, 'ok', `${id ?? 'it'} on ${node ?? 'a node'}: ${parts.join(', ')}`)];
  if (filesMs !== null) {
    const text = `${results} is shared with ${node}; what a job renames is seen here within ${seconds(filesMs)}`;
    // Half of it is for the days on which the file server is busy.
    const isSlow = filesMs > settleMs / 2;
    const hint = `in the config: ${callOf(kind)}({ ..., fileDelay: '${Math.ceil((filesMs * 3) / 1000)} s' })`;
    findings.push(finding(`${kind} files`, isSlow ? 'warn' : 'ok', text, isSlow ? hint : null));
  }
  if (clockMs !== null && Math.abs(clockMs) > CLOCK_TOLERANCE_MS + (filesMs ?? 0)) {
    const text = `${node} is ${seconds(Math.abs(clockMs))} ${clockMs > 0 ? 'ahead' : 'behind'}`;
    findings.push(finding(`${kind} clock`, 'warn', text, 'caf does not mind; have the clocks synchronised (NTP) for the sake of dates'));
  }
  findings.push(
    nodeVersion === null
      ? finding(
          `${kind} Node`,
          'warn',
          `${process.execPath} does not run on ${node}`,
          'collectors that are programs work; for functions, install Node and caf where the nodes see them under the same path',
        )
      : finding(`${kind} Node`, 'ok', `${nodeVersion} runs on ${node}: functions can be collectors`),
  );
  return findings;
}

function failed(kind: string, { id, end, gaveUp, notices, words, node }: TestJob, results: string): Finding {
  const name = id === null ? 'the test job' : `job ${id}`;
  const said = notices.length === 0 ? '' : `; ${notices.join('; ')}`;
  const check = `${kind} job`;
  if (gaveUp === 'asked') return finding(check, 'warn', `${name} was cancelled${said}`, 'caf doctor --test-job sends another');
  if (gaveUp === 'waited')
    return finding(
      check,
      'warn',
      `${name} did not begin in time, and was cancelled${said}`,
      'wait longer with --wait, or choose another queue',
    );
  if (gaveUp === 'ran' || end === null)
    return finding(check, 'fail', `${name} began on ${node}, and did not come to its end; it was cancelled${said}`, 'look at that node');
  const { detail } = failureOf(end);
  const text = `${name}: ${detail}${words === null || detail.includes(words) ? '' : `: ${words}`}${said}`;
  if (end.how === 'not-started') return finding(check, 'fail', text, 'correct the options of the backend in the config');
  if (node === null && words === null)
    return finding(
      check,
      'fail',
      `${text}; it left nothing in ${results}`,
      'the nodes must see the results directory under the same path: choose another, caf doctor DIR --test-job',
    );
  return finding(check, 'fail', text, 'see what it says, and the setup of the backend in the config');
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(ms < 10_000 ? 1 : 0)} s`;
