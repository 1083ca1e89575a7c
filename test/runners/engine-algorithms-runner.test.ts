// Algorithms as jobs of a batch engine, on a fake Slurm with real processes: what they say arrives, and nothing finished is done again, however they end.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { attemptDirectory, attemptsIn, openAttempt } from '../../src/runners/algorithm-attempts.ts';
import { type FakeSlurm, startFakeSlurm } from '../backends/support/fake-slurm.ts';
import { ENV, until } from '../backends/support/rig.ts';
import { createInvocation, type Invocation, type InvocationOptions } from './engine-bench.ts';
import { type Bench, createBench } from './strategy-bench.ts';

let bench: Bench;
let fake: FakeSlurm;
const invocations: Invocation[] = [];
const invocation = (options: InvocationOptions = {}): Invocation => {
  const made = createInvocation(bench.root, fake.env, options);
  invocations.push(made);
  return made;
};
beforeEach(async () => {
  bench = createBench();
  fake = await startFakeSlurm({ minuteMs: 60_000 });
});
afterEach(async () => {
  await Promise.all(invocations.splice(0).map((each) => each.close()));
  await fake.close();
  bench.remove();
});

const home = () => bench.directory();
const callsOf = (command: string) => fake.calls.filter(([name]) => name === command);
const text = (path: string) => (existsSync(path) ? readFileSync(path, 'utf8') : '');
/** Every execution notes its run where tests see it. */
const noted = () => text(join(bench.root, 'noted')).trim().split('\n');
const NOTE = `appendFileSync('NOTED', runs.join(' ') + '\\n');`;
const writeAlgorithm = (options: string) =>
  bench.writeAlgorithm(options.replaceAll('ROOT', bench.root).replaceAll('NOTED', join(bench.root, 'noted')));
/** Three runs, one execution each; the second waits until a file is there. */
function threeRuns(second: string): void {
  bench.addJob([1, 2, 3].map((run) => [[7, run], 'adc', run] as const));
  writeAlgorithm(`strategy: simpleRunByRun(), run: async ({ runs, commit }) => {
    ${NOTE}
    if (runs[0][1] === 2) { ${second} }
    commit(Mean, { mean: runs }); return 'ok'; }`);
}
const AWAIT_OPEN = `const { existsSync } = await import('node:fs'); while (!existsSync('ROOT/open')) await new Promise((resolve) => setTimeout(resolve, 20));`;
const open = () => writeFileSync(join(bench.root, 'open'), '');
const atWork = (run: number) => until(() => noted().includes(`7,${run}`));

describe('an algorithm as a batch job', () => {
  it('says the same as beside caf, and leaves its files in the same places', async () => {
    bench.addJob([[[7, 1], 'adc', 1]]);
    writeAlgorithm(
      `run: ({ commit }) => { console.log('hello'); writeFileSync('plot.txt', 'x'); commit(Mean, { mean: [1] }); return 'ok'; }`,
    );
    const there = await bench.run({ using: invocation().runner, env: ENV });
    expect(there.outcome).toEqual({ finalState: 'completed', gaps: null, error: null });
    expect(there.order).toEqual(['ready', 'started 0', 'finished 0', 'reported 0']);
    expect(bench.value(there.executions[0]?.payloads[0])).toEqual({ mean: [1] });
    expect(readdirSync(home()).sort()).toEqual(['plot.txt', 'stdout']);
    expect(text(join(home(), 'stdout'))).toBe('hello\n');
    const here = await bench.run();
    expect({ ...here, executions: here.executions.map((each) => ({ ...each, seconds: 0 })) }).toEqual({
      ...there,
      executions: there.executions.map((each) => ({ ...each, seconds: 0 })),
    });
  });

  it('has the environment and the name of a job, and its messages hold no values', async () => {
    bench.addJob([[[7, 1], 'adc', 1]]);
    writeAlgorithm(
      `strategy: simpleRunByRun(), run: async ({ commit }) => { commit(Mean, { mean: 'much and secret', env: { ...process.env } }); ${AWAIT_OPEN} return 'ok'; }`,
    );
    process.env.OF_CAF = 'not for jobs';
    const { runner } = invocation();
    const running = runner.run(
      {
        job: bench.job(),
        executionTimeLimitMs: 60_000,
        memoryLimitBytes: null,
        stopping: new AbortController().signal,
        env: { ...ENV, OWN: 'yes' },
      },
      {
        ready: () => undefined,
        executionStarted: open,
        executionFinished: ({ payloads }) => {
          expect(bench.value(payloads[0])).toMatchObject({ env: { OWN: 'yes', SLURM_ARRAY_TASK_ID: '0' } });
          expect(bench.value(payloads[0])).not.toHaveProperty('env.OF_CAF');
          const messages = text(join(attemptDirectory(home(), 0), 'messages.ndjson'));
          expect(messages).toContain(payloads[0]?.sha256);
          expect(messages).not.toContain('much and secret');
        },
        resultReported: () => undefined,
        warning: () => undefined,
      },
      new AbortController().signal,
    );
    expect(await running).toMatchObject({ finalState: 'completed' });
    delete process.env.OF_CAF;
    expect(callsOf('sbatch')[0]?.find((word) => word.startsWith('--job-name='))).toMatch(/^--job-name=cal\.0\.alg\.caf-[0-9a-f]+$/);
  });

  it('is told of while it goes on', async () => {
    threeRuns(AWAIT_OPEN);
    const story = await bench.run({ using: invocation().runner, env: ENV, on: { executionStarted: (seq) => seq === 1 && open() } });
    expect(story.order.slice(0, 4)).toEqual(['ready', 'started 0', 'finished 0', 'reported 0']);
    expect(story.outcome.finalState).toBe('completed');
    expect(callsOf('sbatch')).toHaveLength(1);
  });

  it('ends an execution that takes too long, in the words of caf', async () => {
    threeRuns('await new Promise(() => setInterval(() => {}, 1000));');
    const story = await bench.run({ using: invocation().runner, env: ENV, executionTimeLimitMs: 2000 });
    expect(story.outcome.error).toMatchObject({
      code: 'CAF_ALGORITHM_TIMEOUT',
      message: 'Execution 1 of alg (run 7,2) took longer than its time limit of 2 s and was ended.',
    });
    expect(callsOf('sbatch')).toHaveLength(1);
  });

  it('tells of a crash with its last words', async () => {
    threeRuns(`console.error('so long'); process.kill(process.pid, 'SIGSEGV');`);
    const story = await bench.run({ using: invocation().runner, env: ENV });
    expect(story.outcome.error).toMatchObject({ code: 'CAF_ALGORITHM_CRASHED' });
    expect(story.outcome.error?.message).toContain('ended by SIGSEGV during execution 1 of alg (run 7,2). Its last words: ');
    expect(story.outcome.error?.message).toContain('so long');
  });
});

