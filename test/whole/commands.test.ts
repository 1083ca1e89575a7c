// The commands around caf run, on campaigns that really ran: reset, logs, status --watch, export, and an end that comes.
import { existsSync, readdirSync, readFileSync, watch } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createProject, HEADER, type Project, treeOf } from '../support/project.ts';

let project: Project;
beforeEach(() => {
  project = createProject();
});
afterEach(() => project.remove());

const config = (body: string): void => project.write('caf.config.ts', HEADER + body);

/** Resolves when the project has a file of this name. */
const appeared = (name: string): Promise<void> =>
  new Promise((resolve) => {
    const look = () => {
      if (!project.has(name)) return;
      watcher.close();
      resolve();
    };
    const watcher = watch(project.directory, look);
    look();
  });

/** View id of every database that was published, by its path. */
const viewIds = (): Readonly<Record<string, string>> =>
  Object.fromEntries(
    treeOf(project.results)
      .filter((path) => /\/localdb\/VERSION$/.test(path))
      .map((path) => [path, /\bview\S*\s+([0-9a-f]{64})/i.exec(readFileSync(join(project.results, path), 'utf8'))?.[1] ?? 'none']),
  );

const LOOP = `
const Value = definePayload('Value', z.object({ value: z.number() }));
const loop = defineCalibration({
  name: 'loop',
  collections: { c: { files: [], collect: ({ record, iteration }) => { note('collect ' + iteration); record([1, 1], 'n', iteration); } } },
  algorithms: [{ name: 'x', run: async ({ commit, conditions, iteration }) => {
    const before = await conditions.find(Value, [1, 1]);
    note('loop ' + iteration);
    commit(Value, { value: (before?.value ?? 1) * 2 });
    return iteration < 3 ? 'iterate' : 'ok';
  } }],
});
const after = defineCalibration({ name: 'after', dependsOn: [loop], collections: {}, algorithms: [{ name: 'x', run: async ({ commit, conditions }) => {
  note('after');
  commit(Value, { value: (await conditions.get(Value, [1, 1])).value + 1 });
  return 'ok';
} }] });
const Other = definePayload('Other', z.object({ value: z.number() }));
const other = defineCalibration({ name: 'other', collections: {}, algorithms: [{ name: 'x', run: ({ commit }) => { note('other'); commit(Other, { value: 7 }); return 'ok'; } }] });
`;

test('caf reset puts a calibration and its descendants back, keeps what is dropped, and caf run arrives at the same views', async () => {
  config(`${LOOP}export default defineConfig({ calibrations: [loop, after, other] });`);
  await project.ask(['run']);
  const views = viewIds();
  expect(Object.keys(views)).toHaveLength(4 + 1 + 2 + 2);
  expect(Object.values(views)).not.toContain('none');
  project.forgetNotes();

  const { code, stderr } = await project.caf(['reset', 'loop', '--iteration', '2']);
  expect(code, stderr).toBe(0);
  expect(stderr).toContain('loop, after: back to the start of iteration 2');
  const kept = [...readdirSync(join(project.results, 'loop')), ...readdirSync(join(project.results, 'after'))].filter((name) =>
    name.includes('.reset-'),
  );
  expect(kept.map((name) => name.replace(/\.reset-.*/, '')).sort()).toEqual(['0', '2', '3', 'localdb', 'localdb']);
  for (const name of kept) expect(name).toMatch(/\.reset-\d{4}-\d\d-\d\dT\d\d-\d\d-\d\dZ$/);
  expect((await project.status()).calibrations.map(({ name, state }) => [name, state])).toEqual([
    ['loop', 'init'],
    ['other', 'completed'],
    ['after', 'init'],
  ]);

  await project.ask(['run']);
  expect(project.notes().toSorted()).toEqual(['after', 'collect 2', 'collect 3', 'loop 2', 'loop 3']);
  const again = viewIds();
  expect(Object.fromEntries(Object.keys(views).map((path) => [path, again[path]]))).toEqual(views);

  const wrong = await project.caf(['reset', 'lopo']);
  expect(wrong.code).toBe(2);
  expect(wrong.stderr).toContain('Did you mean loop?');
});

test('savePayloads: false leaves a calibration out of the export of a results directory, and its descendants keep what they took', async () => {
  config(`${LOOP}export default defineConfig({ calibrations: [{ ...loop, savePayloads: false }, after, other] });`);
  await project.ask(['run']);
  await project.ask(['db', 'export', 'calibration_results', '--into', 'constants']);
  expect(
    project
      .read('constants/database.txt')
      .split('\n')
      .filter((line) => line.startsWith('dbstore/')),
  ).toHaveLength(2);
  await project.ask(['db', 'flatten', 'calibration_results', '--into', 'flat']);
  expect(await project.ask(['db', 'get', 'flat', 'Value', '1', '1'])).toBe('{"value":17}\n');
  expect(await project.ask(['db', 'get', 'flat', 'Other', '1', '1'])).toBe('{"value":7}\n');

  // Nothing half-done leaves the house.
  await project.caf(['reset', 'after']);
  const { code, stderr } = await project.caf(['db', 'export', 'calibration_results', '--into', 'late']);
  expect(code).toBe(2);
  expect(stderr).toContain('after has no result yet');
  expect(project.has('late')).toBe(false);
});

