// Real processes whose reader leaves: `caf logs | head`.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openJournal } from '../../src/database/journal.ts';

const main = new URL('../../src/cli/main.ts', import.meta.url).href;
let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'caf-'));
  openJournal(join(directory, 'calibration_results')).close();
  mkdirSync(join(directory, 'calibration_results/gain/0/algorithms/fit'), { recursive: true });
});
afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

function caf(...argv: string[]): ChildProcess {
  const script = `import(${JSON.stringify(main)}).then(({ start }) => start(process.argv.slice(1)))`;
  return spawn(process.execPath, ['-e', script, '--', ...argv], { cwd: directory, env: { ...process.env, LANG: 'C.UTF-8' } });
}

async function textOf(stream: NodeJS.ReadableStream | null): Promise<string> {
  let text = '';
  for await (const chunk of stream ?? []) text += chunk;
  return text;
}

test.each([['gain/0/fit'], ['gain/0/fit', '-f']])('caf logs %s %s ends calmly when its reader leaves', async (...argv) => {
  writeFileSync(join(directory, 'calibration_results/gain/0/algorithms/fit/stdout'), 'a line of a log\n'.repeat(500_000));
  const child = caf('logs', '-n', 'all', ...argv);
  const stderr = textOf(child.stderr);
  child.stdout?.once('data', () => child.stdout?.destroy());
  const [code, signal] = await once(child, 'close');
  expect({ code, signal }).toEqual({ code: 0, signal: null });
  expect(await stderr).toMatch(/^── gain\/0\/fit, stdout ──\n$/);
});

test('everything arrives in a pipe that is read slowly', async () => {
  const size = 16 * 500_000;
  writeFileSync(join(directory, 'calibration_results/gain/0/algorithms/fit/stdout'), 'a line of a log\n'.repeat(500_000));
  const child = caf('logs', 'gain/0/fit');
  child.stderr?.resume();
  let read = 0;
  for await (const chunk of child.stdout ?? []) {
    read += (chunk as Buffer).length;
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(read).toBe(size);
});

test('closed standard error does not matter', async () => {
  const child = caf('runn');
  child.stderr?.destroy();
  const [code] = await once(child, 'close');
  expect(code).toBe(2);
});
