// Inputs that are missing, damaged or odd, configs that hang or fork, and names that would hurt a shell.
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { countsOf, createScene, type Scene } from '../support/scene.ts';

let scene: Scene;
beforeEach(() => {
  scene = createScene();
});
afterEach(() => scene.close());

/** Sums the second column of CSV files by run; complains about a line that is not two numbers. */
const CAMPAIGN = `
import { existsSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
const P = definePayload('Sum', z.object({ sum: z.number() }));
const wait = () => { while (existsSync(join(import.meta.dirname, 'hold'))) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10); };
export default defineConfig({ backend: local({ slots: 1 }), calibrations: [defineCalibration({ name: 'a',
  collections: { c: { files: ['data/*.csv'], runs: /r(?<run>\\\\d+)/.source ? /e(?<experiment>\\\\d+)r(?<run>\\\\d+)/ : undefined, split: { maxFilesPerJob: 1 }, collect: ({ files, record }) => {
    for (const file of files) {
      note(basename(file));
      wait();
      const run = Number(/r(\\\\d+)/.exec(file)![1]);
      for (const [index, line] of readFileSync(file, 'utf8').split('\\\\n').entries()) {
        if (line === '') continue;
        const value = Number(line);
        if (Number.isNaN(value)) throw new Error(file + ':' + (index + 1) + ': expected a number, found ' + JSON.stringify(line));
        record([1, run], 'v', value);
      }
    }
  } } },
  algorithms: [{ name: 'fit', strategy: singleIov(), run: async ({ data, commit }) => { let sum = 0; for await (const { value } of data.records('v')) sum += value as number; commit(P, { sum }); return 'ok'; } }],
})] });
`
  .replaceAll('\\\\', '\\')
  .replace('/r(?<run>\\d+)/.source ? /e(?<experiment>\\d+)r(?<run>\\d+)/ : undefined', '/e(?<experiment>\\d+)r(?<run>\\d+)/');

const sum = async () =>
  (JSON.parse((await scene.caf(['db', 'get', 'calibration_results/a/localdb', 'Sum', '1', '1'])).stdout) as { sum: number }).sum;

test('files that the system does not tell of are told at once, too, and a pattern may be longer than a name', async () => {
  const long = 'x'.repeat(300);
  for (const name of ['one', 'two']) scene.write(`data/${name}.csv`, '1');
  for (const [from, to] of [
    ['loop-a', 'loop-b'],
    ['loop-b', 'loop-a'],
  ] as const)
    symlinkSync(to, join(scene.directory, 'data', from));
  scene.config(`export default defineConfig({ calibrations: [
    defineCalibration({ name: 'a', algorithms: [], collections: { c: { files: ['data/{one,two,${long}}.csv', '${long}', 'data/loop-a'], collect: command(['true']) } } }),
  ] });`);
  const { code, stderr } = await scene.caf(['run']);
  expect(code).toBe(2);
  expect(stderr).toContain('2 problems with the inputs');
  for (const text of ['files[1]', 'ENAMETOOLONG', 'files[2]', 'ELOOP', 'CAF_INPUT_MISSING']) expect(stderr).toContain(text);
});

test('patterns and files without a match are all told at once before anything starts', async () => {
  scene.write('data/run-1.csv', '1');
  scene.config(`export default defineConfig({ calibrations: [
    defineCalibration({ name: 'a', algorithms: [], collections: { c: { files: ['data/*.root', 'data/run-2.csv'], collect: command(['true']) } } }),
    defineCalibration({ name: 'b', algorithms: [], collections: { c: { files: ['nowhere/x.csv'], collect: command(['true']) } } }),
  ] });`);
  const { code, stderr } = await scene.caf(['run']);
  expect(code).toBe(2);
  for (const text of [
    "'data/*.root' matches no file",
    "'data/run-1.csv'?",
    "'nowhere/x.csv'",
    'calibrations.a.collections.c.files[0]',
    'CAF_INPUT_MISSING',
  ])
    expect(stderr).toContain(text);
  expect(existsSync(scene.results)).toBe(false);
});

