// Function collectors on the local backend: warm children, their logs, crashes, limits and adoption. The config is a real one.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Backend, JobSubmission } from '../../src/backends/backend.ts';
import { createLocalBackend, type LocalBackendOptions } from '../../src/backends/local.ts';
import { command } from '../../src/config/define.ts';
import { judgeAttempt } from '../../src/runners/judge-attempt.ts';
import type { ResultFile } from '../../src/worker/contract.ts';
import { createRig, ENV, processOf, type Rig, runs, until } from './support/rig.ts';
import { submitAndDie } from './support/submit-and-die.ts';

const childUrl = new URL('../../src/worker/collector-child.ts', import.meta.url);
const launcherUrl = new URL('../../src/backends/launch-child.ts', import.meta.url);
const DEFINE = new URL('../../src/config/define.ts', import.meta.url).href;

const CONFIG = `
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import { defineCalibration, defineConfig } from '${DEFINE}';

const gate = (name) => new Promise((resolve) => {
  const look = () => (existsSync(name) ? resolve() : setTimeout(look, 10));
  look();
});
const collection = (collect) => ({ files: ['none'], collect });

export default defineConfig({ calibrations: [defineCalibration({ name: 'cal', algorithms: [], collections: {
  pid: collection(({ record }) => { record([7, 1], 'pid', process.pid); }),
  context: collection(async (context) => {
    const { files, arguments: words, iteration, outputDirectory, signal, conditions, record } = context;
    const found = await conditions.find({ kind: 'payload', name: 'Nothing', schema: null }, [7, 1]);
    record([7, 1], 'seen', { files, words, iteration, outputDirectory, cwd: process.cwd(), aborted: signal.aborted, found: found === undefined });
    record([8, 2], 'other', 1);
    writeFileSync('hits.csv', 'a,b');
  }),
  output: collection(({ log }) => {
    console.log('console');
    process.stdout.write('write\\n');
    writeSync(1, 'descriptor\\n');
    execFileSync('/bin/sh', ['-c', 'echo child; echo child error >&2'], { stdio: 'inherit' });
    log.warn('few hits', { channel: 7 });
  }),
  abort: collection(() => { console.log('before the crash'); process.abort(); }),
  exits: collection(() => { process.exit(0); }),
  throws: collection(() => { throw new TypeError('no such channel'); }),
  later: collection(() => new Promise(() => { setTimeout(() => { throw new Error('from a timer'); }, 1); })),
  unhandled: collection(async () => { void Promise.reject(new Error('nobody awaits this')); await gate('never'); }),
  never: collection(() => new Promise(() => {})),
  chatters: collection(({ record }) => {
    for (const message of [null, 0, 'x', {}, { type: 'finished' }]) process.send(message);
    record([7, 1], 'chattered', true);
  }),
  nan: collection(({ record }) => { record([7, 1], 'adc', { mean: Number.NaN }); }),
  input: collection(({ files }) => { readFileSync(files[0]); }),
  env: collection(({ record }) => { record([7, 1], 'env', { ...process.env }); }),
  wait: collection(async ({ signal }) => {
    signal.addEventListener('abort', () => writeFileSync('aborted', 'yes'));
    console.log('waiting');
    await gate('go');
  }),
  busy: collection(() => { console.log('busy'); for (;;); }),
} })] });
`;

