// The engine of docs/adding-a-backend.md, as it stands there: compiled with the rules of this repository, and held to the contract of all engines.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { BatchEngine } from '../../src/backends/engine.ts';
import { runCommand } from '../../src/backends/exec.ts';
import { describeBatch } from './batch-contract.ts';
import { type FakeCommand, type FakeEngine, type FakeTask, startFakeEngine } from './support/fake-scheduler.ts';

type Tiny = BatchEngine<{ readonly queue: string }>;

const ROOT = join(import.meta.dirname, '../..');
const text = /```ts\n([\s\S]*?)```/.exec(readFileSync(join(ROOT, 'docs/adding-a-backend.md'), 'utf8'))?.[1] ?? '';

const idOf = ({ array, number }: FakeTask): string => `${array}.${number}`;
const words = ({ phase, stop, status }: FakeTask): string => {
  if (phase === 'ended') return stop === 'limit' ? 'late' : stop === 'deleted' ? 'dropped' : `done ${status}`;
  return phase === 'running' ? 'runs' : 'waits';
};
const COMMANDS: Readonly<Record<string, FakeCommand>> = {
  put(scheduler, [, name = '', size, seconds, script = ''], env) {
    const array = scheduler.nextArray();
    for (let number = 0; number < Number(size); number += 1)
      scheduler.add({ array, number, name, argv: [script], env: { ...env, TINY_TASK: String(number) }, limitMs: Number(seconds) * 1000 });
    return { stdout: `job ${array}\n` };
  },
  list: ({ tasks }) => ({ stdout: tasks.map((task) => `${idOf(task)} ${task.name} ${words(task)}\n`).join('') }),
  drop(scheduler, args) {
    for (const task of scheduler.tasks) if (args.includes(idOf(task))) scheduler.end(task);
    return {};
  },
};

let directory: string;
let tiny: Tiny;
let fake: FakeEngine;
beforeAll(async () => {
  // Beside the tests, so that its imports lead where they say.
  directory = mkdtempSync(join(ROOT, 'test', 'example-'));
  const file = join(directory, 'tiny.ts');
  writeFileSync(file, text);
  tiny = ((await import(pathToFileURL(file).href)) as { tiny: Tiny }).tiny;
  fake = await startFakeEngine(COMMANDS);
});
afterAll(async () => {
  await fake.close();
  rmSync(directory, { recursive: true });
});

it('compiles under the rules of this repository', () => {
  const config = join(directory, 'tsconfig.json');
  writeFileSync(config, JSON.stringify({ extends: '../../tsconfig.json', include: ['tiny.ts'] }));
  const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
  expect(execFileSync(process.execPath, [tsc, '--noEmit', '-p', config], { encoding: 'utf8' })).toBe('');
});

describeBatch<{ readonly queue: string }>('the example of the documentation', async () => ({
  engine: tiny,
  site: { queue: 'main' },
  env: fake.env,
  shortLimitMs: 2000,
  memoryHog: null,
  remove: async (id) => void (await runCommand(['drop', id], { env: fake.env })),
  holding: null,
}));
