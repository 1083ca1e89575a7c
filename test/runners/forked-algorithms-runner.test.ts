// The real child process under the real runner: every way an algorithm can end, and what survives it.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  watch,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { describeDatabase } from '../../src/database/chain.ts';
import { publishDatabase } from '../../src/database/publish.ts';
import type { TransactionInput } from '../../src/database/types.ts';
import type { ExecutionRecord } from '../../src/domain/execution.ts';
import { runWithoutFiles } from '../backends/support/without-files.ts';
import { type Bench, CHILD, createBench, type Story, ZOD } from './strategy-bench.ts';

/** A shell script as a program, as it is written in a config. */
const shell = (script: string, ...rest: readonly string[]): string => `command(${JSON.stringify(['sh', '-c', script, ...rest])})`;
const answer = (result: unknown): string => `echo '${JSON.stringify(result)}' > result.json`;

const TRANSACTION: TransactionInput = {
  at: '2026-01-01T00:00:00Z',
  actor: 'ann@node',
  calibration: 'cal',
  algorithm: 'alg',
  iteration: 0,
  attempt: null,
  collectorJob: null,
  inputsDigest: null,
  codeDigest: null,
  configDigest: null,
  message: '',
};

let bench: Bench;
beforeEach(() => {
  bench = createBench();
});
afterEach(() => bench.remove());

describe('an algorithm that works', () => {
  it('tells ready, started, finished, reported in this order, and leaves its payload in the store', async () => {
    bench.addJob([
      [[7, 1], 'adc', 1],
      [[7, 2], 'adc', 3],
    ]);
    bench.writeAlgorithm(`run: async ({ data, commit }) => {
      const values = [];
      for await (const { value } of data.records('adc')) values.push(value);
      commit(Mean, { mean: values });
      return 'ok';
    }`);
    const story = await bench.run();
    expect(story.outcome).toEqual({ finalState: 'completed', gaps: null, error: null });
    expect(story.order).toEqual(['ready', 'started 0', 'finished 0', 'reported 0']);
    expect(story.executions[0]).toMatchObject({ seq: 0, iov: [7, 1, 7, 2], result: 'ok', error: null });
    expect(bench.value(story.executions[0]?.payloads[0])).toEqual({ mean: [1, 3] });
  });

  it('has the directory of the algorithm as working directory, which keeps its files but no empty logs', async () => {
    bench.addJob([[[7, 1], 'adc', 1]]);
    bench.writeAlgorithm(`run: ({ commit }) => { writeFileSync('plot.txt', 'x'); commit(Mean, { mean: [] }); return 'ok'; }`);
    await bench.run();
    expect(readdirSync(bench.directory())).toEqual(['plot.txt']);
  });

  it('calls setup once, before ready, with the data of all selected runs', async () => {
    bench.addJob([
      [[7, 1], 'adc', 1],
      [[7, 2], 'adc', 3],
    ]);
    bench.writeAlgorithm(`strategy: simpleRunByRun(),
      setup: async ({ data }) => { for await (const { run } of data.records('adc')) appendFileSync('setup', JSON.stringify(run) + JSON.stringify(data.runs)); },
      run: ({ commit, runs }) => { commit(Mean, { mean: [runs.length] }); return 'ok'; }`);
    const story = await bench.run();
    expect(story.reports).toHaveLength(2);
    expect(readFileSync(join(bench.directory(), 'setup'), 'utf8')).toBe('[7,1][[7,1],[7,2]][7,2][[7,1],[7,2]]');
  });

  it('sees only the records and files of the runs of its execution', async () => {
    bench.addJob([[[7, 1], 'adc', 'one']], { files: { 'a.root': '' } });
    bench.addJob([[[7, 2], 'adc', 'two']], { files: { 'b.root': '', 'b.txt': '' } });
    bench.writeAlgorithm(`strategy: simpleRunByRun(), run: async ({ data, commit, runs }) => {
      const seen = [];
      for await (const { value } of data.records('adc')) seen.push(value);
      commit(Mean, { runs, seen, files: data.files('*.root').map((path) => path.split('/').at(-1)) });
      return 'ok';
    }`);
    const story = await bench.run();
    expect(story.executions.map((execution) => bench.value(execution.payloads[0]))).toEqual([
      { runs: [[7, 1]], seen: ['one'], files: ['a.root'] },
      { runs: [[7, 2]], seen: ['two'], files: ['b.root'] },
    ]);
  });

  it('that sends messages of its own to caf is not listened to, and warned', async () => {
    bench.addJob([[[7, 1], 'adc', 1]]);
    bench.writeAlgorithm(`run: ({ commit }) => {
      for (const message of [null, 0, 'x', {}, { type: 'unfinished' }]) process.send(message);
      commit(Mean, { mean: [1] });
      return 'ok';
    }`);
    const { outcome, warnings } = await bench.run();
    expect(outcome).toEqual({ finalState: 'completed', gaps: null, error: null });
    expect(warnings).toEqual(
      ['null', '0', '"x"', '{}', '{"type":"unfinished"}'].map((text) => `alg sent a message that means nothing to caf: ${text}`),
    );
  });

  it('that commits nothing ends well with a warning', async () => {
    bench.addJob([[[7, 1], 'adc', 1]]);
    bench.writeAlgorithm(`run: () => 'ok'`);
    const story = await bench.run();
    expect(story.outcome.finalState).toBe('completed');
    expect(story.warnings).toEqual(['alg ended well but committed no payload (CAF_NO_PAYLOADS).']);
  });

  it('queues nothing when it says not-enough-data', async () => {
    bench.addJob([[[7, 1], 'adc', 1]]);
    bench.writeAlgorithm(`run: ({ commit }) => { commit(Mean, { mean: [1] }); return 'not-enough-data'; }`);
    const story = await bench.run();
    expect(story.executions[0]).toMatchObject({ result: 'not-enough-data', payloads: [], error: null });
    expect(readdirSync(bench.objects)).toEqual([]);
    expect(story.outcome.finalState).toBe('failed');
  });

  it('runs once over everything where nobody knows any run: no collections', async () => {
    bench.writeConfig(
      `export default defineConfig({ calibrations: [defineCalibration({ name: 'cal', collections: {}, algorithms: [{ name: 'alg', run: ({ runs, iov, commit }) => { commit(Mean, { runs, iov }); return 'ok'; } }] })] });`,
    );
    const story = await bench.run();
    expect(story.executions[0]).toMatchObject({ runs: [], iov: [0, 0, -1, -1], result: 'ok' });
  });

  it('asks findBoundaries where the strategy wants it', async () => {
    bench.addJob([1, 2, 3, 4].map((run) => [[7, run], 'adc', run]));
    bench.writeAlgorithm(`strategy: sequentialBoundaries(), findBoundaries: ({ runs }) => [runs[2]],
      run: ({ commit, runs }) => { commit(Mean, { runs }); return 'ok'; }`);
    const story = await bench.run();
    expect(story.reports.map(({ iov }) => iov)).toEqual([
      [7, 1, 7, 2],
      [7, 3, 7, 4],
    ]);
  });
});

