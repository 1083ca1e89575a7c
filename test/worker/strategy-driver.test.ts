// The driver between a strategy's generator and what grants its wishes.
import { describe, expect, it } from 'vitest';
import type { ExecutionRecord } from '../../src/domain/execution.ts';
import type { Iov, Run } from '../../src/domain/iov.ts';
import { simpleRunByRun } from '../../src/strategies/simple-run-by-run.ts';
import type { Strategy, StrategyRequest } from '../../src/strategies/strategy.ts';
import { driveStrategy, type StrategyHands } from '../../src/worker/strategy-driver.ts';

const RUNS: readonly Run[] = [
  [1, 1],
  [1, 2],
  [1, 3],
];
const payload = { name: 'P', sha256: 'a', md5: 'b', size: 1, mediaType: 'x', extension: '', iov: null };
const record = (seq: number, runs: readonly Run[], iov: Iov, result: ExecutionRecord['result'] = 'ok'): ExecutionRecord => ({
  seq,
  runs,
  iov,
  result,
  seconds: 0,
  payloads: result === 'ok' ? [payload] : [],
  metadata: {},
  error: null,
});

function createHands(results: readonly ExecutionRecord['result'][] = []): { readonly hands: StrategyHands; readonly told: string[] } {
  const told: string[] = [];
  const tell = async (text: string): Promise<void> => void told.push(text);
  return {
    told,
    hands: {
      execute: async (seq, runs, iov) => {
        told.push(`execute ${seq}`);
        return record(seq, runs, iov, results[seq]);
      },
      findBoundaries: async (runs) => runs.slice(1),
      started: (seq) => tell(`started ${seq}`),
      finished: ({ seq }) => tell(`finished ${seq}`),
      reported: ({ seq, execution, result }) => tell(`reported ${seq} of ${execution}: ${result}`),
    },
  };
}

const scripted = (run: Strategy['run']): Pick<Strategy, 'name' | 'run'> => ({ name: 'scripted', run });

describe('the driver', () => {
  it('tells each step in order and counts the payloads of good results', async () => {
    const { hands, told } = createHands(['ok', 'failure', 'ok']);
    const summary = await driveStrategy(simpleRunByRun({ allowFailures: true }), { runs: RUNS, iteration: 0 }, [], hands);
    expect(summary).toMatchObject({ finalState: 'completed', payloads: 2 });
    expect(told.slice(0, 8)).toEqual([
      'started 0',
      'execute 0',
      'finished 0',
      'reported 0 of 0: ok',
      'started 1',
      'execute 1',
      'finished 1',
      'reported 1 of 1: failure',
    ]);
  });

  it('answers recorded executions without telling them again, but reports them', async () => {
    const { hands, told } = createHands();
    const recorded = RUNS.slice(0, 2).map((run, seq) => record(seq, [run], [...run, ...run]));
    const summary = await driveStrategy(simpleRunByRun(), { runs: RUNS, iteration: 0 }, recorded, hands);
    expect(told).toEqual(['reported 0 of 0: ok', 'reported 1 of 1: ok', 'started 2', 'execute 2', 'finished 2', 'reported 2 of 2: ok']);
    expect(summary.payloads).toBe(3);
  });

  it.each([
    ['runs', record(0, [[1, 9]], [1, 1, 1, 1])],
    ['interval', record(0, [[1, 1]], [1, 1, 1, 2])],
    ['number', record(3, [[1, 1]], [1, 1, 1, 1])],
  ])('refuses a recorded execution with another %s', async (_, recorded) => {
    const { hands } = createHands();
    await expect(driveStrategy(simpleRunByRun(), { runs: RUNS, iteration: 0 }, [recorded], hands)).rejects.toMatchObject({
      code: 'CAF_ALGORITHM_CHANGED',
    });
  });

  it('passes boundaries to the strategy', async () => {
    const { hands } = createHands();
    let answer: unknown;
    await driveStrategy(
      scripted(function* ({ runs }) {
        answer = yield { type: 'find-boundaries', runs };
        return { finalState: 'completed', gaps: null };
      }),
      { runs: RUNS, iteration: 0 },
      [],
      hands,
    );
    expect(answer).toEqual([
      [1, 2],
      [1, 3],
    ]);
  });

  it('refuses a report of an execution that was not run, and a good report of a bad execution', async () => {
    const reporting = (requests: readonly StrategyRequest[]): Promise<unknown> =>
      driveStrategy(
        scripted(function* () {
          for (const request of requests) yield request;
          return { finalState: 'completed', gaps: null };
        }),
        { runs: RUNS, iteration: 0 },
        [],
        createHands(['failure']).hands,
      );
    const report: StrategyRequest = { type: 'report', execution: 0, iov: [1, 1, 1, 1], result: 'ok' };
    await expect(reporting([report])).rejects.toThrow('strategy scripted reported execution 0, but only 0 were run');
    await expect(reporting([{ type: 'execute', runs: RUNS, iov: [1, 1, 1, 3] }, report])).rejects.toThrow(
      'strategy scripted reported execution 0 as ok, but its result was failure',
    );
  });
});