test('runs that no file tells are told with three of the files, not with all', async () => {
  for (let i = 0; i < 50; i += 1) scene.write(`data/part-${i}.csv`, '1');
  scene.config(`export default defineConfig({ calibrations: [
    defineCalibration({ name: 'a', algorithms: [], collections: { c: { files: ['data/part-*.csv'], runs: /e(?<experiment>\\d+)r(?<run>\\d+)/, collect: command(['true']) } } }),
    defineCalibration({ name: 'b', algorithms: [], collections: { c: { files: ['data/part-7.csv'], runs: { 'data/else.csv': [1, 1] }, collect: command(['true']) } } }),
  ] });`);
  const { code, stderr } = await scene.caf(['run']);
  expect(code).toBe(2);
  expect(stderr.match(/does not match it/g)).toHaveLength(3);
  expect(stderr).toContain('the same for 47 more of 50 files');
  expect(stderr.replace(/\s+/g, ' ')).toContain('the map has 1 other path ');
});

test('an empty input file is legal; a malformed row fails its job with file and line, and after the file is mended caf run continues with it alone', async () => {
  scene.config(CAMPAIGN);
  scene.write('data/e1r1.csv', '1\n2\n');
  scene.write('data/e1r2.csv', '');
  scene.write('data/e1r3.csv', '4\nfive\n');
  const { code, stdout } = await scene.caf(['run']);
  expect(code).toBe(1);
  expect(stdout.replaceAll(/\s+/g, ' ')).toMatch(/data\/e1r3\.csv:2: expected a number, found "five"/);
  scene.write('data/e1r3.csv', '4\n5\n');
  expect((await scene.caf(['run'])).code).toBe(0);
  expect(await sum()).toBe(12);
  expect(countsOf(scene.notes())).toEqual({ 'e1r1.csv': 1, 'e1r2.csv': 1, 'e1r3.csv': 4 });
});

/** Root reads everything, unless it gives up the right to. */
const asMortal = process.getuid?.() === 0 ? ['setpriv', '--bounding-set', '-dac_override,-dac_read_search'] : [];

test('an unreadable input file is told before anything starts, and fails its job without trying again when it becomes so later', async () => {
  scene.config(CAMPAIGN);
  const first = scene.write('data/e1r1.csv', '1\n');
  const second = scene.write('data/e1r2.csv', '2\n');
  chmodSync(first, 0);
  const { code, stderr } = await scene.caf(['run'], { through: asMortal });
  expect(code, stderr).toBe(2);
  expect(stderr).toContain("'data/e1r1.csv' cannot be read");
  expect(existsSync(scene.results)).toBe(false);
  chmodSync(first, 0o644);
  scene.write('hold', '');
  const running = scene.start(['run'], { through: asMortal });
  await scene.noted('e1r1.csv', running);
  chmodSync(second, 0);
  rmSync(join(scene.directory, 'hold'));
  const later = await running.ended;
  expect(later.code, later.stdout + later.stderr).toBe(1);
  expect((later.stdout + later.stderr).replaceAll(/\s+/g, ' ')).toMatch(/bad.input.*e1r2\.csv/);
  expect(countsOf(scene.notes())).toEqual({ 'e1r1.csv': 1, 'e1r2.csv': 1 });
  chmodSync(second, 0o644);
  const again = await scene.caf(['run'], { through: asMortal });
  expect(again.code, again.stdout + again.stderr).toBe(0);
  expect(await sum()).toBe(3);
});

