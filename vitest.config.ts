// Three suites: unit (seconds), whole (the real caf in temporary directories), crash (kills it, hundreds of times).
import { defineConfig } from 'vitest/config';

const suite = (name: string, include: readonly string[], exclude: readonly string[], more: object = {}) => ({
  extends: true as const,
  test: { name, include: [...include], exclude: ['node_modules', 'dist', ...exclude], ...more },
});

const SLOW = ['test/whole/**', 'test/examples/**', 'test/crash/**'];

export default defineConfig({
  resolve: { alias: { 'calibration-framework': new URL('./src/index.ts', import.meta.url).pathname } },
  test: {
    pool: 'forks',
    testTimeout: 30_000,
    projects: [
      suite('unit', ['test/**/*.test.ts'], SLOW),
      suite('whole', ['test/whole/**/*.test.ts', 'test/examples/**/*.test.ts'], [], { testTimeout: 120_000, hookTimeout: 120_000 }),
      suite('crash', ['test/crash/**/*.test.ts'], [], { testTimeout: 1_200_000, hookTimeout: 1_200_000 }),
    ],
  },
});
