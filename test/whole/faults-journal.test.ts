// A caf.db that is damaged, foreign, newer or gone, a clock that jumps, a file system without shared memory: recognised, and old results are never overwritten.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { countsOf, createScene, filesBelow, type Scene, viewIds } from '../support/scene.ts';

let scene: Scene;
beforeEach(() => {
  scene = createScene();
});
afterEach(() => scene.close());

const campaign = (more = '') => `
import { existsSync } from 'node:fs';
const P = definePayload('P', z.object({ n: z.number() }));
const wait = () => { while (existsSync(join(import.meta.dirname, 'hold'))) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10); };
const make = (name: string, dependsOn: string[] = []) => defineCalibration({ name, dependsOn, maxIterations: 2,
  collections: { c: { files: [], split: { arguments: [['0'], ['1'], ['2']] }, resources: { time: '10 min' }, collect: ({ arguments: [job], record, iteration }) => { note(name + '/' + iteration + '/' + job); if (name === 'a' && job === '1') wait(); record([1, Number(job)], 'n', 1); } } },
  algorithms: [{ name: 'fit', run: ({ commit, iteration }) => { note(name + '/' + iteration + '/fit'); commit(P, { n: iteration }); return iteration === 0 ? 'iterate' : 'ok'; } }] });
export default defineConfig({ backend: local({ slots: 1 }), calibrations: [make('a'), make('b', ['a'])${more}] });
`;
const THIRD = ", make('third')";

const digest = (path: string) => createHash('sha256').update(readFileSync(path)).digest('hex');
/** Everything below the results directory but the journal and the log. */
const contents = () =>
  Object.fromEntries(
    filesBelow(scene.results)
      .filter((path) => !/^caf\./.test(path))
      .map((path) => [path, digest(join(scene.results, path))]),
  );
const journal = () => join(scene.results, 'caf.db');

function sql(statements: string): void {
  const db = new DatabaseSync(journal());
  db.exec(statements);
  db.close();
}

/** Bytes at this place are turned over. */
function flip(from: number, length: number): void {
  const bytes = readFileSync(journal());
  for (let at = from; at < Math.min(from + length, bytes.length); at += 1) bytes[at] = (bytes[at] ?? 0) ^ 0xff;
  writeFileSync(journal(), bytes);
}

test.each<[string, () => void, RegExp]>([
  ['empty', () => writeFileSync(journal(), ''), /is empty \(0 bytes\).*CAF_JOURNAL_DAMAGED/],
  ['cut in its header', () => truncateSync(journal(), 50), /is truncated: it has 50 bytes, less than its header.*CAF_JOURNAL_DAMAGED/],
  ['cut in the middle', () => truncateSync(journal(), 8192), /is truncated: it has 8192 bytes of \d+.*CAF_JOURNAL_DAMAGED/],
  ['damaged in its first bytes', () => flip(0, 16), /first bytes are damaged.*CAF_JOURNAL_DAMAGED/],
  ['damaged in its tables', () => flip(4096, 100_000), /is damaged.*CAF_JOURNAL_DAMAGED/],
  [
    'a text file',
    () => writeFileSync(journal(), 'precious notes of somebody\n'.repeat(20)),
    /is not a SQLite file, not a journal of caf.*CAF_JOURNAL_FOREIGN/,
  ],
  [
    'the SQLite file of another program',
    () => {
      rmSync(journal());
      sql('CREATE TABLE precious(x); INSERT INTO precious VALUES (1)');
    },
    /SQLite file of another program.*CAF_JOURNAL_FOREIGN/,
  ],
  [
    'of a newer caf',
    () => sql('PRAGMA user_version = 999'),
    /has schema version 999; this caf knows versions up to \d+.*CAF_JOURNAL_NEWER/,
  ],
  ['gone', () => rmSync(journal()), /holds results \(a\/\), but no caf\.db.*CAF_JOURNAL_MISSING/],
])('a caf.db that is %s is refused with the remedy, and nothing is made over the old results', async (what, damage, message) => {
  scene.config(campaign());
  expect((await scene.caf(['run', '-q'])).code).toBe(0);
  const before = contents();
  const notes = scene.notes();
  damage();
  const damaged = existsSync(journal()) ? digest(journal()) : null;
  scene.config(campaign(THIRD));
  for (const words of what === 'gone' ? [['run']] : [['run'], ['run', '--fresh'], ['status'], ['reset', 'a']]) {
    const { code, stdout, stderr } = await scene.caf(words);
    expect(code, words.join(' ') + stdout + stderr).toBe(3);
    expect(stderr.replaceAll(/\s+/g, ' ')).toMatch(message);
    expect(stderr).toMatch(/calibration_results/);
    expect(stderr).toMatch(/hint: .*(backup|--output|Use the caf)/s);
  }
  expect(existsSync(journal()) ? digest(journal()) : null).toBe(damaged);
  expect(contents()).toEqual(before);
  expect(scene.notes()).toEqual(notes);
  // The databases are whole without the journal.
  expect((await scene.caf(['db', 'verify', 'calibration_results/b/localdb'])).code).toBe(0);
});