test('an input file that vanishes between plan and job fails that job at once, without trying again; when it is back caf run continues', async () => {
  scene.config(CAMPAIGN);
  for (const run of [1, 2, 3]) scene.write(`data/e1r${run}.csv`, `${run}\n`);
  scene.write('hold', '');
  const running = scene.start(['run']);
  await scene.noted('e1r1.csv', running);
  rmSync(join(scene.directory, 'data/e1r3.csv'));
  rmSync(join(scene.directory, 'hold'));
  const { code, stdout, stderr } = await running.ended;
  expect(code, stdout + stderr).toBe(1);
  expect((stdout + stderr).replaceAll(/\s+/g, ' ')).toMatch(/bad.input.*e1r3\.csv/);
  expect(countsOf(scene.notes())).toEqual({ 'e1r1.csv': 1, 'e1r2.csv': 1, 'e1r3.csv': 1 });
  scene.write('data/e1r3.csv', '3\n');
  expect((await scene.caf(['run'])).code).toBe(0);
  expect(await sum()).toBe(6);
  expect(countsOf(scene.notes())).toEqual({ 'e1r1.csv': 1, 'e1r2.csv': 1, 'e1r3.csv': 2 });
});

test('an input file that changes during the campaign is noticed by its fingerprint, and the next caf run says so and does its job again', async () => {
  scene.config(CAMPAIGN);
  for (const run of [1, 2]) scene.write(`data/e1r${run}.csv`, `${run}\n`);
  scene.write('hold', '');
  const running = scene.start(['run']);
  await scene.noted('e1r1.csv', running);
  scene.write('data/e1r1.csv', '10\n10\n');
  rmSync(join(scene.directory, 'hold'));
  expect((await running.ended).code).toBe(0);
  const plan = await scene.caf(['run', '--dry-run']);
  expect(plan.stdout).toMatch(/e1r1\.csv|input/);
  expect(plan.stdout).not.toContain('nothing to do');
  expect((await scene.caf(['run'])).code).toBe(0);
  expect(await sum()).toBe(22);
});

test('files outside the requested interval are not collected; when none is left that is told with the interval', async () => {
  scene.config(CAMPAIGN);
  for (const run of [1, 2, 3]) scene.write(`data/e1r${run}.csv`, `${run}\n`);
  expect((await scene.caf(['run', '--iov', '1,2,1,3'])).code).toBe(0);
  expect(countsOf(scene.notes())).toEqual({ 'e1r2.csv': 1, 'e1r3.csv': 1 });
  const { code, stdout, stderr } = await scene.caf(['run', '--iov', '7,1,7,9', '--output', 'other']);
  expect(code).toBe(1);
  expect((stdout + stderr).replaceAll(/\s+/g, ' ')).toMatch(/no input file is left for a\/c: the requested IoV is 7,1,7,9/);
});

test('two calibrations of one name, two algorithms of one name and a circle are told together with their places', async () => {
  scene.config(`const c = { c: { files: [], collect: command(['true']) } };
  export default defineConfig({ calibrations: [
    defineCalibration({ name: 'a', collections: c, algorithms: [{ name: 'x', run: () => 'ok' }, { name: 'x', run: () => 'ok' }] }),
    defineCalibration({ name: 'a', collections: c, algorithms: [] }),
  ] });`);
  const same = await scene.caf(['run']);
  expect(same.code).toBe(2);
  expect(same.stderr.match(/'?x'?/g)?.length).toBeGreaterThan(0);
  expect(same.stderr).toMatch(/2 problems/);
  scene.config(`const make = (name: string, dependsOn: string[]) => defineCalibration({ name, dependsOn, algorithms: [], collections: { c: { files: [], collect: command(['true']) } } });
  export default defineConfig({ calibrations: [make('a', ['c']), make('b', ['a']), make('c', ['b'])] });`);
  const circle = await scene.caf(['run']);
  expect(circle.code).toBe(2);
  expect(circle.stderr).toMatch(/(a -> c -> b -> a|a -> b -> c -> a|b -> a -> c -> b|c -> b -> a -> c).*/);
  expect(circle.stderr).toContain('CAF_CONFIG_CYCLE');
});

