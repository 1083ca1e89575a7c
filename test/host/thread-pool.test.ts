// The thread pool of a process that widens it, counted by the kernel.
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';

const MODULE = join(import.meta.dirname, '../../src/host/thread-pool.ts');
const SCRIPT = `
  const { readdirSync, readFileSync } = require('node:fs');
  const { widenThreadPool } = require(process.argv[1]);
  const before = process.env.UV_THREADPOOL_SIZE ?? null;
  widenThreadPool();
  const names = readdirSync('/proc/self/task').map((id) => readFileSync('/proc/self/task/' + id + '/comm', 'utf8').trim());
  console.log(JSON.stringify({ before, after: process.env.UV_THREADPOOL_SIZE ?? null, threads: names.filter((name) => name === 'libuv-worker').length }));
`;

function widened(size: string | undefined): unknown {
  const { UV_THREADPOOL_SIZE: _, ...rest } = process.env;
  const env = size === undefined ? rest : { ...rest, UV_THREADPOOL_SIZE: size };
  // As CommonJS, like caf itself: loading an ES module already uses the pool.
  return JSON.parse(execFileSync(process.execPath, ['--input-type=commonjs', '--eval', SCRIPT, MODULE], { env, encoding: 'utf8' }));
}

describe.runIf(process.platform === 'linux')('the thread pool', () => {
  test('gets sixteen threads, and the environment of children stays as it was', () => {
    expect(widened(undefined)).toEqual({ before: null, after: null, threads: 16 });
  });

  test('keeps the size that the user has chosen', () => {
    expect(widened('2')).toMatchObject({ before: '2', after: '2' });
  });
});
