// A Node that is too old starts the one that came with the repository: signals and exit codes pass through.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';

const CAF = join(import.meta.dirname, '../../bin/caf.js');
let home: string;

beforeAll(() => {
  home = realpathSync(mkdtempSync(join(tmpdir(), 'caf-')));
  // This Node says that it is an old one; the Node that it starts does not load this file.
  writeFileSync(
    join(home, 'old.cjs'),
    `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '20.20.2' } });\n`,
  );
  writeFileSync(
    join(home, 'caf.config.ts'),
    `import { command, defineCalibration, defineConfig } from 'calibration-framework';
export default defineConfig({ calibrations: [defineCalibration({ name: 'slow', algorithms: [],
  collections: { c: { files: [], split: { arguments: [['1'], ['2']] }, collect: command(['sleep', '600']) } } })] });\n`,
  );
});
afterAll(() => rmSync(home, { recursive: true, force: true }));

/** As `node20 bin/caf.js`; in a session of its own, so that nothing but the launcher gets its signals. */
function start(args: readonly string[]): { child: ChildProcess; stderr: () => string } {
  let text = '';
  const child = spawn(process.execPath, ['--require', join(home, 'old.cjs'), CAF, ...args], {
    cwd: home,
    stdio: ['ignore', 'ignore', 'pipe'],
    detached: true,
  });
  child.stderr?.setEncoding('utf8').on('data', (part: string) => {
    text += part;
  });
  return { child, stderr: () => text };
}

/** Resolves when caf has said so. */
async function said({ child, stderr }: ReturnType<typeof start>, words: string): Promise<void> {
  while (!stderr().includes(words)) {
    if (child.exitCode !== null) throw new Error(stderr());
    await Promise.race([once(child.stderr as NonNullable<ChildProcess['stderr']>, 'data'), once(child, 'close')]);
  }
}

test('a usage error through an old Node exits with 2', async () => {
  const caf = start(['run', '--no-such-option']);
  const [code] = (await once(caf.child, 'close')) as [number];
  expect(code, caf.stderr()).toBe(2);
  expect(caf.stderr()).toContain('CAF_USAGE');
});

test.each([
  ['SIGTERM', 143],
  ['SIGHUP', 129],
  ['SIGINT', 130],
] as const)('%s to an old Node ends the caf that it started, which exits with %i', async (signal, expected) => {
  const output = `results-${signal}`;
  const caf = start(['run', '--verbose', '--output', output]);
  await said(caf, 'slow/0/c/0 started');
  caf.child.kill(signal);
  if (signal === 'SIGINT') {
    // Once: caf waits for its jobs. The second one ends them.
    await said(caf, 'campaign stopping');
    caf.child.kill(signal);
  }
  const [code] = (await once(caf.child, 'close')) as [number];
  expect(code, caf.stderr()).toBe(expected);
  expect(caf.stderr()).toContain('interrupted');
  const cancel = start(['cancel', output]);
  await once(cancel.child, 'close');
  expect(cancel.stderr()).not.toContain('cannot');
});