test('a journal whose write-ahead log was deleted after a kill is recognised, or continues from its last commit with the right result', async () => {
  scene.config(campaign());
  scene.write('hold', '');
  const running = scene.start(['run']);
  await scene.noted('a/0/1', running);
  running.child.kill('SIGKILL');
  await running.ended;
  rmSync(join(scene.results, 'caf.db-wal'), { force: true });
  rmSync(join(scene.results, 'caf.db-shm'), { force: true });
  rmSync(join(scene.directory, 'hold'));
  const { code, stderr, stdout } = await scene.caf(['run']);
  if (code === 0) expect(Object.keys(viewIds(scene.results))).toEqual(expect.arrayContaining(['a/localdb', 'b/localdb']));
  else {
    expect(code, stdout + stderr).toBe(3);
    expect(stderr).toMatch(/CAF_JOURNAL_(DAMAGED|MISSING)/);
  }
});

/** A module for the caf process alone: from when the file `jump` exists its clock is off by so much. */
const clock = (offsetMs: number) =>
  scene.write(
    'clock.mjs',
    `
  import { existsSync } from 'node:fs';
  const jump = ${JSON.stringify(join(scene.directory, 'jump'))};
  const Real = Date;
  const now = () => Real.now() + (existsSync(jump) ? ${offsetMs} : 0);
  globalThis.Date = class extends Real {
    constructor(...args) { if (args.length === 0) super(now()); else super(...args); }
    static now() { return now(); }
  };
`,
  );