describe('conditions', () => {
  it('are those of the locked chain: for functions by name and run, for programs as parameters', async () => {
    bench.addJob([[[7, 1], 'adc', 1]]);
    bench.writeAlgorithm(
      `run: ({ commit }) => { commit(Mean, { mean: [5] }); commit(Parameters, { threshold: 0.5 }, { iov: [0, 0, -1, -1] }); return 'ok'; }`,
      `const Parameters = definePayload('parameters', anything);`,
    );
    const [made] = (await bench.run()).executions;
    const database = await publishDatabase(
      {
        entries: (made?.payloads ?? []).map((payload) => ({ payload, iov: payload.iov ?? [7, 1, 7, 1], transaction: 0 })),
        transactions: [TRANSACTION],
        parents: [],
        chain: null,
      },
      { directory: join(bench.root, 'localdb'), objects: bench.objects },
    );
    const chain = { v: 1, databases: [describeDatabase(database.directory)] } as const;

    bench.writeAlgorithm(`run: async ({ conditions, commit }) => {
      commit(Mean, { mean: (await conditions.get(Mean, [7, 1])).mean, later: (await conditions.find(Mean, [7, 2])) ?? null });
      await conditions.get(Mean, [7, 2]);
      return 'ok';
    }`);
    expect((await bench.run({ chain })).executions[0]?.error).toMatch(
      /^No payload Mean is valid for experiment 7, run 2: .* \(caf\.config\.ts:\d+\)$/,
    );
    bench.writeAlgorithm(`run: ${shell(`echo "$0"; ${answer({ result: 'ok' })}`, '{parameters.threshold}')}`);
    const [execution] = (await bench.run({ chain })).executions;
    expect(execution?.error).toBeNull();
    expect(readFileSync(join(bench.directory(), 'execution-0', 'stdout'), 'utf8')).toBe('0.5\n');
    expect(JSON.parse(readFileSync(join(bench.directory(), 'execution-0', 'job.json'), 'utf8')).parameters).toEqual({ threshold: 0.5 });
  });
});

describe('large data', () => {
  it('200 MB of records and a file payload of 200 MB pass through with little memory', async () => {
    const job = bench.addJob([]);
    const file = openSync(join(job.directory, 'records.ndjson'), 'w');
    const line = `${JSON.stringify({ run: [7, 1], name: 'adc', value: { channel: 12, samples: Array.from({ length: 30 }, (_, n) => n * 17) } })}\n`;
    const block = line.repeat(Math.floor(1e6 / line.length));
    for (let n = 0; n < 200; n += 1) writeSync(file, block);
    closeSync(file);
    writeFileSync(join(job.directory, 'result.json'), JSON.stringify({ result: 'ok', runs: { '7,1': [[0, block.length * 200]] } }));
    bench.writeAlgorithm(
      `run: async ({ data, commit, commitFile }) => {
      let n = 0;
      for await (const { value } of data.records('adc')) n += value.samples.length;
      const file = fs.openSync('big.h5', 'w');
      fs.ftruncateSync(file, 200e6);
      fs.closeSync(file);
      await commitFile(Table, 'big.h5');
      commit(Mean, { n, maxRssBytes: process.resourceUsage().maxRSS * 1024 });
      return 'ok';
    }`,
      `import * as fs from 'node:fs';`,
    );
    const story = await bench.run();
    const { n, maxRssBytes } = bench.value(story.executions[0]?.payloads[1]) as { n: number; maxRssBytes: number };
    expect(n).toBe(30 * 200 * Math.floor(1e6 / line.length));

    expect(maxRssBytes).toBeLessThan(250e6);
    expect(story.executions[0]?.payloads[0]).toMatchObject({ name: 'Table', size: 200e6 });
  }, 60_000);
});

