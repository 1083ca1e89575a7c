// A disk that fills up, has no room for another file, or does not let itself be written: what was finished stays, and caf run continues.
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { canMount, countsOf, createScene, type Ended, type Scene, viewIds } from '../support/scene.ts';

let scene: Scene;
beforeEach(() => {
  scene = createScene();
});
afterEach(() => scene.close());

/** Skipped where this user may not mount a small disk (tmpfs). */
const mountTest = test.skipIf(!canMount());

/** Two calibrations; `b` writes 300 kB per job, and 200 kB of payload. */
const CAMPAIGN = `
const P = definePayload('Table', z.object({ text: z.string() }));
const make = (name: string, bytes: number, dependsOn: string[] = []) => defineCalibration({
  name, dependsOn,
  collections: { c: { files: [], split: { arguments: [['0'], ['1']] }, retries: 0, collect: ({ arguments: [job], record, outputDirectory }) => {
    note(name + '/' + job);
    record([1, Number(job)], 'v', { job });
    if (bytes > 0) writeFileSync(join(outputDirectory, 'data.bin'), Buffer.alloc(bytes));
  } } },
  algorithms: [{ name: 'fit', run: ({ commit }) => { note(name + '/fit'); commit(P, { text: name + 'x'.repeat(bytes) }); return 'ok'; } }],
});
import { writeFileSync } from 'node:fs';
export default defineConfig({ backend: local({ slots: 1 }), output: 'disk/results', maxParallelCalibrations: 1, calibrations: [make('a', 0), make('b', 300_000, ['a'])] });
`;
const ONCE_EACH = { 'a/0': 1, 'a/1': 1, 'a/fit': 1, 'b/0': 1, 'b/1': 1, 'b/fit': 1 };

/** The databases of a campaign that was never disturbed. */
let undisturbed: Readonly<Record<string, string>>;
beforeAll(async () => {
  const calm = createScene();
  try {
    calm.config(CAMPAIGN);
    const { code, stderr } = await calm.caf(['run']);
    expect(code, stderr).toBe(0);
    expect(countsOf(calm.notes())).toEqual(ONCE_EACH);
    undisturbed = viewIds(join(calm.directory, 'disk/results'));
  } finally {
    calm.close();
  }
});

const results = () => join(scene.directory, 'disk/results');

/** What a user may be left with: a code, a path, the space left, what to do; never a bug, a stack or silence. */
function expectFullDisk({ code, stdout, stderr }: Ended): void {
  const said = (stdout + stderr).replaceAll(/\s+/g, ' ');
  expect([1, 3], said).toContain(code);
  expect(said).toContain('disk/results');
  expect(said).toMatch(/(bytes|kB) left/);
  expect(said).toMatch(/[Mm]ake space/);
  expect(said).not.toMatch(/bug|unsettled|node:internal/);
}

