// Size as a fault: ten thousand calibrations in a chain, a hundred thousand jobs in one collection, floods of output. No stack overflow, flat memory.
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createScene, type Scene } from '../support/scene.ts';

let scene: Scene;
beforeEach(() => {
  scene = createScene();
});
afterEach(() => scene.close());

/** A module that writes the highest memory of the caf process, in bytes, when it ends. */
const measured = () => [
  '--import',
  scene.write(
    'rss.mjs',
    `import { writeFileSync } from 'node:fs'; process.on('exit', () => writeFileSync(${JSON.stringify(join(scene.directory, 'rss'))}, String(process.resourceUsage().maxRSS * 1024)));`,
  ),
];
const peakBytes = () => Number(readFileSync(join(scene.directory, 'rss'), 'utf8'));

test('10,000 calibrations in a chain are planned and drawn without a stack overflow, also with a small stack', async () => {
  scene.config(
    `export default defineConfig({ calibrations: Array.from({ length: 10_000 }, (_, i) => defineCalibration({ name: 'c' + i, algorithms: [], collections: { c: { files: [], collect: command(['true']) } }, dependsOn: i === 0 ? [] : ['c' + (i - 1)] })) });`,
  );
  const plan = await scene.caf(['run', '--dry-run'], { node: ['--stack-size=400', ...measured()] });
  expect(plan.code, plan.stderr).toBe(0);
  expect(plan.stdout).toContain('c9999');
  expect(peakBytes()).toBeLessThan(600e6);
  for (const words of [['graph'], ['graph', '--mermaid'], ['graph', '--dot']]) {
    const drawn = await scene.caf(words);
    expect(drawn.code, drawn.stderr).toBe(0);
    expect(drawn.stdout).toContain('c9999');
  }
});

test('a circle of 10,000 calibrations is refused without a stack overflow', async () => {
  scene.config(
    `export default defineConfig({ calibrations: Array.from({ length: 10_000 }, (_, i) => defineCalibration({ name: 'c' + i, algorithms: [], collections: { c: { files: [], collect: command(['true']) } }, dependsOn: ['c' + ((i + 9_999) % 10_000)] })) });`,
  );
  const { code, stderr } = await scene.caf(['run', '--dry-run']);
  expect(code).toBe(2);
  expect(stderr).toMatch(/CAF_CONFIG_CYCLE/);
  expect(stderr.length).toBeLessThan(20_000);
});

test('a failure at the head of a chain of 2,000 calibrations blocks all of them, and caf run goes on from there', async () => {
  scene.config(`import { existsSync } from 'node:fs';
    export default defineConfig({ calibrations: Array.from({ length: 2_000 }, (_, i) => defineCalibration({ name: 'c' + i, algorithms: [], collections: { c: { files: [], retries: 0, collect: command(['false']) } }, dependsOn: i === 0 ? [] : ['c' + (i - 1)] })) });`);
  const { code, stdout, stderr } = await scene.caf(['run', '-q']);
  expect(code, stdout + stderr).toBe(1);
  const status = JSON.parse((await scene.caf(['status', '--json'])).stdout) as { calibrations: { state: string }[] };
  expect(status.calibrations.filter(({ state }) => state === 'blocked')).toHaveLength(1_999);
  expect(stdout.length + stderr.length).toBeLessThan(200_000);
});

