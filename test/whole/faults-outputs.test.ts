// What jobs leave behind when they should not: no outputs, half a result, somebody else's result, links and paths out of their directory.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createScene, filesBelow, type Scene } from '../support/scene.ts';

let scene: Scene;
beforeEach(() => {
  scene = createScene();
});
afterEach(() => scene.close());

/** Runs one program job in `sh`, which must fail; returns what is said of it. */
async function failureOf(script: string, outputs = "outputs: ['*.txt'],"): Promise<{ cause: string; detail: string; said: string }> {
  scene.write('job.sh', script);
  scene.config(`export default defineConfig({ backend: local({ slots: 1 }), calibrations: [defineCalibration({ name: 'a', algorithms: [],
    collections: { c: { files: [], retries: 0, ${outputs} collect: command(['sh', '{config}/job.sh']) } } })] });`);
  const { code, stdout, stderr } = await scene.caf(['run', '--json']);
  expect(code, stdout + stderr).toBe(1);
  expect(existsSync(join(scene.results, 'a/0/collector/c/0'))).toBe(false);
  const finished = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as { type: string; outcome: { cause: string; detail: string } })
    .filter(({ type }) => type === 'job.finished');
  expect(finished).toHaveLength(1);
  return { ...(finished[0] as { outcome: { cause: string; detail: string } }).outcome, said: stdout + stderr };
}

test.each([
  ['exits 0 without its outputs', 'true', /"\*\.txt" matches no file: the job made no file/],
  ['exits 0 with other outputs', 'touch a.dat', /"\*\.txt" matches no file: there is "a\.dat"/],
  [
    'leaves half a result',
    `touch a.txt; printf '{"result": "o' > result.json`,
    /result\.json is not complete JSON; its 13 bytes begin with "\{\\"result\\": \\"o"/,
  ],
  ['leaves an empty result', 'touch a.txt; : > result.json', /result\.json is empty/],
  [
    'leaves the result of an earlier attempt',
    `touch a.txt; echo '{"result":"ok","token":"of another attempt"}' > result.json`,
    /belongs to another attempt: its token is "of another attempt"/,
  ],
  ['leaves an unknown word', `touch a.txt; echo '{"result":"fine"}' > result.json`, /says result "fine"; expected one of ok/],
  ['leaves a pipe for a result', 'touch a.txt; mkfifo result.json', /result\.json.*(not a regular file|named pipe)/],
])('a job that %s fails with bad-result, and with what was found', async (_, script, detail) => {
  const failure = await failureOf(script);
  expect(failure.cause).toBe('bad-result');
  expect(failure.detail).toMatch(detail);
});

test.each([
  [
    'a symbolic link to a file outside',
    'ln -s /etc/passwd a.txt',
    /"a\.txt" is a symbolic link to "\/etc\/passwd", outside of the output directory/,
  ],
  [
    'a symbolic link with .. in it',
    'ln -s ../../../../../../secret.txt a.txt',
    /"a\.txt" is a symbolic link to "(\.\.\/){6}secret\.txt", outside/,
  ],
  ['a dangling link', 'ln -s nowhere a.txt', /"a\.txt" is a symbolic link to "nowhere", which does not exist/],
  [
    'a hard link to a file outside',
    'ln $(dirname "$0")/secret.txt a.txt',
    /"a\.txt" is a hard link to a file that has another name outside/,
  ],
  ['a named pipe', 'mkfifo a.txt', /"a\.txt" is a named pipe, not a file/],
  ['a socket', `python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("a.txt")'`, /"a\.txt" is a socket, not a file/],
])('%s is not collected: the job fails with its path, and nothing outside is read', async (_, script, detail) => {
  scene.write('secret.txt', 'TOP SECRET');
  const failure = await failureOf(script);
  expect(failure.cause).toBe('bad-result');
  expect(failure.detail).toMatch(detail);
  expect(failure.said).not.toContain('TOP SECRET');
  expect(failure.said).not.toContain('root:');
});

test.skipIf(process.getuid?.() !== 0)('a device is not collected: the job fails with its path', async () => {
  expect((await failureOf('mknod a.txt c 1 5')).detail).toMatch(/"a\.txt" is a device, not a file/);
});

test('a link to a directory outside is not gone into', async () => {
  scene.write('outside/b.txt', 'TOP SECRET');
  const failure = await failureOf('ln -s "$(dirname "$0")/outside" in; touch a.txt', "outputs: ['a.txt', 'in/*.txt'],");
  expect(failure.detail).toMatch(/"in" is a symbolic link, and links are not followed/);
});

test.each([['../*.txt'], ['/etc/passwd'], ['a/../../b']])('the output pattern %s is refused before anything starts', async (pattern) => {
  scene.config(
    `export default defineConfig({ calibrations: [defineCalibration({ name: 'a', algorithms: [], collections: { c: { files: [], outputs: [${JSON.stringify(pattern)}], collect: command(['true']) } } })] });`,
  );
  const { code, stderr } = await scene.caf(['run']);
  expect(code).toBe(2);
  expect(stderr).toContain('calibrations.a.collections.c.outputs[0]');
  expect(stderr).toContain(pattern);
  expect(existsSync(scene.results)).toBe(false);
});

test('a file that an algorithm commits from outside of its directory is refused with its path', async () => {
  scene.write('secret.txt', 'TOP SECRET');
  scene.config(`
    import { symlinkSync } from 'node:fs';
    export default defineConfig({ calibrations: [defineCalibration({ name: 'a', collections: {}, algorithms: [{ name: 'fit', run: async ({ commitFile, log }) => {
      symlinkSync(join(import.meta.dirname, 'secret.txt'), 'link.txt');
      for (const path of ['link.txt', '../../../../secret.txt', join(import.meta.dirname, 'secret.txt')]) await commitFile('Secret', path).catch((error: Error) => note(error.message));
      return 'failure';
    } }] })] });`);
  expect((await scene.caf(['run'])).code).toBe(1);
  expect(scene.notes()).toHaveLength(3);
  for (const line of scene.notes()) expect(line).toMatch(/secret\.txt|link\.txt/);
  expect(filesBelow(scene.results).filter((path) => path.startsWith('objects/'))).toEqual([]);
});

test('a link planted in the results directory is not written through', async () => {
  scene.write('precious', 'keep me');
  scene.config(`
    import { symlinkSync } from 'node:fs';
    export default defineConfig({ backend: local({ slots: 1 }), calibrations: [defineCalibration({ name: 'a', algorithms: [], collections: {
      c: { files: [], split: { arguments: [['0'], ['1']] }, collect: ({ arguments: [job], outputDirectory }) => {
        if (job === '0') symlinkSync(join(import.meta.dirname, 'precious'), join(outputDirectory, '../1.attempt-0'));
      } } } })] });`);
  const { code } = await scene.caf(['run', '-q']);
  expect([0, 1]).toContain(code);
  expect(scene.read('precious')).toBe('keep me');
});
