// Processes told apart for ever: pid, start time, boot, host.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { isSameProcess, ownIdentity, processLife, readProcessIdentity } from '../../src/host/process-identity.ts';

function startSleep(file = 'sleep') {
  const child = spawn(file, ['60'], { stdio: 'ignore' });
  onTestFinished(() => void child.kill('SIGKILL'));
  return { child, pid: child.pid as number };
}

test('this process is itself', () => {
  expect(ownIdentity()).toEqual(readProcessIdentity(process.pid));
  expect(isSameProcess(ownIdentity())).toBe(true);
});

test('a child is the same process while it lives, and not after', async () => {
  const { child, pid } = startSleep();
  const identity = readProcessIdentity(pid)!;
  expect(identity).toMatchObject({ host: ownIdentity().host, bootId: ownIdentity().bootId, pid });
  expect(isSameProcess(identity)).toBe(true);
  child.kill('SIGKILL');
  await once(child, 'exit');
  expect([isSameProcess(identity), processLife(identity), readProcessIdentity(pid)]).toEqual([false, 'gone', null]);
});

test('a process that has another start time, boot or host is another process, even with the same pid', () => {
  const own = ownIdentity();
  expect(processLife({ ...own, startTicks: own.startTicks + 1 })).toBe('gone');
  expect(processLife({ ...own, bootId: 'the boot before' })).toBe('gone');
  expect(processLife({ ...own, host: 'login99' })).toBe('unknown');
  expect(isSameProcess({ ...own, host: 'login99' })).toBe(false);
});

test('numbers that are no pid are no process', () => {
  for (const pid of [0, -1, 1.5, Number.NaN, 2 ** 31]) expect(readProcessIdentity(pid)).toBeNull();
});

test.skipIf(process.platform !== 'linux')('a program whose name holds spaces and brackets is read right', () => {
  const directory = mkdtempSync(join(tmpdir(), 'caf-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const file = join(directory, 'a) R 1 (b');
  copyFileSync('/bin/sleep', file);
  const { pid } = startSleep(file);
  const plain = startSleep();
  const odd = readProcessIdentity(pid)!;
  // Both were started within the same moment: read from the wrong field, the two would be far apart.
  expect(Math.abs(odd.startTicks - readProcessIdentity(plain.pid)!.startTicks)).toBeLessThan(6000);
  expect(isSameProcess(odd)).toBe(true);
});

test.skipIf(process.platform !== 'linux')(
  'a child that has died and was not waited for still has an identity, but is not alive',
  async () => {
    // The shell starts a child that ends soon and at once becomes a program that never waits for it.
    const parent = spawn('sh', ['-c', 'sleep 0.1 & echo $!; exec sleep 60'], { stdio: ['ignore', 'pipe', 'ignore'] });
    onTestFinished(() => void parent.kill('SIGKILL'));
    const [line] = (await once(parent.stdout, 'data')) as [Buffer];
    const pid = Number(String(line));
    const state = () => readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.[0];
    while (state() !== 'Z') await new Promise((resolve) => setImmediate(resolve));
    const identity = readProcessIdentity(pid)!;
    expect(identity.startTicks).toBeGreaterThan(0);
    expect([processLife(identity), isSameProcess(identity)]).toEqual(['gone', false]);
  },
);
