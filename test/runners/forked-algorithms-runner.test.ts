// The real child process under the real runner: every way an algorithm can end, and what survives it.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Bench, createBench } from './strategy-bench.ts';

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
});