const GATED = `
import { existsSync, watch, writeFileSync } from 'node:fs';
const here = import.meta.dirname;
const gate = (name: string) => new Promise<void>((resolve) => {
  const look = () => { if (existsSync(join(here, name))) { watcher.close(); resolve(); } };
  const watcher = watch(here, look);
  look();
});
const gated = defineCalibration({
  name: 'gated',
  collections: { c: { files: [], collect: async ({ record }) => { console.log('before'); writeFileSync(join(here, 'collecting'), ''); await gate('open'); console.log('after'); record([1, 1], 'n', 1); } } },
  algorithms: [{ name: 'x', run: command(['sh', '-c', \`echo fitted; printf '{"result":"ok","payloads":[]}' > result.json\`]) }],
});
export default defineConfig({ calibrations: [gated] });
`;

test('caf logs -f shows what a job writes as it writes it, and ends when the job has ended', async () => {
  config(GATED);
  const run = project.start(['run']);
  await appeared('collecting');
  const ofJob = project.start(['logs', 'gated/0/c/0', '-f']);
  const ofCalibration = project.start(['logs', 'gated', '-f']);
  const ofCampaign = project.start(['logs', '-f']);
  await new Promise<void>((resolve) => ofJob.child.stdout?.once('data', () => resolve()));
  project.write('open', '');
  const [job, calibration, campaign] = await Promise.all([ofJob.ended, ofCalibration.ended, ofCampaign.ended]);
  expect(job).toMatchObject({ code: 0, stdout: 'before\nafter\n' });
  expect(calibration.stdout).toContain('gated completed');
  expect(campaign.stdout).toContain('campaign completed');
  expect((await run.ended).code).toBe(0);

  // What has ended is shown and that is all, with and without -f.
  expect(await project.ask(['logs', 'gated/0/c/0', '-f'])).toBe('before\nafter\n');
  expect(await project.ask(['logs', 'gated/0/x'])).toBe('fitted\n');
  expect(await project.ask(['logs', 'gated/0'])).toContain('gated iteration 0 committed');
});

test('caf status --watch shows each change and ends with the campaign', async () => {
  config(GATED);
  const run = project.start(['run']);
  await appeared('collecting');
  const watching = project.start(['status', '--watch']);
  await new Promise<void>((resolve) => watching.child.stdout?.once('data', () => resolve()));
  project.write('open', '');
  const { code, stdout } = await watching.ended;
  expect(code).toBe(0);
  const tables = stdout.split(/\n\n(?=calibration_results)/);
  expect(tables.length).toBeGreaterThan(1);
  expect(tables[0]).toMatch(/gated +running_collector +0 +0\/1/);
  expect(tables.at(-1)).toMatch(/gated +completed +0 +1\/1/);
  await run.ended;
});

test('a timer and a server that the config leaves open do not keep caf alive, whatever the command', async () => {
  config(`import { createServer } from 'node:http';
setInterval(() => undefined, 1000);
createServer().listen(0);
${LOOP}export default defineConfig({ calibrations: [other] });`);
  for (const args of [['run', '--dry-run'], ['run'], ['run'], ['filemap'], ['graph'], ['status']])
    expect((await project.caf(args)).code, args.join(' ')).toBe(0);
});

test('caf graph draws the calibrations as a tree, for Mermaid and for Graphviz', async () => {
  config(`${LOOP}export default defineConfig({ calibrations: [loop, after, other] });`);
  expect(await project.ask(['graph'])).toMatch(/loop[\s\S]*after/);
  const mermaid = await project.ask(['graph', '--mermaid']);
  expect(mermaid).toMatch(/^(flowchart|graph) /m);
  expect(mermaid).toContain('-->');
  expect(await project.ask(['graph', '--dot'])).toMatch(/^digraph [\s\S]*"?loop"? -> "?after"?/);
  expect(existsSync(project.results)).toBe(false);
});

test('CAF_OUTPUT names the results directory for the commands that look, too', async () => {
  const body = (value: number): string => `
const Value = definePayload('Value', z.object({ value: z.number() }));
const a = defineCalibration({ name: 'a', collections: {}, algorithms: [{ name: 'x', run: ({ commit }) => { commit(Value, { value: ${value} }); return 'ok'; } }] });
export default defineConfig({ calibrations: [a] });`;
  config(body(1));
  await project.ask(['run']);
  config(body(Number.NaN));
  expect((await project.caf(['run'], { CAF_OUTPUT: 'elsewhere' })).code).toBe(1);
  const state = async (env: Readonly<Record<string, string>>) => JSON.parse(await project.ask(['status', '--json'], env)).state;
  expect(await state({ CAF_OUTPUT: 'elsewhere' })).toBe('failed');
  expect(await state({ CAF_OUTPUT: '' })).toBe('completed');
  // The directory of a config is good for its results, as for caf run.
  const shown = await project.caf(['status', project.directory, '--json']);
  expect(JSON.parse(shown.stdout)).toMatchObject({ state: 'completed' });
});

test('the digest of the code that a database keeps changes with the code of the collectors', async () => {
  const body = (value: number): string => `
const Value = definePayload('Value', z.object({ value: z.number() }));
const collect = ({ record }) => record([1, 1], 'n', ${value});
const run = ({ commit }) => { commit(Value, { value: 1 }); return 'ok'; };
const a = defineCalibration({ name: 'a', collections: { c: { files: [], collect } }, algorithms: [{ name: 'x', run }] });
export default defineConfig({ calibrations: [a] });`;
  const digests = async (value: number): Promise<Record<string, string>> => {
    config(body(value));
    await project.ask(['run']);
    return JSON.parse(await project.ask(['db', 'log', 'calibration_results/a/0/localdb', '--json'])).transactions[0];
  };
  const [first, second] = [await digests(1), await digests(2)];
  expect(second.codeDigest).not.toBe(first.codeDigest);
  expect(second.configDigest).toBe(first.configDigest);
});