const ODD_NAMES = [
  'with space',
  'quote\'"`',
  '$(touch owned)',
  ';touch owned;',
  '-rf',
  'naïve-日本語',
  'new\nline',
  'star*[a]?',
  '{config}',
  'back\\slash',
  'x'.repeat(240),
];

test('files and arguments of any name work literally, in functions and programs: nothing is parsed by a shell', async () => {
  mkdirSync(join(scene.directory, 'data'));
  for (const [index, name] of ODD_NAMES.entries()) scene.write(`data/${name}`, `${index}\n`);
  scene.write(
    'show.py',
    `import json, os, sys
job = json.load(open(os.environ['CAF_JOB']))
assert sys.argv[1:1 + len(job['files'])] == job['files'], sys.argv
for path in job['files']:
    with open(path) as f: value = int(f.read())
    with open('records.ndjson', 'a') as f: f.write(json.dumps({'run': [1, 1], 'name': 'p', 'value': [os.path.basename(path), value]}) + '\\n')
with open('records.ndjson', 'a') as f: f.write(json.dumps({'run': [1, 1], 'name': 'arguments', 'value': sys.argv[1 + len(job['files']):]}) + '\\n')
`,
  );
  scene.config(`
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
const names: string[] = ${JSON.stringify(ODD_NAMES)};
const files = names.map((name) => 'data/' + name);
const P = definePayload('Seen', z.any());
export default defineConfig({ calibrations: [defineCalibration({ name: 'a',
  collections: {
    f: { files, split: { arguments: [names] }, collect: ({ files, arguments: words, record, outputDirectory }) => { for (const file of files) record([1, 1], 'f', [basename(file), Number(readFileSync(file, 'utf8'))]); record([1, 1], 'words', words); } },
    p: { files, split: { arguments: [names] }, collect: command(['python3', '{config}/show.py', '{files}']) },
  },
  algorithms: [{ name: 'fit', run: async ({ data, commit }) => {
    const all = async (name: string) => { const values: unknown[] = []; for await (const { value } of data.records(name)) values.push(value); return values; };
    commit(P, { f: Object.fromEntries(await all('f') as [string, number][]), p: Object.fromEntries(await all('p') as [string, number][]), words: (await all('words'))[0], arguments: (await all('arguments'))[0] });
    return 'ok';
  } }] })] });`);
  const { code, stdout, stderr } = await scene.caf(['run']);
  expect(code, stdout + stderr).toBe(0);
  const seen = JSON.parse((await scene.caf(['db', 'get', 'calibration_results/a/localdb', 'Seen', '1', '1'])).stdout) as Record<
    string,
    unknown
  >;
  const expected = Object.fromEntries(ODD_NAMES.map((name, index) => [name, index]));
  expect(seen.f).toEqual(expected);
  expect(seen.p).toEqual(expected);
  expect(seen.words).toEqual(ODD_NAMES);
  expect(seen.arguments).toEqual(ODD_NAMES);
  expect(existsSync(join(scene.directory, 'owned'))).toBe(false);
  expect((await scene.caf(['filemap'])).code).toBe(0);
  expect((await scene.caf(['run'])).stdout).toContain('nothing to do');
});

test('results, config and working directories of any name work', async () => {
  scene.write(
    "it's $(a) dir/caf.config.ts",
    `import { command, defineCalibration, defineConfig } from 'calibration-framework';
    export default defineConfig({ calibrations: [defineCalibration({ name: 'a', algorithms: [], collections: { f: { files: [], collect: ({ record }) => record([1, 1], 'n', 1) }, p: { files: [], collect: command(['true']), setup: ['export X=1'] } } })] });`,
  );
  const cwd = join(scene.directory, "it's $(a) dir");
  const { code, stdout, stderr } = await scene.caf(['run', '--output', '-- r "é\n'], { cwd });
  expect(code, stdout + stderr).toBe(0);
  expect(existsSync(join(cwd, '-- r "é\n', 'caf.db'))).toBe(true);
});

