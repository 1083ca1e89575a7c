// Short commands: every way to end is an answer, none an exception.
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