test('100,000 jobs in one collection are planned in flat memory', async () => {
  scene.config(
    `export default defineConfig({ calibrations: [defineCalibration({ name: 'a', algorithms: [], collections: { c: { files: [], split: { arguments: Array.from({ length: 100_000 }, (_, i) => [String(i)]) }, collect: command(['true']) } } })] });`,
  );
  const { code, stdout, stderr } = await scene.caf(['run', '--dry-run'], { node: measured() });
  expect(code, stderr).toBe(0);
  expect(stdout.replaceAll(/[ ,'’]/g, '')).toContain('100000');
  expect(peakBytes()).toBeLessThan(300e6);
});

test('a million lines on the standard output of a job go to its file; the memory of caf stays flat, and caf logs shows the end at once', async () => {
  scene.config(`export default defineConfig({ calibrations: [defineCalibration({ name: 'a', algorithms: [], collections: {
    p: { files: [], collect: command(['sh', '-c', 'seq 1000000']) },
    f: { files: [], collect: () => { let block = ''; for (let i = 1; i <= 1_000_000; i += 1) { block += i + '\\n'; if (i % 10_000 === 0) { process.stdout.write(block); block = ''; } } } } } })] });`);
  const { code, stdout, stderr } = await scene.caf(['run'], { node: measured() });
  expect(code, stdout + stderr).toBe(0);
  for (const collection of ['p', 'f']) {
    const log = join(scene.results, `a/0/collector/${collection}/0/stdout`);
    expect(statSync(log).size).toBe(6_888_896);
    const shown = await scene.caf(['logs', `a/0/${collection}/0`, '-n', '3'], { node: measured() });
    expect(shown.stdout.trimEnd().split('\n').slice(-3)).toEqual(['999998', '999999', '1000000']);
    expect(peakBytes()).toBeLessThan(150e6);
  }
});

test('the logs of jobs are bounded by maxLogSize, which is said in them', async () => {
  scene.config(`export default defineConfig({ backend: local({ slots: 2, maxLogSize: '1 MB' }), calibrations: [defineCalibration({ name: 'a', algorithms: [], collections: {
    p: { files: [], collect: command(['sh', '-c', 'seq 1000000']) } } })] });`);
  const { code, stdout, stderr } = await scene.caf(['run', '-q']);
  expect(code, stdout + stderr).toBe(0);
  const log = readFileSync(join(scene.results, 'a/0/collector/p/0/stdout'), 'utf8');
  expect(log.slice(1_000_000)).toBe('\n[caf: this log had 6888896 bytes; only the first 1000000 are kept]\n');
});

test('one line of 100 MB on the standard output of a job is kept in its file, and neither caf run nor caf logs nor the summary holds it in memory', async () => {
  scene.config(`export default defineConfig({ calibrations: [defineCalibration({ name: 'a', algorithms: [], collections: {
    p: { files: [], retries: 0, collect: command(['sh', '-c', 'head -c 100000000 /dev/zero | tr "\\\\0" x; exit 1']) } } })] });`);
  const { code, stdout, stderr } = await scene.caf(['run'], { node: measured() });
  expect(code, stderr).toBe(1);
  expect(peakBytes()).toBeLessThan(200e6);
  expect(statSync(join(scene.results, 'a/0/collector/p/0.attempt-0/stdout')).size).toBe(100_000_000);
  expect(stdout.length + stderr.length).toBeLessThan(10_000);
  const shown = await scene.caf(['logs', 'a/0/p/0', '-n', '2'], { node: measured() });
  expect(shown.code, shown.stderr).toBe(0);
  expect(shown.stdout).toContain('xxxxx');
});

test('10 MB on one line of an algorithm log, of a record and of an error message stay where they belong', async () => {
  scene.config(`
    const P = definePayload('P', z.object({ n: z.number() }));
    export default defineConfig({ calibrations: [defineCalibration({ name: 'a',
      collections: { c: { files: [], collect: ({ record, log }) => { log('y'.repeat(10_000_000)); record([1, 1], 'big', 'r'.repeat(10_000_000)); } } },
      algorithms: [
        { name: 'fit', run: async ({ data, commit, log }) => { let n = 0; for await (const { value } of data.records('big')) n += (value as string).length; log('z'.repeat(10_000_000)); commit(P, { n }); return 'ok'; } },
        { name: 'bad', run: () => { throw new Error('m'.repeat(10_000_000)); } },
      ] })] });`);
  const { code, stdout, stderr } = await scene.caf(['run']);
  expect(code).toBe(1);
  expect(stdout.length + stderr.length).toBeLessThan(20_000);
  expect(statSync(join(scene.results, 'caf.log')).size).toBeLessThan(1_000_000);
  expect(statSync(join(scene.results, 'caf.db')).size).toBeLessThan(1_000_000);
  expect(statSync(join(scene.results, 'a/0/algorithms/fit/stderr')).size).toBeGreaterThan(10_000_000);
  const status = await scene.caf(['status', '--all']);
  expect(status.stdout.length).toBeLessThan(20_000);
});