describe('a caf that comes back', () => {
  it('adopts the job that a killed one has left, and no execution is repeated', async () => {
    threeRuns(AWAIT_OPEN);
    const first = invocation();
    const journal: string[] = [];
    // Never settles: it is as if its caf had been killed.
    void bench.run({ using: first.runner, env: ENV, on: { executionFinished: ({ seq }) => journal.push(`finished ${seq}`) } });
    await atWork(2);
    await until(() => journal.length === 1);
    await first.close();
    const second = bench.run({ using: invocation().runner, env: ENV });
    open();
    const story = await second;
    expect(story.outcome).toEqual({ finalState: 'completed', gaps: [], error: null });
    expect(story.order).toEqual([
      'ready',
      'started 0',
      'finished 0',
      'reported 0',
      'started 1',
      'finished 1',
      'reported 1',
      'started 2',
      'finished 2',
      'reported 2',
    ]);
    expect(noted()).toEqual(['7,1', '7,2', '7,3']);
    expect(callsOf('sbatch')).toHaveLength(1);
  });

  it('says so when it cannot write down what the engine calls the job, and the next one finds the job', async () => {
    threeRuns(AWAIT_OPEN);
    const first = invocation();
    const { runner } = first;
    const running = bench.run({ using: runner, env: ENV });
    await until(() => attemptsIn(home()).length === 1);
    mkdirSync(join(attemptDirectory(home(), 0), 'engine.json'));
    expect((await running).outcome).toMatchObject({
      finalState: 'failed',
      error: { message: expect.stringMatching(/EISDIR.*engine\.json/) },
    });
    await atWork(2);
    await first.close();
    rmdirSync(join(attemptDirectory(home(), 0), 'engine.json'));
    const second = bench.run({ using: invocation().runner, env: ENV });
    open();
    expect((await second).outcome.finalState).toBe('completed');
    expect(noted()).toEqual(['7,1', '7,2', '7,3']);
    expect(callsOf('sbatch')).toHaveLength(1);
  });

  it('does not tell again of what is recorded', async () => {
    threeRuns(AWAIT_OPEN);
    const first = invocation();
    const recorded: never[] = [];
    void bench.run({ using: first.runner, env: ENV, on: { executionFinished: (execution) => recorded.push(execution as never) } });
    await atWork(2);
    await until(() => recorded.length === 1);
    await first.close();
    const second = bench.run({ using: invocation().runner, env: ENV, recorded });
    open();
    expect((await second).started).toEqual([1, 2]);
    expect(noted()).toEqual(['7,1', '7,2', '7,3']);
  });

  it('finds the job that was not yet written down, and one that ended meanwhile', async () => {
    threeRuns('');
    const first = invocation();
    void bench.run({ using: first.runner, env: ENV });
    await until(() => fake.tasks.length === 1);
    await first.close();
    await until(() => fake.tasks[0]?.state === 'COMPLETED');
    const story = await bench.run({ using: invocation().runner, env: ENV });
    expect(story.executions).toHaveLength(3);
    expect(noted()).toEqual(['7,1', '7,2', '7,3']);
    expect(callsOf('sbatch')).toHaveLength(1);
  });

  it('leaves the job at a wish to stop', async () => {
    threeRuns(AWAIT_OPEN);
    const first = invocation();
    const stopping = new AbortController();
    const story = bench.run({ using: first.runner, env: ENV, stopping: stopping.signal });
    await atWork(2);
    stopping.abort();
    expect((await story).outcome).toMatchObject({ cancelled: true });
    await first.close();
    expect(callsOf('scancel')).toEqual([]);
    open();
    expect((await bench.run({ using: invocation().runner, env: ENV })).outcome.finalState).toBe('completed');
    expect(noted()).toEqual(['7,1', '7,2', '7,3']);
  });

  it('ends the job when it is cancelled, and makes a new one afterwards that goes on', async () => {
    threeRuns(AWAIT_OPEN);
    const first = invocation();
    const ending = new AbortController();
    const recorded: never[] = [];
    const story = bench.run({
      using: first.runner,
      env: ENV,
      signal: ending.signal,
      on: { executionFinished: (each) => recorded.push(each as never) },
    });
    await atWork(2);
    await until(() => recorded.length === 1);
    ending.abort();
    first.cancel.abort();
    expect((await story).outcome).toMatchObject({ cancelled: true });
    expect(callsOf('scancel')).toHaveLength(1);
    expect(openAttempt(home())).toBeNull();
    open();
    expect((await bench.run({ using: invocation().runner, env: ENV, recorded })).outcome.finalState).toBe('completed');
    expect(noted()).toEqual(['7,1', '7,2', '7,2', '7,3']);
  });
});

