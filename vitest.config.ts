// Five suites: unit (seconds), whole (the real caf in temporary directories, and what starts hundreds of processes), crash (kills it, hundreds of times), engines (real batch engines), faults (breaks them).
import { defineConfig } from 'vitest/config';

const suite = (name: string, include: readonly string[], exclude: readonly string[], more: object = {}) => ({
  extends: true as const,
  test: { name, include: [...include], exclude: ['node_modules', 'dist', ...exclude], ...more },
});

const ENGINES = {
  globalSetup: 'test/engines/support/global-setup.ts',
  // An engine has a bad moment now and then (a slow start, a late accounting); what fails twice is a fault.
  retry: 1,
  testTimeout: 300_000,
  hookTimeout: 900_000,
};

/** There, many things run beside the tests, and now and then one waits too long. A run ends with those that needed a second try. */
const RETRIES_IN_CI = 1;

/** They start hundreds of processes. */
const MANY_PROCESSES = [
  'test/backends/batch.test.ts',
  'test/runners/engine-algorithms-runner.test.ts',
  'test/worker/strategy-vectors.test.ts',
];
const SLOW = ['test/whole/**', 'test/examples/**', 'test/crash/**', 'test/engines/**', ...MANY_PROCESSES];

export default defineConfig({
  resolve: { alias: { 'calibration-framework': new URL('./src/index.ts', import.meta.url).pathname } },
  test: {
    pool: 'forks',
    testTimeout: 30_000,
    retry: process.env.CI === undefined ? 0 : RETRIES_IN_CI,
    projects: [
      suite('unit', ['test/**/*.test.ts'], SLOW),
      suite('whole', ['test/whole/**/*.test.ts', 'test/examples/**/*.test.ts', ...MANY_PROCESSES], [], {
        testTimeout: 120_000,
        hookTimeout: 120_000,
      }),
      suite('crash', ['test/crash/**/*.test.ts'], [], { testTimeout: 1_200_000, hookTimeout: 1_200_000 }),
      // One engine of each kind: files take turns.
      suite('engines', ['test/engines/**/*.test.ts'], ['test/engines/faults-*'], { ...ENGINES, fileParallelism: false }),
      // Each breaks an engine of its own kind, and mostly waits: side by side, after the others.
      suite('faults', ['test/engines/faults-*.test.ts'], [], { ...ENGINES, maxWorkers: 2, sequence: { groupOrder: 1 } }),
    ],
  },
});
