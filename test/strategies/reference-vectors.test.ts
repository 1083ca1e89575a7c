// The shared test vectors of the reference's label rules, when they are at hand.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Iov, Run } from '../../src/domain/iov.ts';
import { sequentialBoundaries } from '../../src/strategies/sequential-boundaries.ts';
import { sequentialRunByRun } from '../../src/strategies/sequential-run-by-run.ts';
import { simpleRunByRun } from '../../src/strategies/simple-run-by-run.ts';
import { singleIov } from '../../src/strategies/single-iov.ts';
import { driveStrategy, type MockAlgorithm } from '../support/mock-algorithm.ts';

interface Vector {
  readonly id: string;
  readonly note: string;
  readonly strategy: keyof typeof strategies;
  readonly options: object;
  readonly data: readonly (readonly [number, number, number])[];
  readonly algorithm: MockAlgorithm;
  readonly requestedIov: Iov | null;
  readonly ignoredRuns: readonly Run[];
  readonly expected: object;
}

const strategies = { singleIov, simpleRunByRun, sequentialRunByRun, sequentialBoundaries };
const file = join(process.env.CAF_SHARED ?? join(import.meta.dirname, '../../../shared'), 'spec/strategies.json');

describe('the shared vectors', () => {
  if (!existsSync(file)) {
    test.skip(`skipped: there is no ${file}; set CAF_SHARED to the directory that holds spec/strategies.json`, () => undefined);
    return;
  }
  const vectors = JSON.parse(readFileSync(file, 'utf8')) as readonly Vector[];

  test.for(vectors)('$id $strategy $note', (vector) => {
    const strategy = strategies[vector.strategy](vector.options);
    expect(strategy.problems).toEqual([]);
    const { executions, commits, results, gaps, finalState } = driveStrategy(strategy, vector);
    expect({ executions, commits, results, gaps, finalState }).toEqual(vector.expected);
  });

  test('cover every strategy', () => {
    expect(new Set(vectors.map(({ strategy }) => strategy))).toEqual(new Set(Object.keys(strategies)));
  });
});