describe('what the engine does to it', () => {
  it('a node is lost: another job goes on after the last execution, and does not count', async () => {
    threeRuns(AWAIT_OPEN);
    const second = Promise.withResolvers<void>();
    const story = bench.run({
      using: invocation({ retries: 0 }).runner,
      env: ENV,
      on: { executionStarted: (seq) => seq === 1 && second.resolve() },
    });
    await second.promise;
    fake.become(0, 'NODE_FAIL', 'NodeDown');
    await until(() => noted().length === 3);
    open();
    const { outcome, executions, reports, warnings } = await story;
    expect(outcome.finalState).toBe('completed');
    expect(noted()).toEqual(['7,1', '7,2', '7,2', '7,3']);
    expect(executions.map(({ seq }) => seq)).toEqual([0, 1, 2]);
    expect(reports.map(({ seq }) => seq)).toEqual([0, 1, 2]);
    expect(warnings).toEqual(['The batch job of alg is started again, finished executions are kept: the node n1 failed']);
    expect(attemptsIn(home())).toEqual([0]);
  });

  it('time runs out after an execution: it goes on with the same time, and it does not count', async () => {
    await fake.close();
    fake = await startFakeSlurm({ minuteMs: 5000 });
    threeRuns(AWAIT_OPEN);
    const story = bench.run({ using: invocation({ retries: 0, resources: { timeMs: 60_000 } }).runner, env: ENV });
    await until(() => noted().length === 3);
    open();
    expect((await story).outcome.finalState).toBe('completed');
    expect(noted().slice(0, 3)).toEqual(['7,1', '7,2', '7,2']);
  });

  it('time runs out in vain: half as much again, until no try is left', async () => {
    await fake.close();
    fake = await startFakeSlurm({ minuteMs: 500 });
    bench.addJob([[[7, 1], 'adc', 1]]);
    writeAlgorithm(`run: () => new Promise(() => setInterval(() => {}, 1000))`);
    const story = await bench.run({ using: invocation({ retries: 1, resources: { timeMs: 60_000 } }).runner, env: ENV });
    expect(callsOf('sbatch').map((call) => call.find((word) => word.startsWith('--time=')))).toEqual(['--time=1', '--time=2']);
    expect(story.outcome.error).toMatchObject({
      code: 'CAF_ALGORITHM_TIMEOUT',
      message: 'The batch job of alg failed: it ran longer than its time limit of 1 min 30 s',
    });
  });

  it('memory runs out: half as much again', async () => {
    threeRuns(AWAIT_OPEN);
    const story = bench.run({ using: invocation().runner, env: ENV });
    await atWork(2);
    fake.become(0, 'OUT_OF_MEMORY', 'OutOfMemory');
    await until(() => noted().length === 3);
    open();
    expect((await story).outcome.finalState).toBe('completed');
    expect(callsOf('sbatch').map((call) => call.find((word) => word.startsWith('--mem=')))).toEqual(['--mem=1908M', '--mem=2862M']);
  });

  it('somebody cancels it: it fails and says who it was, and is not started again', async () => {
    threeRuns(AWAIT_OPEN);
    const story = bench.run({ using: invocation().runner, env: ENV });
    await atWork(2);
    fake.become(0, 'CANCELLED', 'None');
    expect((await story).outcome.error).toMatchObject({
      code: 'CAF_ALGORITHM_JOB',
      message: expect.stringContaining('it was cancelled, not by caf'),
    });
    expect(callsOf('sbatch')).toHaveLength(1);
  });

  it('it refuses what is asked: that is told', async () => {
    threeRuns('');
    const { runner } = invocation({ site: { partition: 'nosuch' } });
    const { outcome } = await bench.run({ using: runner, env: ENV });
    expect(outcome.error).toMatchObject({ code: 'CAF_ALGORITHM_JOB', message: expect.stringContaining('Invalid partition name') });
  });
});
