// A Node that is too old starts the one that came with the repository: signals and exit codes pass through.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { hasPty } from '../support/pty.ts';
import { until } from '../support/rig.ts';

const CAF = join(import.meta.dirname, '../../bin/caf.js');
const TERMINAL = join(import.meta.dirname, '../support/terminal.py');
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

test.skipIf(!hasPty)('Ctrl-C in its terminal reaches caf once, also where all output goes elsewhere', async () => {
  writeFileSync(
    join(home, 'gated.config.ts'),
    `import { command, defineCalibration, defineConfig } from 'calibration-framework';
export default defineConfig({ calibrations: [defineCalibration({ name: 'gated', algorithms: [],
  collections: { c: { files: [], collect: command(['sh', '-c', 'echo begun > ${home}/begun; while [ ! -e ${home}/gate ]; do sleep 0.05; done']) } } })] });\n`,
  );
  const node = [process.execPath, '--require', join(home, 'old.cjs'), CAF, 'run', 'gated.config.ts', '--output', 'gated'].join(' ');
  const terminal = spawn('python3', [TERMINAL, '80', '24', '/bin/sh', '-c', `${node} </dev/null >out 2>&1; true`], {
    cwd: home,
    stdio: ['pipe', 'ignore', 'inherit'],
  });
  const ended = once(terminal, 'close');
  await until('the job', () => existsSync(join(home, 'begun')));
  terminal.stdin.write(`type ${Buffer.from('\x03').toString('hex')}\n`);
  await until('the wish', () => readFileSync(join(home, 'out'), 'utf8').includes('campaign stopping'));
  // A second one would end the job at once.
  writeFileSync(join(home, 'gate'), '');
  await ended;
  expect(readFileSync(join(home, 'out'), 'utf8')).toMatch(/campaign completed .*signal=SIGINT jobs_left=0/);
});
