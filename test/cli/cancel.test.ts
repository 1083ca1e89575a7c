// `caf cancel` against a real `caf run` with a real job.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { main } from '../../src/cli/main.ts';
import { createTestIo } from '../support/io.ts';

const source = new URL('../../src/cli/main.ts', import.meta.url).href;
let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'caf-'));
  writeFileSync(join(directory, 'input'), '');
  writeFileSync(
    join(directory, 'caf.config.ts'),
    `export default { calibrations: [{ name: 'long', algorithms: [], collections: { all: {
      files: ['input'],
      collect: { kind: 'command', argv: ['sh', '-c', 'echo $$ > "$0/pid.new" && mv "$0/pid.new" "$0/pid" && exec sleep 60', '{config}'] },
    } } }] };`,
  );
});
afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

async function caf(...argv: string[]) {
  const io = createTestIo({ cwd: directory });
  await main(argv, io);
  return io;
}

async function startRun() {
  const script = `import(${JSON.stringify(source)}).then(({ start }) => start(['run', '--quiet']))`;
  const child = spawn(process.execPath, ['-e', script], { cwd: directory, stdio: 'ignore' });
  const closed = once(child, 'close');
  const pid = await vi.waitFor(
    () => {
      if (!existsSync(join(directory, 'pid'))) throw new Error('the job has not started');
      return Number(readFileSync(join(directory, 'pid'), 'utf8'));
    },
    { timeout: 20_000, interval: 20 },
  );
  return { closed, pid };
}

/** It is not there, or only waits to be collected by whoever inherited it. */
function isGone(pid: number): boolean {
  try {
    return /\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return true;
  }
}

test('it ends caf and its jobs', async () => {
  const { closed, pid } = await startRun();
  const io = await caf('cancel');
  expect(await closed).toEqual([143, null]);
  expect(isGone(pid)).toBe(true);
  expect(io.stderr.text).toMatch(/^caf pid \d+ is ending 1 running job\ncaf pid \d+ has ended\n\n {2}caf run {3}continue\n$/);
  expect((await caf('cancel')).stderr.text).toBe('nothing to cancel: no caf works on calibration_results\n');
});

test('--keep-jobs leaves them; a later cancel ends what was left', async () => {
  const { closed, pid } = await startRun();
  await caf('cancel', '--keep-jobs');
  expect(await closed).toEqual([143, null]);
  expect(isGone(pid)).toBe(false);
  expect((await caf('cancel')).stderr.text).toContain('ended 1 running job');
  expect(isGone(pid)).toBe(true);
});