describe('runs', () => {
  const ask = async (options: Parameters<Bench['run']>[0]): Promise<Story> => {
    bench.addJob([1, 2, 3].map((run) => [[7, run], 'adc', run]));
    bench.writeAlgorithm(`run: ({ commit, runs }) => { commit(Mean, { runs }); return 'ok'; }`);
    return bench.run(options);
  };

  it('outside the requested interval and ignored ones are left out', async () => {
    const story = await ask({ requestedIov: [7, 2, -1, -1], ignoredRuns: [[7, 2]] });
    expect(story.ready).toEqual([[7, 3]]);
  });

  it('when none is left the message says how many there were and why', async () => {
    const story = await ask({
      requestedIov: [7, 2, -1, -1],
      ignoredRuns: [
        [7, 2],
        [7, 3],
      ],
    });
    expect(story.outcome.error).toMatchObject({
      code: 'CAF_NO_RUNS',
      message: 'No data run is left for alg: of 3 collected (7,1 to 7,3), 1 outside the requested interval 7,2,-1,-1 and 2 ignored.',
    });
    expect(story.order).toEqual([]);
  });

  it('when no job knows a run the message says so', async () => {
    bench.addJob([]);
    bench.writeAlgorithm(`run: () => 'ok'`);
    const { outcome } = await bench.run();
    expect(outcome.error).toMatchObject({
      code: 'CAF_NO_RUNS',
      message: 'No data run is left for alg: 1 jobs were collected, and none knows a run.',
    });
  });
});