test.each([
  ['back by an hour', -3_600_000],
  ['forward by a year', 365 * 86_400_000],
])(
  'a clock that jumps %s during the campaign changes neither result nor order, ends no job, and shows no negative time',
  async (_, offset) => {
    scene.config(campaign());
    scene.write('hold', '');
    const running = scene.start(['run', '--json'], { node: ['--import', clock(offset)] });
    await scene.noted('a/0/1', running);
    scene.write('jump', '');
    // Status is asked with the clock of somebody who did not jump, while it runs.
    const during = await scene.caf(['status']);
    expect(during.code, during.stderr).toBe(0);
    expect(during.stdout).not.toMatch(/-\d+(\.\d+)? ?(s|m|h|d)\b/);
    rmSync(join(scene.directory, 'hold'));
    const { code, stdout, stderr } = await running.ended;
    expect(code, stdout + stderr).toBe(0);
    expect(stdout).not.toMatch(/"(seconds|elapsed)":-/);
    const events = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { type: string; seconds?: number });
    expect(events.at(-1)).toMatchObject({ type: 'campaign.ended', outcome: 'completed' });
    expect(events.at(-1)?.seconds).toBeLessThan(600);
    expect(Object.values(countsOf(scene.notes())).every((count) => count === 1)).toBe(true);
    expect(scene.notes()).toHaveLength(16);
    for (const words of [['status'], ['status', '--all'], ['status', '--json'], ['logs']]) {
      const told = await scene.caf(words);
      expect(told.code, told.stderr).toBe(0);
      expect(told.stdout).not.toMatch(/[ "=:]-\d+(\.\d+)? ?(ms|s|m|min|h|d)\b|"seconds":-/);
    }
    const again = await scene.caf(['run']);
    expect(again.stdout).toContain('nothing to do');
  },
);

test('a caf that was killed while its clock was a year ahead is succeeded at once by one with the right clock', async () => {
  scene.config(campaign());
  scene.write('hold', '');
  scene.write('jump', '');
  const running = scene.start(['run'], { node: ['--import', clock(365 * 86_400_000)] });
  await scene.noted('a/0/1', running);
  running.child.kill('SIGKILL');
  await running.ended;
  rmSync(join(scene.directory, 'hold'));
  const { code, stdout, stderr } = await scene.caf(['run']);
  expect(code, stdout + stderr).toBe(0);
  const counts = countsOf(scene.notes());
  expect(counts['a/0/0']).toBe(1);
  expect(stdout + stderr).not.toMatch(/elapsed=-|in -/);
});

test('on a file system without shared memory the journal works for its one writer, status reads a copy, and doctor says so', async () => {
  const env = { CAF_FILESYSTEM: 'network' };
  scene.config(campaign());
  scene.write('hold', '');
  const running = scene.start(['run'], { env });
  await scene.noted('a/0/1', running);
  expect(existsSync(join(scene.results, 'caf.db-shm'))).toBe(false);
  // The copy is published at most once a second: the fact is outside of this process, and no event tells it.
  const names = async () => {
    const { code, stdout, stderr } = await scene.caf(['status', '--json'], { env });
    expect(code, stderr).toBe(0);
    return (JSON.parse(stdout) as { calibrations: { name: string }[] }).calibrations.map(({ name }) => name);
  };
  await expect.poll(names, { timeout: 20_000 }).toEqual(['a', 'b']);
  const second = await scene.caf(['run'], { env });
  expect(second.code).toBe(3);
  expect(second.stderr).toMatch(/CAF_RESULTS_LOCKED/);
  rmSync(join(scene.directory, 'hold'));
  const { code, stderr } = await running.ended;
  expect(code, stderr).toBe(0);
  expect((await scene.caf(['run'], { env })).stdout).toContain('nothing to do');
  const doctor = await scene.caf(['doctor'], { env });
  expect(doctor.stdout).toMatch(/network file system/);
});

test('a journal made by somebody else with triggers and views as a trap is only data: status changes nothing', async () => {
  scene.config(campaign());
  expect((await scene.caf(['run', '-q'])).code).toBe(0);
  sql(`CREATE TRIGGER trap AFTER UPDATE ON jobs BEGIN DELETE FROM jobs; END; CREATE VIEW trapped AS SELECT load_extension('evil') AS x;`);
  const before = digest(journal());
  for (const words of [['status'], ['status', '--json'], ['logs', '-n', '5'], ['run', '--dry-run'], ['run']]) {
    const { code, stderr } = await scene.caf(words);
    expect(code, words.join(' ') + stderr).toBe(0);
  }
  expect(digest(journal())).toBe(before);
});

test('the journal is made whole or not at all: a caf killed while making it leaves a directory the next one can use', async () => {
  scene.config(campaign());
  const { pid = 0 } = spawnSync('true');
  scene.write(`calibration_results/caf.db.new-${pid}-abc`, 'half');
  const { code, stderr } = await scene.caf(['run', '-q']);
  expect(code, stderr).toBe(0);
  expect(filesBelow(scene.results).filter((path) => path.startsWith('caf.db.new'))).toEqual([]);
});

test('a results directory that is renamed under a running caf ends it, and continues once it is back', async () => {
  scene.config(campaign());
  scene.write('hold', '');
  const running = scene.start(['run', '-v']);
  await scene.noted('a/0/1', running);
  const away = join(scene.directory, 'away');
  renameSync(scene.results, away);
  rmSync(join(scene.directory, 'hold'));
  const { code, stderr } = await running.ended;
  expect(code, stderr).toBe(3);
  expect(stderr.replace(/\s+/g, ' ')).toMatch(
    /was removed or renamed while caf worked on it.*CAF_RESULTS_UNWRITABLE hint: Bring the directory back/,
  );
  expect(existsSync(scene.results)).toBe(false);

  renameSync(away, scene.results);
  const again = await scene.caf(['run', '-q']);
  expect(again.code, again.stderr).toBe(0);
  expect(countsOf(scene.notes())).toMatchObject({ 'a/0/0': 1, 'a/0/2': 1, 'a/1/0': 1, 'b/1/fit': 1 });
});