test.each(['with space', '$(touch owned)', ';x', '-rf', '../up', 'a/b', 'naïve', 'new\nline', '', 'objects', 'x'.repeat(300), '.hidden'])(
  'the calibration name %j is refused by the name rule, as are collections, algorithms and payloads of that name',
  async (name) => {
    scene.config(`const name = ${JSON.stringify(name)};
      definePayload(name, z.any());
      export default defineConfig({ calibrations: [
        defineCalibration({ name, algorithms: [], collections: { c: { files: [], collect: command(['true']) } } }),
        defineCalibration({ name: 'ok', algorithms: [{ name, run: () => 'ok' }], collections: { [name]: { files: [], collect: command(['true']) } } }),
      ] });`);
    const { code, stderr } = await scene.caf(['run']);
    expect(code).toBe(2);
    expect(stderr).toMatch(/CAF_CONFIG_INVALID/);
    // 'objects' is taken only as the name of a calibration: it would be the directory of the store.
    expect(Number(/(\d+) problems?/.exec(stderr)?.[1])).toBeGreaterThanOrEqual(name === 'objects' ? 1 : 3);
    expect(existsSync(scene.results)).toBe(false);
  },
);

test.each([
  ['loops for ever', 'for (;;);'],
  ['awaits for ever', 'await new Promise(() => setInterval(() => undefined, 1000));'],
  ['waits for a program for ever', `(await import('node:child_process')).execFileSync('sleep', ['1000']);`],
])('a config that %s is ended at the time limit of loading, with its path', async (_, code) => {
  scene.config(`${code}\nexport default defineConfig({ calibrations: [] });`);
  const ended = await scene.caf(['run'], { env: { CAF_CONFIG_TIMEOUT_MS: '2000' } });
  expect(ended.code, ended.stdout + ended.stderr).toBe(2);
  expect(ended.stderr).toMatch(/caf\.config\.ts/);
  expect(ended.stderr).toMatch(/CAF_CONFIG_LOAD/);
  expect(existsSync(scene.results)).toBe(false);
});

test('a config that runs caf, or itself, when it is imported does not do so for ever', async () => {
  scene.config(`
    import { spawnSync } from 'node:child_process';
    note('loaded');
    spawnSync(process.execPath, [process.argv[1]!, 'run', join(import.meta.dirname, 'caf.config.ts')], { stdio: 'inherit' });
    export default defineConfig({ calibrations: [defineCalibration({ name: 'a', algorithms: [], collections: { c: { files: [], collect: () => undefined } } })] });`);
  const { code, stderr } = await scene.caf(['run', '--dry-run']);
  expect([0, 2], stderr).toContain(code);
  expect(stderr).toContain('starts itself while it is being loaded');
  expect(scene.notes().length).toBeLessThanOrEqual(2);
  expect(readFileSync(join(scene.directory, 'caf.config.ts'), 'utf8')).toContain('loaded');
});

test.each([[['run', '--backend', 'htcondor']], [['run', '--backend', 'htcondor', '--detach']], [['submit', '--backend', 'htcondor']]])(
  'caf %s without the commands of the engine writes nothing, and says what to do',
  async (args) => {
    scene.config(
      `export default defineConfig({ calibrations: [defineCalibration({ name: 'a', algorithms: [], collections: { c: { files: [], collect: command(['true']) } } })] });`,
    );
    const { code, stderr } = await scene.caf(args, { env: { PATH: '/nowhere' } });
    expect(code).toBe(3);
    expect(stderr.replace(/\s+/g, ' ')).toContain('The backend htcondor cannot be used here: condor_version was not found on PATH');
    expect(stderr).toContain('CAF_BACKEND_UNAVAILABLE');
    expect(existsSync(scene.results)).toBe(false);
  },
);