describe('an execution that goes wrong is a failure with its reason', () => {
  const failures: readonly (readonly [title: string, run: string, error: string | RegExp])[] = [
    ['throws', `() => {\n throw new Error('no peak'); }`, /^no peak \(caf\.config\.ts:\d+\)$/],
    ['rejects', `async () => { await null; throw new TypeError('bad fit'); }`, /^TypeError: bad fit \(caf\.config\.ts:\d+\)$/],
    ['throws a text', `() => { throw 'oops'; }`, 'it threw "oops", which is no Error'],
    ['returns nothing', `() => {}`, 'it returned undefined; expected one of ok, iterate, not-enough-data, failure'],
    ['returns an unknown word', `() => 'fine'`, 'it returned "fine"; expected one of ok, iterate, not-enough-data, failure'],
    ['calls process.exit', `() => process.exit(3)`, /^run called process\.exit\(3\) \(caf\.config\.ts:\d+\)$/],
    [
      'calls process.exit within try',
      `async () => { try { process.exit(3); } catch { await new Promise(() => {}); } }`,
      /^run called process\.exit\(3\)/,
    ],
    ['throws in a timer', `() => new Promise(() => setTimeout(() => { throw new Error('late'); }, 1))`, /^late \(caf/],
    ['forgets a rejected promise', `() => new Promise(() => void Promise.reject(new Error('lost')))`, /^lost \(caf/],
    [
      'commits NaN',
      `({ commit }) => { commit(Mean, { mean: [1, NaN] }); return 'ok'; }`,
      /^Mean cannot be stored: mean\[1\] is NaN, not a finite number \(caf\.config\.ts:\d+\)$/,
    ],
    ['commits undefined', `({ commit }) => { commit(Mean, { mean: undefined }); return 'ok'; }`, /mean is undefined/],
    ['commits a circle', `({ commit }) => { const a = {}; a.a = a; commit(Mean, a); return 'ok'; }`, /a contains itself/],
    ['commits a BigInt', `({ commit }) => { commit(Mean, 1n); return 'ok'; }`, /the BigInt 1n/],
    [
      'commits twice',
      `({ commit }) => { commit(Mean, { mean: [1] }); commit(Mean, { mean: [2] }); return 'ok'; }`,
      /^Mean was committed twice with different values for 7,\d+,7,\d+\./,
    ],
    [
      'commits under a wrong name',
      `({ commit }) => { commit('Maen', { mean: [1] }); return 'ok'; }`,
      /^No payload named Maen is defined\. Did you mean Mean\?/,
    ],
    ['commits a reversed interval', `({ commit }) => { commit(Mean, { mean: [1] }, { iov: [7, 2, 7, 1] }); return 'ok'; }`, /7/],
    [
      'commits a file that is not there',
      `async ({ commitFile }) => { await commitFile(Table, 'no.root'); return 'ok'; }`,
      /^The file of Table, "no\.root", does not exist/,
    ],
    [
      'commits a file outside',
      `async ({ commitFile }) => { await commitFile(Table, '/etc/passwd'); return 'ok'; }`,
      /lies outside its directory, at \/etc\/passwd/,
    ],
    ['does not wait for a file that fails', `({ commitFile }) => { commitFile(Table, 'no.root'); return 'ok'; }`, /does not exist/],
  ];
  it('in every way we know of, and the next execution runs', async () => {
    bench.addJob([...failures.keys(), failures.length].map((run) => [[7, run], 'adc', 1]));
    bench.writeAlgorithm(
      `strategy: simpleRunByRun(), run: (context) => context.runs[0][1] === cases.length ? 'ok' : cases[context.runs[0][1]](context)`,
      `const cases = [${failures.map(([, run]) => run).join(',\n')}];`,
    );
    const story = await bench.run();
    expect(story.outcome).toMatchObject({ finalState: 'failed', error: null });
    expect(story.executions.at(-1)?.result).toBe('ok');
    expect(story.executions).toHaveLength(failures.length + 1);
    for (const [position, [title, , error]] of failures.entries()) {
      const execution = story.executions[position];
      expect(execution?.result, title).toBe('failure');
      if (typeof error === 'string') expect(execution?.error, title).toBe(error);
      else expect(execution?.error, title).toMatch(error);
      expect(execution?.payloads, title).toEqual([]);
    }
  });

  it('a schema mismatch names the place inside the payload', async () => {
    bench.addJob([[[7, 1], 'adc', 1]]);
    bench.writeAlgorithm(
      `run: ({ commit }) => { commit(Gain, { channels: [{ gain: 1 }, { gain: 'x' }] }); return 'ok'; }`,
      `${ZOD}const Gain = definePayload('Gain', z.object({ channels: z.array(z.object({ gain: z.number() })) }));`,
    );
    const [execution] = (await bench.run()).executions;
    expect(execution?.error).toMatch(/^Gain does not match its schema: channels\[1\]\.gain: .*number.* \(caf\.config\.ts:\d+\)$/);
  });

  it('an asynchronous schema is refused in words', async () => {
    bench.addJob([[[7, 1], 'adc', 1]]);
    bench.writeAlgorithm(
      `run: ({ commit }) => { commit(Slow, 1); return 'ok'; }`,
      `const Slow = definePayload('Slow', { '~standard': { version: 1, vendor: 'test', validate: async (value) => ({ value }) } });`,
    );
    const [execution] = (await bench.run()).executions;
    expect(execution?.error).toContain('The schema of Slow checks asynchronously');
  });

  it('the same value twice is fine, and so is another interval', async () => {
    bench.addJob([[[7, 1], 'adc', 1]]);
    bench.writeAlgorithm(`run: ({ commit }) => {
      commit(Mean, { mean: [1] }); commit(Mean, { mean: [1] }); commit(Mean, { mean: [1] }, { iov: [7, 1, 7, 1] }); commit(Mean, { mean: [2] }, { iov: [7, 2, 7, 2] });
      return 'ok'; }`);
    const [execution] = (await bench.run()).executions;
    expect(execution?.payloads.map(({ iov }) => iov)).toEqual([null, [7, 2, 7, 2]]);
  });

  it('a damaged line of a collector ends the algorithm with file and line', async () => {
    const job = bench.addJob([[[7, 1], 'adc', 1]]);
    appendFileSync(join(job.directory, 'records.ndjson'), '{"run": [7, 2], "na');
    bench.writeAlgorithm(`run: () => 'ok'`);
    const { outcome } = await bench.run();
    expect(outcome.error?.code).toBe('CAF_RECORDS_DAMAGED');
    expect(outcome.error?.message).toContain(`Line 2 of ${join(job.directory, 'records.ndjson')} cannot be read`);
  });

  it('an object store that cannot be written is no result of the algorithm: the execution is not recorded', async () => {
    bench.addJob([[[7, 1], 'adc', 1]]);
    rmSync(bench.objects, { recursive: true });
    writeFileSync(bench.objects, 'in the way');
    bench.writeAlgorithm(`run: ({ commit }) => { commit(Mean, { mean: [1] }); return 'ok'; }`);
    const story = await bench.run();
    expect(story.executions).toEqual([]);
    expect(story.outcome.finalState).toBe('failed');
    expect(story.outcome.error?.message).toContain('objects');
  });

  it('a failing setup ends the algorithm with its reason', async () => {
    bench.addJob([[[7, 1], 'adc', 1]]);
    bench.writeAlgorithm(`setup: () => { throw new Error('no geometry'); }, run: () => 'ok'`);
    const { outcome, order } = await bench.run();
    expect(outcome.error?.code).toBe('CAF_ALGORITHM_SETUP');
    expect(outcome.error?.message).toMatch(/^setup of alg failed: no geometry \(caf\.config\.ts:\d+\)$/);
    expect(order).toEqual([]);
  });
});

describe('a child that dies', () => {
  beforeEach(
    () =>
      void bench.addJob([
        [[7, 1], 'adc', 1],
        [[7, 2], 'adc', 2],
      ]),
  );

  it('of a signal is told with the signal, the execution and its last words', async () => {
    bench.writeAlgorithm(`strategy: simpleRunByRun(), run: ({ runs, commit }) => {
      if (runs[0][1] === 1) { commit(Mean, { mean: [1] }); return 'ok'; }
      process.stderr.write('about to fall\\n'); process.kill(process.pid, 'SIGSEGV'); return new Promise(() => {}); }`);
    const story = await bench.run();
    expect(story.outcome).toMatchObject({ finalState: 'failed', gaps: null });
    expect(story.outcome.error).toMatchObject({
      code: 'CAF_ALGORITHM_CRASHED',
      message: 'The child process was ended by SIGSEGV during execution 1 of alg (run 7,2). Its last words: about to fall',
    });
    expect(story.executions).toHaveLength(1);
  });

  it('by leaving the channel is told with its exit', async () => {
    bench.writeAlgorithm(`run: () => { process.reallyExit(7); }`);
    const { outcome } = await bench.run();
    expect(outcome.error?.message).toBe(
      'The child process ended with exit code 7 during execution 0 of alg (2 runs, 7,1 to 7,2), without a result.',
    );
  });

  it('of a hang is ended at the time limit, with what it started', async () => {
    bench.writeAlgorithm(`run: () => { const sleep = spawn('sleep', ['1000']); writeFileSync('pid', String(sleep.pid)); for (;;); }`);
    const { outcome } = await bench.run({ executionTimeLimitMs: 1500, runner: { killGraceMs: 50 } });
    expect(outcome.error).toMatchObject({
      code: 'CAF_ALGORITHM_TIMEOUT',
      message: 'Execution 0 of alg (2 runs, 7,1 to 7,2) took longer than its time limit of 1.5 s and was ended.',
    });
    expect(isAlive(Number(readFileSync(join(bench.directory(), 'pid'), 'utf8')))).toBe(false);
  });

  it('of a program that takes more memory than its limit is told with the numbers, and the program is gone', async () => {
    bench.writeAlgorithm(
      `run: command(['python3', '-c', 'import os, time; open("../pid", "w").write(str(os.getpid())); held = bytearray(400_000_000); time.sleep(1000)'])`,
    );
    const { outcome } = await bench.run({ memoryLimitBytes: 300e6 });
    expect(outcome.error).toMatchObject({
      code: 'CAF_ALGORITHM_MEMORY',
      message: expect.stringMatching(/^Execution 0 of alg .* used \d+(\.\d+)? MB of memory; its limit is 300 MB$/),
    });
    expect(isAlive(Number(readFileSync(join(bench.directory(), 'pid'), 'utf8')))).toBe(false);
  });

  it('of a setup that never ends too', async () => {
    bench.writeAlgorithm(`setup: () => new Promise(() => setInterval(() => {}, 1000)), run: () => 'ok'`);
    const { outcome } = await bench.run({ executionTimeLimitMs: 100 });
    expect(outcome.error?.message).toBe('Setup of alg took longer than its time limit of 100 ms and was ended.');
  });

  it('because caf is interrupted is told as cancelled, and its programs are gone', async () => {
    bench.writeAlgorithm(`strategy: simpleRunByRun(), run: command(['sh', '-c', 'echo $$ > ../pid; sleep 1000'])`);
    const stop = new AbortController();
    mkdirSync(bench.directory(), { recursive: true });
    const watcher = watch(bench.directory(), (_, name) => {
      if (name === 'pid' && readFileSync(join(bench.directory(), 'pid'), 'utf8') !== '') stop.abort();
    });
    const { outcome, executions } = await bench.run({ signal: stop.signal });
    watcher.close();
    expect(outcome).toEqual({ finalState: 'failed', gaps: null, error: null, cancelled: true });
    expect(executions).toEqual([]);
    expect(isAlive(Number(readFileSync(join(bench.directory(), 'pid'), 'utf8')))).toBe(false);
  });

  it('is never started when caf is already interrupted', async () => {
    bench.writeAlgorithm(`run: () => { writeFileSync('ran', ''); return 'ok'; }`);
    const { outcome } = await bench.run({ signal: AbortSignal.abort() });
    expect(outcome.cancelled).toBe(true);
    expect(existsSync(bench.directory())).toBe(false);
  });

  it('is not started when caf is interrupted while it ends one that an earlier caf has left', async () => {
    for (const wish of ['signal', 'stopping'] as const) {
      bench.writeAlgorithm(`run: () => { writeFileSync('pid', String(process.pid)); for (;;); }`);
      const file = join(bench.directory(), 'pid');
      rmSync(file, { force: true });
      const caf = startCaf();
      await until(() => (existsSync(file) ? Number(readFileSync(file, 'utf8')) || null : null));
      caf.kill('SIGKILL');
      await once(caf, 'exit');
      bench.writeAlgorithm(`run: () => { writeFileSync('ran', ''); return 'ok'; }`);
      const stop = new AbortController();
      const running = bench.run({ [wish]: stop.signal });
      // It has begun to look for it, in this turn.
      stop.abort();
      expect((await running).outcome.cancelled).toBe(true);
      expect(existsSync(join(bench.directory(), 'ran'))).toBe(false);
    }
  });

  it.each([1, 2, 3])('that cannot be started, because no more than %d files can be opened, is told with the reason', async (free) => {
    mkdirSync(bench.directory(), { recursive: true });
    const outcome = await runWithoutFiles(
      join(bench.root, 'script.ts'),
      `import { createForkedAlgorithmsRunner } from '${new URL('../../src/runners/forked-algorithms-runner.ts', import.meta.url).href}';`,
      `const nothing = () => undefined;
       const listener = { ready: nothing, executionStarted: nothing, executionFinished: nothing, resultReported: nothing, warning: nothing };
       const never = new AbortController().signal;
       take();
       const outcome = await createForkedAlgorithmsRunner({ childUrl: new URL('${CHILD.href}') }).run({ job: ${JSON.stringify(bench.job())}, executionTimeLimitMs: 1e5, memoryLimitBytes: null, stopping: never, env: {} }, listener, never);
       giveBack();
       tell(outcome);`,
      free,
    );
    expect(outcome).toMatchObject({
      finalState: 'failed',
      error: { code: 'CAF_ALGORITHM_CRASHED', message: expect.stringMatching(/^The child process for alg could not be started: .*EMFILE/) },
    });
    expect(readdirSync(bench.directory())).toEqual([]);
  });

  it('because the config cannot be loaded is told with the reason', async () => {
    bench.writeConfig(`throw new Error('no network');`);
    const { outcome } = await bench.run();
    expect(outcome.error?.message).toContain('no network');
  });

  it('leaves logs no longer than the limit', async () => {
    bench.writeAlgorithm(`run: () => { for (let i = 0; i < 200; i += 1) process.stdout.write('x'.repeat(10000)); return 'ok'; }`);
    await bench.run({ runner: { maxLogBytes: 50_000 } });
    expect(statSync(join(bench.directory(), 'stdout')).size).toBeLessThan(51_000);
    expect(readFileSync(join(bench.directory(), 'stdout'), 'utf8')).toContain('this log had');
  });

  it('leaves logs of its programs no longer than the limit, also while they run', async () => {
    bench.addJob([[[7, 1], 'adc', 1]]);
    // It goes on only when its log has been cut.
    const flood = `head -c 300000 /dev/zero | tr '\\0' x; until grep -q 'this log had' stdout; do sleep 0.02; done; head -c 300000 /dev/zero >&2`;
    bench.writeAlgorithm(`run: ${shell(`${flood}; ${answer({ result: 'ok', payloads: [{ name: 'Mean', value: { mean: [] } }] })}`)}`);
    const { outcome } = await bench.run({ runner: { maxLogBytes: 50_000 } });
    expect(outcome).toEqual({ finalState: 'completed', gaps: null, error: null });
    for (const log of ['stdout', 'stderr']) {
      const path = join(bench.directory(), 'execution-0', log);
      expect(statSync(path).size).toBeLessThan(51_000);
      expect(readFileSync(path, 'utf8')).toContain('this log had');
    }
  });

  /** Another caf, in a process of its own. */
  const startCaf = (): ChildProcess => {
    const job = bench.job();
    const script = join(bench.root, 'parent.ts');
    writeFileSync(
      script,
      `import { createForkedAlgorithmsRunner } from '${new URL('../../src/runners/forked-algorithms-runner.ts', import.meta.url).href}';
       const nothing = () => undefined;
       const runner = createForkedAlgorithmsRunner({ childUrl: new URL('${CHILD.href}') });
       await runner.run({ job: ${JSON.stringify(job)}, executionTimeLimitMs: 1e9, memoryLimitBytes: null, stopping: new AbortController().signal, env: process.env }, { ready: nothing, executionStarted: nothing, executionFinished: nothing, resultReported: nothing, warning: nothing }, new AbortController().signal);`,
    );
    return spawn(process.execPath, [script], { stdio: ['ignore', 'ignore', 'inherit'] });
  };

  it('with caf: when caf is killed, the child and its program end at once', async () => {
    bench.writeAlgorithm(`run: ${shell('echo $$ $PPID; sleep 1000; true')}`);
    const caf = startCaf();
    const output = join(bench.directory(), 'execution-0', 'stdout');
    const pids = await until(() => (existsSync(output) ? readFileSync(output, 'utf8').match(/^(\d+) (\d+)\n/) : null));
    caf.kill('SIGKILL');
    await until(() => (isAlive(Number(pids[1])) || isAlive(Number(pids[2])) ? null : true));
  });

  it('too late, because it was busy when caf was killed, is ended by the next invocation before that begins', async () => {
    bench.writeAlgorithm(`run: () => { writeFileSync('pid', String(process.pid)); for (;;); }`);
    const caf = startCaf();
    const file = join(bench.directory(), 'pid');
    const pid = await until(() => (existsSync(file) ? Number(readFileSync(file, 'utf8')) || null : null));
    caf.kill('SIGKILL');
    await once(caf, 'exit');
    expect(isAlive(pid)).toBe(true);
    bench.writeAlgorithm(`run: ({ commit }) => { commit(Mean, { mean: [1] }); return 'ok'; }`);
    const { outcome } = await bench.run({ on: { executionStarted: () => expect(isAlive(pid)).toBe(false) } });
    expect(outcome).toEqual({ finalState: 'completed', gaps: null, error: null });
  });
});

describe('recorded executions', () => {
  it('are answered without calling the algorithm, and every result is reported again', async () => {
    bench.addJob([1, 2, 3].map((run) => [[7, run], 'adc', run]));
    bench.writeAlgorithm(
      `strategy: sequentialRunByRun(), run: ({ runs, commit }) => { appendFileSync('calls', runs.join() + ' '); commit(Mean, { runs }); return 'ok'; }`,
    );
    const first = await bench.run();
    const recorded = first.executions.slice(0, 2);
    const second = await bench.run({ recorded });
    expect(readFileSync(join(bench.directory(), 'calls'), 'utf8')).toBe('7,1 7,2 7,3 7,3 ');
    expect(second.executions.map(({ seq }) => seq)).toEqual([2]);
    expect(second.started).toEqual([2]);
    expect(second.reports).toEqual(first.reports);
    expect(second.outcome).toEqual(first.outcome);
  });

  it('of other runs than the strategy asks for are told, with what to do about it', async () => {
    bench.addJob([[[7, 1], 'adc', 1]]);
    bench.writeAlgorithm(`run: () => 'ok'`);
    const recorded: ExecutionRecord[] = [
      { seq: 0, runs: [[7, 9]], iov: [7, 9, 7, 9], result: 'ok', seconds: 1, payloads: [], metadata: {}, error: null },
    ];
    const { outcome } = await bench.run({ recorded });
    expect(outcome.error).toMatchObject({
      code: 'CAF_ALGORITHM_CHANGED',
      message: expect.stringContaining('Execution 0 was done for runs [[7,9]]'),
    });
  });
});

describe('programs', () => {
  it('in Python gets its runs in job.json and answers with result.json', async () => {
    bench.addJob([
      [[7, 1], 'adc', 2],
      [[7, 2], 'adc', 4],
    ]);
    writeFileSync(
      join(bench.root, 'fit.py'),
      `import json, os, sys
job = json.load(open(os.environ['CAF_JOB']))
assert os.getcwd() == job['outputDirectory'], os.getcwd()
values = [json.loads(line)['value'] for path in job['data']['records'] for line in open(path)]
print('fitted', len(values))
open('table.root', 'wb').write(b'ROOT' + str(job['runs']).encode())
json.dump({'result': 'iterate' if sys.argv[1] == '0' else 'ok', 'metadata': {'n': len(values)}, 'payloads': [
  {'name': 'Mean', 'value': {'mean': [sum(values) / len(values)]}}, {'name': 'Table', 'file': 'table.root', 'iov': [7, 0, 7, -1]}]}, open('result.json.new', 'w'))
os.rename('result.json.new', 'result.json')
`,
    );
    bench.writeAlgorithm(`strategy: simpleRunByRun(), run: command(['python3', '{config}/fit.py', '{iteration}'])`);
    const story = await bench.run();
    expect(story.executions.map(({ error }) => error)).toEqual([null, null]);
    expect(story.executions.map(({ payloads }) => bench.value(payloads[0]))).toEqual([{ mean: [2] }, { mean: [4] }]);
    expect(story.executions[1]).toMatchObject({ result: 'iterate', metadata: { n: 1 }, iov: [7, 2, 7, 2] });
    expect(story.executions[1]?.payloads[1]).toMatchObject({ name: 'Table', extension: '.root', iov: [7, 0, 7, -1] });
    expect(readdirSync(join(bench.directory(), 'execution-1')).sort()).toEqual([
      'data-0.ndjson',
      'job.json',
      'result.json',
      'stdout',
      'table.root',
    ]);
  });

  it('whose records file holds just its runs reads it where it lies', async () => {
    const job = bench.addJob([[[7, 1], 'adc', 2]], { files: { 'a b.root': '' } });
    const script = `cp "$CAF_JOB" seen.json; printf "%s\\n" "$@"; ${answer({ result: 'ok' })}`;
    bench.writeAlgorithm(`run: ${shell(script, '-', '{files}', '{output}')}`);
    await bench.run();
    const directory = join(bench.directory(), 'execution-0');
    expect(JSON.parse(readFileSync(join(directory, 'seen.json'), 'utf8')).data).toEqual({
      records: [join(job.directory, 'records.ndjson')],
      files: [join(job.directory, 'a b.root')],
    });
    expect(readFileSync(join(directory, 'stdout'), 'utf8')).toBe(`${join(job.directory, 'a b.root')}\n${directory}\n`);
  });

  const failures: readonly (readonly [title: string, script: string, error: RegExp])[] = [
    ['exits with an error', 'echo no peak >&2; exit 3', /^sh exited with code 3; the last line of its stderr: no peak$/],
    ['is killed', 'kill -11 $$', /^sh was ended by SIGSEGV$/],
    ['writes no result', 'true', /^it ended without a result\.json/],
    ['writes half a result', `printf '{"result": "o' > result.json`, /is not JSON and begins with "\{\\"result\\": \\"o"/],
    ['says an unknown word', `echo '{"result": "fine"}' > result.json`, /says "fine" as "result"; expected one of ok,/],
    ['carries a stale token', `echo '{"result": "ok", "token": "old"}' > result.json`, /token of another execution/],
    [
      'commits an undefined name',
      `echo '{"result":"ok","payloads":[{"name":"Means","value":1}]}' > result.json`,
      /^No payload named Means is defined\. Did you mean Mean\?/,
    ],
    [
      'commits a file outside',
      `echo '{"result":"ok","payloads":[{"name":"Table","file":"../../../../../caf.config.ts"}]}' > result.json`,
      /lies outside/,
    ],
    [
      'commits a symbolic link',
      `ln -s job.json link; echo '{"result":"ok","payloads":[{"name":"Table","file":"link"}]}' > result.json`,
      /is a symbolic link/,
    ],
    [
      'commits neither value nor file',
      `echo '{"result":"ok","payloads":[{"name":"Table"}]}' > result.json`,
      /none of "value", "file" and "parts"/,
    ],
  ];
  it('fail with the reason in every way we know of', async () => {
    bench.addJob(failures.map((_, run) => [[7, run], 'adc', 1]));
    for (const [position, [, script]] of failures.entries()) writeFileSync(join(bench.root, `execution-${position}.sh`), script);
    bench.writeAlgorithm(`strategy: simpleRunByRun(), run: ${shell('. "$0/$(basename "$PWD").sh"', '{config}')}`);
    const story = await bench.run();
    for (const [position, [title, , error]] of failures.entries()) {
      expect(story.executions[position]?.result, title).toBe('failure');
      expect(story.executions[position]?.error, title).toMatch(error);
    }
  });

  it('that cannot be started are a failure: not found, or an unknown placeholder', async () => {
    bench.addJob([[[7, 1], 'adc', 1]]);
    bench.writeAlgorithm(`run: command(['no-such-program'])`);
    expect((await bench.run()).executions[0]?.error).toBe('the program "no-such-program" was not found');
    bench.writeAlgorithm(`run: command(['true', '{outptu}'])`);
    expect((await bench.run()).executions[0]?.error).toBe('{outptu} in the argument "{outptu}" is not a placeholder.');
  });

  it('leave no process behind: what an execution started ends with it', async () => {
    bench.addJob([[[7, 1], 'adc', 1]]);
    bench.writeAlgorithm(`run: ${shell(`sleep 1000 & echo $! > pid; ${answer({ result: 'ok' })}`)}`);
    const sleeperLives = (): boolean => isAlive(Number(readFileSync(join(bench.directory(), 'execution-0', 'pid'), 'utf8')));
    const gone: Promise<boolean>[] = [];
    // SIGKILL was sent before the execution is told; the system takes its moment.
    await bench.run({ on: { executionFinished: () => void gone.push(until(() => (sleeperLives() ? null : true))) } });
    expect(await Promise.all(gone)).toEqual([true]);
  });

  it('may be the setup and may find the boundaries', async () => {
    bench.addJob([1, 2, 3].map((run) => [[7, run], 'adc', run]));
    bench.writeAlgorithm(`strategy: sequentialBoundaries(), setup: command(['touch', 'made-by-setup']),
      findBoundaries: ${shell(`test -e ../made-by-setup && ${answer({ result: 'ok', boundaries: [[7, 3]] })}`)},
      run: ${shell(answer({ result: 'ok', payloads: [{ name: 'Mean', value: { mean: [] } }] }))}`);
    const story = await bench.run();
    expect(story.outcome).toMatchObject({ finalState: 'completed', error: null });
    expect(story.reports.map(({ iov }) => iov)).toEqual([
      [7, 1, 7, 2],
      [7, 3, 7, 3],
    ]);
  });

  it('may be the setup again: an algorithm that goes on has it read its data once more', async () => {
    bench.addJob([
      [[7, 1], 'adc', 1],
      [[7, 2], 'adc', 3],
    ]);
    bench.writeAlgorithm(`setup: ${shell('cat data-0.ndjson > seen')}, run: ({ commit }) => { commit(Mean, { mean: [1] }); return 'ok'; }`);
    for (let begun = 0; begun < 2; begun += 1) {
      const { outcome } = await bench.run({ ignoredRuns: [[7, 1]] });
      expect(outcome).toEqual({ finalState: 'completed', gaps: null, error: null });
      expect(readFileSync(join(bench.directory(), 'seen'), 'utf8')).toBe('{"run":[7,2],"name":"adc","value":3}\n');
    }
  });

  it('of a config without definitions may commit any legal name', async () => {
    bench.addJob([[[7, 1], 'adc', 1]]);
    bench.writeAlgorithm(`run: ${shell(answer({ result: 'ok', payloads: [{ name: 'Anything', value: 1 }] }))}`);
    const path = join(bench.root, 'caf.config.ts');
    writeFileSync(path, readFileSync(path, 'utf8').replaceAll(/^const (Mean|Table) = .*$/gm, ''));
    const story = await bench.run();
    expect(story.executions[0]).toMatchObject({ result: 'ok', payloads: [{ name: 'Anything' }] });
  });
});

function isAlive(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return stat.slice(stat.lastIndexOf(')') + 2)[0] !== 'Z';
  } catch {
    return false;
  }
}

/** Asks again and again: for what other processes do, which send no event. */
async function until<T>(ask: () => T | null): Promise<T> {
  for (;;) {
    const answer = ask();
    if (answer !== null) return answer;
    await setTimeout(5);
  }
}
