// A directory of attempts for backend tests: makes submissions, reads what jobs left, and waits for facts instead of times.
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Backend, JobSubmission, RunningJob } from '../../../src/backends/backend.ts';
import type { Resources } from '../../../src/domain/calibration.ts';
import { isEngineJob, type ProcessIdentity } from '../../../src/domain/job.ts';
import type { JobFile } from '../../../src/worker/contract.ts';

export const RESOURCES: Resources = { cores: 1, memoryBytes: 2e9, memoryIsSet: false, timeMs: 3_600_000 };
export const ENV: Readonly<Record<string, string>> = { PATH: '/usr/local/bin:/usr/bin:/bin' };

export interface ProgramOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly resources?: Partial<Resources>;
}

export interface Rig {
  readonly directory: string;
  program(argv: readonly string[], options?: ProgramOptions): JobSubmission;
  shell(script: string, options?: ProgramOptions): JobSubmission;
  collector(configPath: string, collection: string, options?: ProgramOptions & { readonly file?: Partial<JobFile> }): JobSubmission;
  /** Text of a file of this attempt; null = not there. */
  read(submission: JobSubmission, name: string): string | null;
  /** Waits for a file to have text. */
  appears(submission: JobSubmission, name: string): Promise<string>;
  /** Closed at the end. */
  using(backend: Backend): Backend;
  cleanUp(): Promise<void>;
}

export function createRig(): Rig {
  const directory = mkdtempSync(join(tmpdir(), 'caf-'));
  writeFileSync(join(directory, 'chain.lock.json'), JSON.stringify({ v: 1, databases: [] }));
  const backends: Backend[] = [];
  let jobs = 0;

  const attempt = (resources: Partial<Resources> = {}): Omit<JobSubmission, 'task'> => {
    const job = jobs++;
    const own = join(directory, `${job}.attempt-0`);
    mkdirSync(own);
    const key = { calibration: 'cal', iteration: 0, collection: 'data', job };
    return { ...key, attempt: 0, token: `token-${job}`, directory: own, resources: { ...RESOURCES, ...resources } };
  };

  const rig: Rig = {
    directory,
    program: (argv, { env = ENV, resources } = {}) => ({
      ...attempt(resources),
      task: { kind: 'program', argv, env, ownEnv: {}, setup: [] },
    }),
    shell: (script, options) => rig.program(['/bin/sh', '-c', script], options),
    collector(configPath, collection, { env = ENV, resources, file = {} } = {}) {
      const common = attempt(resources);
      const jobFile: JobFile = {
        v: 1,
        calibration: 'cal',
        collection,
        iteration: 0,
        job: common.job,
        attempt: 0,
        token: common.token,
        runs: [],
        iov: null,
        files: [],
        arguments: [],
        parameters: {},
        data: { records: [], files: [] },
        conditions: join(directory, 'conditions'),
        outputDirectory: common.directory,
        config: configPath,
        chain: join(directory, 'chain.lock.json'),
        ...file,
      };
      writeFileSync(join(common.directory, 'job.json'), JSON.stringify(jobFile));
      return { ...common, collection, task: { kind: 'function', configPath, env, setup: [] } };
    },
    read(submission, name) {
      const path = join(submission.directory, name);
      return existsSync(path) ? readFileSync(path, 'utf8') : null;
    },
    async appears(submission, name) {
      for (;;) {
        const text = rig.read(submission, name);
        if (text?.endsWith('\n')) return text;
        await delay(5);
      }
    },
    using(backend) {
      backends.push(backend);
      return backend;
    },
    async cleanUp() {
      await Promise.all(backends.map((backend) => backend.close()));
      rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
    },
  };
  return rig;
}

/** Which process a job of this machine is. */
export async function processOf(running: RunningJob): Promise<ProcessIdentity> {
  const handle = await running.started;
  if (handle === null || isEngineJob(handle)) throw new Error(`no process of this machine: ${JSON.stringify(handle)}`);
  return handle;
}

/** Whether a process runs; one that has ended but was not collected by its parent does not. */
export function runs(pid: number): boolean {
  try {
    return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

export async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await delay(5);
}