/** Continues after space was made: right result, and nothing that had finished ran again. */
async function expectContinued(before: readonly string[], mayRepeat: readonly string[] = []): Promise<void> {
  const again = await scene.caf(['run']);
  expect(again.code, again.stdout + again.stderr).toBe(0);
  expect(viewIds(results())).toEqual(undisturbed);
  const counts = countsOf(scene.notes());
  const once = Object.fromEntries(Object.entries(counts).filter(([what]) => !mayRepeat.includes(what)));
  expect(once, `before: ${before.join(' ')}`).toEqual(
    Object.fromEntries(Object.entries(ONCE_EACH).filter(([what]) => !mayRepeat.includes(what))),
  );
  // caf.log can be read to its end, although its disk was full in the middle of a line.
  const cut = scene
    .read('disk/results/caf.log')
    .trimEnd()
    .split('\n')
    .filter((line) => !isJson(line));
  expect(cut.length).toBeLessThanOrEqual(1);
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

// From no room for the journal to no room for the last database: each size stops the campaign elsewhere.
mountTest.each(['40k', '120k', '250k', '400k', '550k', '700k', '900k', '1100k', '1300k', '1400k', '1500k'])(
  'a disk of %s is told with its path and the space left, and caf run continues when there is more',
  async (size) => {
    const disk = scene.mountDisk('disk', `size=${size}`);
    scene.config(CAMPAIGN);
    expectFullDisk(await scene.caf(['run']));
    const before = scene.notes();
    disk.remount('size=20m');
    // The work that found no room for its result is the only one that is done again.
    const last = before.at(-1);
    await expectContinued(before, last === undefined ? [] : [last]);
  },
);

mountTest('a job that fills the disk fails as disk full at its directory, and is not tried again in vain', async () => {
  scene.mountDisk('disk', 'size=2m');
  scene.config(`
    import { writeFileSync } from 'node:fs';
    const fill = \`import os, sys
with open('big', 'wb') as f:
    f.write(b'x' * 4_000_000)
\`;
    export default defineConfig({ output: 'disk/results', backend: local({ slots: 1 }), calibrations: [
      defineCalibration({ name: 'p', algorithms: [], collections: { c: { files: [], collect: command(['python3', '-c', fill]) } } }),
      defineCalibration({ name: 'f', algorithms: [], dependsOn: [], collections: { c: { files: [], collect: ({ outputDirectory }) => { note('f'); writeFileSync(join(outputDirectory, 'big'), Buffer.alloc(4_000_000)); } } } }),
    ], maxParallelCalibrations: 1 });
  `);
  const { code, stdout, stderr } = await scene.caf(['run']);
  const said = (stdout + stderr).replaceAll(/\s+/g, ' ');
  expect([1, 3], said).toContain(code);
  expect(said).toMatch(
    /p\/0\/c\/0 failed attempt=0 cause=disk-full detail=".*the disk is full at \S*disk\/results\/p\/0\/collector\/c\/0.attempt-0.* left\)/,
  );
  expect(said).not.toContain('trying again');
});

mountTest('a quota of files is told with the number of files left, and caf run continues when it is raised', async () => {
  const disk = scene.mountDisk('disk', 'size=20m,nr_inodes=24');
  scene.config(CAMPAIGN);
  const ended = await scene.caf(['run']);
  expectFullDisk(ended);
  expect(ended.stdout + ended.stderr).toMatch(/\d+ files left/);
  const before = scene.notes();
  expect(before.length).toBeGreaterThan(0);
  disk.remount('nr_inodes=1000');
  await expectContinued(before, [before.at(-1) ?? '']);
});

mountTest('a results directory that is read-only at the start is refused with its path, and nothing is half made', async () => {
  const disk = scene.mountDisk('disk', 'size=20m');
  scene.config(CAMPAIGN);
  disk.remount('ro');
  const { code, stderr } = await scene.caf(['run']);
  expect(code).toBe(3);
  expect(stderr).toMatch(/disk\/results.*CAF_RESULTS_UNWRITABLE/s);
  expect(stderr).toContain('--output');
  expect(readdirSync(disk.path)).toEqual([]);
  expect(scene.notes()).toEqual([]);
  disk.remount('rw');
  await expectContinued([]);
});

mountTest(
  'a results directory that becomes read-only during the campaign ends it with 3; caf run continues when it can be written',
  async () => {
    const disk = scene.mountDisk('disk', 'size=20m');
    scene.config(
      CAMPAIGN.replace(
        "note(name + '/' + job);",
        "note(name + '/' + job); while (existsSync(join(import.meta.dirname, 'hold'))) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);",
      ).replace('import { writeFileSync }', 'import { existsSync, writeFileSync }'),
    );
    scene.write('hold', '');
    const running = scene.start(['run']);
    await scene.noted('a/0', running);
    const makeWritable = disk.makeReadOnly();
    rmSync(join(scene.directory, 'hold'));
    const { code, stdout, stderr } = await running.ended;
    expect(code, stdout + stderr).toBe(3);
    expect((stdout + stderr).replaceAll(/\s+/g, ' ')).toMatch(/no permission for \S*disk\/results\S* \(EROFS\).*CAF_RESULTS_UNWRITABLE/);
    expect(stderr).not.toMatch(/bug|unsettled/);
    makeWritable();
    await expectContinued(scene.notes(), ['a/0']);
  },
);

mountTest('status, logs and db work on a read-only results directory', async () => {
  const disk = scene.mountDisk('disk', 'size=20m');
  scene.config(CAMPAIGN);
  expect((await scene.caf(['run', '-q'])).code).toBe(0);
  disk.remount('ro');
  for (const words of [
    ['status', 'disk/results'],
    ['db', 'show', 'disk/results/a/localdb'],
    ['db', 'verify', 'disk/results/b/localdb'],
    ['run', '--dry-run'],
    ['run'],
  ]) {
    const { code, stdout, stderr } = await scene.caf(words);
    expect(code, words.join(' ') + stdout + stderr).toBe(0);
  }
});

test('a results directory whose place is a file is refused with its path', async () => {
  scene.config(CAMPAIGN.replace("output: 'disk/results'", "output: 'taken/results'"));
  scene.write('taken', 'a file');
  const { code, stderr } = await scene.caf(['run']);
  expect(code).toBe(3);
  expect(stderr).toMatch(/taken\/results.*CAF_RESULTS_UNWRITABLE/s);
});
