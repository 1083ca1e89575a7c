// The test vectors of the strategies through the real child, beside caf and as a batch job: config, data, runs, executions, payloads, gaps.
import { existsSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { FinalState } from '../../src/domain/calibration.ts';
import type { Iov, Run } from '../../src/domain/iov.ts';
import { type FakeSlurm, startFakeSlurm } from '../backends/support/fake-slurm.ts';
import { ENV } from '../backends/support/rig.ts';
import { createInvocation, type Invocation } from '../runners/engine-bench.ts';
import { type Bench, createBench } from '../runners/strategy-bench.ts';

interface Vector {
  readonly id: string;
  readonly note: string;
  readonly strategy: string;
  readonly options: object;
  readonly data: readonly (readonly [number, number, number])[];
  readonly algorithm: object;
  readonly requestedIov: Iov | null;
  readonly ignoredRuns: readonly Run[];
  readonly expected: {
    readonly executions: readonly { readonly runs: readonly Run[]; readonly iov: Iov; readonly result: string }[];
    readonly commits: readonly Iov[];
    readonly results: readonly { readonly iov: Iov; readonly result: string }[];
    readonly gaps: readonly Iov[] | null;
    readonly finalState: FinalState;
  };
}

const FILE = new URL('../../../shared/spec/strategies.json', import.meta.url);
const vectors: readonly Vector[] = existsSync(FILE) ? JSON.parse(readFileSync(FILE, 'utf8')) : [];

/** A run in failRuns -> failure; too few entries -> not-enough-data; too many runs -> failure; a run in iterateRuns -> iterate; else ok. */
const MOCK = `
const has = (list, run) => list.some(([experiment, number]) => experiment === run[0] && number === run[1]);
const mock = (rules) => async ({ runs, data, commit }) => {
  let entries = 0;
  for await (const { value } of data.records('entries')) entries += value;
  if (runs.some((run) => has(rules.failRuns, run))) return 'failure';
  if (entries < rules.minEntries) return 'not-enough-data';
  if (rules.failIfRunCountAtLeast !== null && runs.length >= rules.failIfRunCountAtLeast) return 'failure';
  commit(Mean, { mean: [entries], runs });
  return runs.some((run) => has(rules.iterateRuns, run)) ? 'iterate' : 'ok';
};`;

const title = 'the vectors of strategies.json %s (skipped where the file is missing)';
describe.skipIf(vectors.length === 0).for(['beside caf', 'as a batch job'])(title, (where) => {
  let bench: Bench;
  let fake: FakeSlurm | null = null;
  let onSlurm: Invocation | null = null;
  beforeAll(async () => {
    bench = createBench();
    if (where === 'beside caf') return;
    fake = await startFakeSlurm();
    onSlurm = createInvocation(bench.root, fake.env);
  });
  afterAll(async () => {
    await onSlurm?.close();
    await fake?.close();
    bench.remove();
  });

  it.for(vectors)('$id $note', async (vector) => {
    bench.forgetJobs();
    // Each run in a job of its own, last run first: order and placement must not matter.
    for (const [experiment, run, entries] of vector.data.toReversed()) bench.addJob([[[experiment, run], 'entries', entries]]);
    bench.writeAlgorithm(
      `strategy: ${vector.strategy}(${JSON.stringify(vector.options)}), run: mock(${JSON.stringify(vector.algorithm)})`,
      MOCK,
    );
    const { requestedIov, ignoredRuns } = vector;
    const story = await bench.run({ requestedIov, ignoredRuns, ...(onSlurm === null ? {} : { using: onSlurm.runner, env: ENV }) });
    const isGood = (result: string): boolean => result === 'ok' || result === 'iterate';
    expect({
      executions: story.executions.map(({ runs, iov, result }) => ({ runs, iov, result })),
      commits: story.reports.filter(({ result }) => isGood(result)).map(({ iov }) => iov),
      results: story.reports.map(({ iov, result }) => ({ iov, result })),
      gaps: story.outcome.gaps,
      finalState: story.outcome.finalState,
    }).toEqual(vector.expected);
    for (const { execution, result } of story.reports) {
      expect(story.executions[execution]?.payloads).toHaveLength(isGood(result) ? 1 : 0);
    }
  });
});
