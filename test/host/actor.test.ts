// Who works here, as it is kept with what they make.
import { execFileSync } from 'node:child_process';
import { hostname } from 'node:os';
import { expect, test } from 'vitest';
import { actorHere } from '../../src/host/actor.ts';

test('it is the user and the host', () => {
  expect(actorHere()).toMatch(new RegExp(`^[^@]+@${hostname()}$`));
});

test.skipIf(process.getuid?.() !== 0)('a user without a name, as in many containers, is a number', () => {
  const module = new URL('../../src/host/actor.ts', import.meta.url).href;
  const script = `import { actorHere } from ${JSON.stringify(module)}; process.stdout.write(actorHere());`;
  const env = { PATH: process.env.PATH };
  const said = execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8', uid: 54_321, gid: 54_321, env });
  expect(said).toBe(`54321@${hostname()}`);
});
