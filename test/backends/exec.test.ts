// Short commands: every way to end is an answer, none an exception.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { runCommand } from '../../src/backends/exec.ts';

it.each([
  { argv: ['sh', '-c', 'echo out; echo err >&2'], answer: { ended: 'ok', exitCode: 0, stdout: 'out', stderr: 'err' } },
  { argv: ['sh', '-c', 'exit 3'], answer: { ended: 'exit', exitCode: 3 } },
  { argv: ['sh', '-c', 'kill -9 $$'], answer: { ended: 'signal', exitCode: null } },
  { argv: ['no-such-program-of-caf'], answer: { ended: 'missing', exitCode: null } },
])('$argv ends as $answer.ended', async ({ argv, answer }) => {
  expect(await runCommand(argv)).toMatchObject(answer);
});

it('passes the environment that was given and no other', async () => {
  const { stdout } = await runCommand(['/usr/bin/env'], { env: { ONLY: 'this' } });
  expect(stdout).toBe('ONLY=this');
});

it('ends a command with all it started when its time is over', async () => {
  const { ended } = await runCommand(['sh', '-c', 'sleep 1000 & wait'], { timeoutMs: 50 });
  expect(ended).toBe('time-limit');
});

it('takes a program for missing, not for broken, where the system only says that a place may not be searched', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'caf-'));
  try {
    // As an entry of PATH that belongs to somebody else; root may search those, but may not execute a directory either.
    mkdirSync(join(directory, 'no-such-program-of-caf'));
    const env = { PATH: `${directory}:/usr/bin:/bin` };
    expect(await runCommand(['no-such-program-of-caf'], { env })).toMatchObject({ ended: 'missing' });
    writeFileSync(join(directory, 'not-executable'), '', { mode: 0o644 });
    expect(await runCommand(['not-executable'], { env })).toMatchObject({ ended: 'exit', exitCode: null });
  } finally {
    rmSync(directory, { recursive: true });
  }
});