describe('function collectors', () => {
  let rig: Rig;
  let config: string;
  beforeEach(() => {
    rig = createRig();
    config = join(rig.directory, 'caf.config.mts');
    writeFileSync(config, CONFIG);
  });
  afterEach(() => rig.cleanUp());

  const backendWith = (options: Partial<LocalBackendOptions> = {}): Backend =>
    rig.using(createLocalBackend({ slots: 1, memoryBytes: null, childUrl, launcherUrl, killGraceMs: 2000, ...options }));
  const resultOf = (job: JobSubmission) => JSON.parse(rig.read(job, 'result.json') ?? 'null') as ResultFile;
  const recordsOf = (job: JobSubmission) =>
    (rig.read(job, 'records.ndjson') ?? '')
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line));
  const judge = async (backend: Backend, job: JobSubmission, files: readonly { path: string }[] = []) => {
    const end = await backend.submit(job).ended;
    const spec = { collect: () => undefined, outputs: ['*'], outputsRequired: false };
    return judgeAttempt(end, { spec, token: job.token, directory: job.directory, files }).outcome;
  };

  it('receive their context, and what they record and write is kept', async () => {
    const job = rig.collector(config, 'context', { file: { files: ['/data/a.csv'], arguments: ['x'], iteration: 3, runs: [[7, 1]] } });
    expect(await backendWith().submit(job).ended).toMatchObject({ how: 'exited', code: 0 });
    const seen = { files: ['/data/a.csv'], words: ['x'], iteration: 3, aborted: false, found: true };
    const { directory } = job;
    const first = { run: [7, 1], name: 'seen', value: { ...seen, outputDirectory: directory, cwd: directory } };
    expect(recordsOf(job)).toEqual([first, { run: [8, 2], name: 'other', value: 1 }]);
    expect(rig.read(job, 'hits.csv')).toBe('a,b');
    const { runs: index, ...result } = resultOf(job);
    expect(result).toEqual({
      result: 'ok',
      token: job.token,
      warnings: ['it recorded experiment 8, run 2, which its files do not hold according to `runs`'],
    });
    const bytes = readFileSync(join(directory, 'records.ndjson'));
    const [offset, length] = index?.['8,2']?.[0] ?? [0, 0];
    expect(bytes.toString('utf8', offset, offset + length)).toBe('{"run":[8,2],"name":"other","value":1}\n');
  });

  it('share a warm child, one job after the other; another environment gets another child', async () => {
    const backend = backendWith({ slots: 2 });
    const pids: number[] = [];
    for (const env of [ENV, ENV, { ...ENV, MODE: 'fast' }, ENV]) {
      const job = rig.collector(config, 'pid', { env });
      const running = backend.submit(job);
      await running.ended;
      const { pid } = await processOf(running);
      expect(recordsOf(job)[0].value).toBe(pid);
      pids.push(pid);
    }
    expect(pids[1]).toBe(pids[0]);
    expect(pids[2]).not.toBe(pids[0]);
    expect(pids[3]).toBe(pids[0]);
  });

  it('see exactly the environment they are given', async () => {
    const job = rig.collector(config, 'env', { env: { ...ENV, MODE: 'fast', CAF_JOB: '/of/this/job' } });
    await backendWith().submit(job).ended;
    expect(recordsOf(job)[0].value).toEqual({ ...ENV, MODE: 'fast' });
  });

  it('each have their own logs, with the output of programs they run, on a warm child too', async () => {
    const backend = backendWith();
    for (const job of [rig.collector(config, 'output'), rig.collector(config, 'output')]) {
      await backend.submit(job).ended;
      expect(rig.read(job, 'stdout')).toBe('console\nwrite\ndescriptor\nchild\n');
      expect(rig.read(job, 'stderr')).toMatch(/^child error\n\d\d:\d\d:\d\d\.\d{3} warn {2}few hits {"channel":7}\n$/);
    }
    const silent = rig.collector(config, 'pid');
    await backend.submit(silent).ended;
    expect([rig.read(silent, 'stdout'), rig.read(silent, 'stderr')]).toEqual([null, null]);
  });

  it('that send messages of their own to caf are not listened to', async () => {
    const job = rig.collector(config, 'chatters');
    expect(await backendWith().submit(job).ended).toMatchObject({ how: 'exited', code: 0 });
    expect(recordsOf(job)).toEqual([{ run: [7, 1], name: 'chattered', value: true }]);
  });

  it('that crash cost their own job only, and the crash text is in its log', async () => {
    const backend = backendWith();
    await backend.submit(rig.collector(config, 'pid')).ended;
    const job = rig.collector(config, 'abort');
    expect(await backend.submit(job).ended).toMatchObject({ how: 'signalled', signal: 'SIGABRT' });
    expect(rig.read(job, 'stdout')).toBe('before the crash\n');
    expect(rig.read(job, 'stderr')).toMatch(/stack trace/i);
    expect(await backend.submit(rig.collector(config, 'pid')).ended).toMatchObject({ how: 'exited', code: 0 });
  });

  it('that fail say why, with the place in the config, and their child is not used again', async () => {
    const backend = backendWith();
    const detailOf = async (collection: string) => {
      const outcome = await judge(backend, rig.collector(config, collection));
      return outcome.state === 'failed' ? `${outcome.cause}: ${outcome.detail}` : outcome.state;
    };
    const before = rig.collector(config, 'pid');
    await backend.submit(before).ended;
    expect(await detailOf('throws')).toMatch(/^exit: TypeError: no such channel \(caf\.config\.mts:\d+\)$/);
    const after = rig.collector(config, 'pid');
    await backend.submit(after).ended;
    expect(recordsOf(after)[0].value).not.toBe(recordsOf(before)[0].value);
    expect(await detailOf('exits')).toMatch(/^exit: collect called process\.exit\(0\) \(caf\.config\.mts:\d+\)$/);
    expect(await detailOf('later')).toMatch(/^exit: from a timer \(caf\.config\.mts:\d+\)$/);
    expect(await detailOf('unhandled')).toMatch(/^exit: nobody awaits this \(caf\.config\.mts:\d+\)$/);
    expect(await detailOf('never')).toMatch(/^exit: collect waits for a promise that can never settle/);
    expect(await detailOf('nan')).toMatch(/^exit: mean is NaN, not a finite number/);
    expect(await detailOf('pedestal')).toMatch(/^exit: Calibration cal has no collection pedestal/);
  });

  it("that throw leave the lines of the user's files in their log, none of caf's or Node's", async () => {
    const job = rig.collector(config, 'throws');
    await backendWith().submit(job).ended;
    expect(rig.read(job, 'stderr')).toMatch(/^TypeError: no such channel\n {4}at .*caf\.config\.mts:\d+:\d+\)?\n$/);
    const without = rig.collector(config, 'never');
    await backendWith().submit(without).ended;
    expect(rig.read(without, 'stderr')).toMatch(/^Error: collect waits for a promise that can never settle.*\n {4}at /);
  });

  it('whose input file is gone are not tried again', async () => {
    const path = join(rig.directory, 'gone.csv');
    const outcome = await judge(backendWith(), rig.collector(config, 'input', { file: { files: [path] } }));
    expect(outcome).toMatchObject({ state: 'failed', cause: 'bad-input' });
  });

  it('fail with the words of a config that cannot be loaded', async () => {
    writeFileSync(config, 'export default {');
    const outcome = await judge(backendWith(), rig.collector(config, 'pid'));
    expect(outcome).toMatchObject({ state: 'failed', cause: 'exit', detail: expect.stringContaining('caf.config.mts') });
  });

  it('are told by their signal when they run out of time or are cancelled, and are killed when they do not listen', async () => {
    const slow = rig.collector(config, 'wait', { resources: { timeMs: 600 } });
    // In a child that is warm: the time is not used up by its start, however busy the machine is.
    const backend = backendWith();
    await backend.submit(rig.collector(config, 'pid')).ended;
    expect(await backend.submit(slow).ended).toMatchObject({ how: 'time-limit', limitMs: 600 });
    expect(rig.read(slow, 'aborted')).toBe('yes');
    expect(resultOf(slow)).toMatchObject({ result: 'failure', error: { message: 'it was stopped by SIGTERM' } });
    const busy = rig.collector(config, 'busy');
    const running = backendWith({ killGraceMs: 100 }).submit(busy);
    await rig.appears(busy, 'stdout');
    await running.cancel();
    expect(await running.ended).toMatchObject({ how: 'cancelled' });
    expect(runs((await processOf(running)).pid)).toBe(false);
  });

  it('finish their job when caf is killed, then exit, and are adopted by the next invocation', async () => {
    const job = rig.collector(config, 'wait');
    const identity = await submitAndDie(rig, job, 'stdout');
    const adopted = backendWith().adopt(job, identity);
    expect(adopted).not.toBeNull();
    writeFileSync(join(job.directory, 'go'), '');
    expect(await adopted?.ended).toMatchObject({ how: 'exited', code: 0 });
    expect(resultOf(job)).toMatchObject({ result: 'ok', token: job.token });
    await until(() => !runs(identity.pid));
  });

  it('live on when the backend is closed, while idle children exit', async () => {
    const backend = backendWith({ slots: 2 });
    const job = rig.collector(config, 'wait');
    const busy = backend.submit(job);
    const idle = backend.submit(rig.collector(config, 'pid'));
    await Promise.all([idle.ended, rig.appears(job, 'stdout')]);
    await backend.close();
    expect(runs((await processOf(idle)).pid)).toBe(false);
    expect(runs((await processOf(busy)).pid)).toBe(true);
    writeFileSync(join(job.directory, 'go'), '');
    await until(() => existsSync(join(job.directory, 'result.json')));
  });

  it('are replaced after 100 jobs', async () => {
    const backend = backendWith();
    const pids = new Set<number>();
    for (let index = 0; index < 101; index++) {
      const running = backend.submit(rig.collector(config, 'pid'));
      await running.ended;
      pids.add((await processOf(running)).pid);
    }
    expect(pids.size).toBe(2);
  });

  it('are told apart from programs by what collect is', () => {
    mkdirSync(join(rig.directory, 'attempt'));
    const end = { how: 'exited', code: 0, usage: { seconds: 1, maxRssBytes: null } } as const;
    const facts = { token: 't', directory: join(rig.directory, 'attempt'), files: [] };
    const outputs = { outputs: ['*'], outputsRequired: false };
    expect(judgeAttempt(end, { ...facts, spec: { ...outputs, collect: command(['true']) } }).outcome.state).toBe('succeeded');
    expect(judgeAttempt(end, { ...facts, spec: { ...outputs, collect: () => 0 } }).outcome.state).toBe('failed');
  });
});
