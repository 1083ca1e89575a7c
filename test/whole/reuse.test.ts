// Which changes redo what: nothing, the algorithms, single jobs, a calibration and its descendants; each time with the reason shown.
import { mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createProject, HEADER, type Project, stampsOf } from '../support/project.ts';

const PEDESTALS = `export const readOut = (line: string): number => Number(line) * 1;
export const average = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
`;

const CONFIG = `${HEADER}
import { average, readOut } from './lib/pedestals.ts';
import { makeGain } from './lib/make-gain.ts';
import { readFileSync } from 'node:fs';

const Mean = definePayload('Mean', z.object({ mean: z.number() }));
const RUNS = /e(?<experiment>\\d+)r(?<run>\\d+)/;
const runOf = (path) => path.match(/e(\\d+)r(\\d+)/).slice(1).map(Number);

const pedestals = defineCalibration({
  name: 'pedestals',
  collections: { random: { files: ['data/e*.txt'], runs: RUNS, split: { maxFilesPerJob: 1 }, collect: ({ files, record }) => {
    note('pedestals collects ' + files[0].replace(/.*\\//, ''));
    record(runOf(files[0]), 'adc', readOut(readFileSync(files[0], 'utf8').trim()));
  } } },
  algorithms: [{ name: 'mean', strategy: sequentialRunByRun({ stepSize: 1 }), run: async ({ data, commit }) => {
    note('pedestals fits');
    const values: number[] = [];
    for await (const { value } of data.records<number>('adc')) values.push(value);
    commit(Mean, { mean: average(values) });
    return 'ok';
  } }],
});
const gain = makeGain({ name: 'gain', dependsOn: [pedestals], tell: () => note('gain runs') });
const neighbour = defineCalibration({ name: 'neighbour', collections: {}, algorithms: [{ name: 'x', run: ({ commit }) => { note('neighbour runs'); commit(Mean, { mean: 1 }); return 'ok'; } }] });
export default defineConfig({ databases: ['base'], calibrations: [pedestals, gain, neighbour], backend: local({ slots: 2 }) });
`;

const MAKE_GAIN = `import { defineCalibration, definePayload } from 'calibration-framework';
import * as z from 'zod';
const Gain = definePayload('Gain', z.object({ gain: z.number() }));
export const makeGain = ({ name, dependsOn, tell }) =>
  defineCalibration({ name, dependsOn, collections: {}, algorithms: [{ name: 'x', run: ({ commit }) => { tell(); commit(Gain, { gain: 1 }); return 'ok'; } }] });
`;

const DATABASE = { 'base/database.txt': 'dbstore/Base 000001 0,0,-1,-1\n', 'base/Base_rev_000001.json': '{"by":"base"}' };

let project: Project;
beforeEach(async () => {
  project = createProject({
    'caf.config.ts': CONFIG,
    'lib/pedestals.ts': PEDESTALS,
    'lib/make-gain.ts': MAKE_GAIN,
    'data/e1r1.txt': '10\n',
    'data/e1r2.txt': '20\n',
    ...DATABASE,
  });
  await project.ask(['run']);
  expect(project.notes().length).toBe(6);
  project.forgetNotes();
});
afterEach(() => project.remove());

const ALL_OF_PEDESTALS = ['pedestals collects e1r1.txt', 'pedestals collects e1r2.txt', 'pedestals fits', 'pedestals fits'];

/** The lines of --dry-run about calibrations: name -> reason. */
const reasons = async (flags: readonly string[] = []): Promise<Readonly<Record<string, string>>> => {
  const lines = (await project.ask(['run', '--dry-run', ...flags])).split('\n').filter((line) => /^(pedestals|gain|neighbour) /.test(line));
  return Object.fromEntries(lines.map((line) => [line.split(' ', 1)[0], line.replace(/^\S+ +(?:\d+ of )?\S+ +/, '')]));
};

/** Runs after a change; checks first that --dry-run tells the same and touches nothing. */
const rerun = async (
  flags: readonly string[] = [],
): Promise<{ ran: readonly string[]; why: Readonly<Record<string, string>>; said: string }> => {
  const before = stampsOf(project.directory);
  const why = await reasons(flags);
  expect(stampsOf(project.directory)).toEqual(before);
  const { code, stderr } = await project.caf(['run', ...flags]);
  expect(code, stderr).toBe(0);
  return { ran: project.notes().toSorted(), why, said: stderr };
};

test('unchanged: everything is reused and nothing is written, not even a time of modification', async () => {
  const before = stampsOf(project.directory);
  const { code, stdout } = await project.caf(['run']);
  expect(code).toBe(0);
  expect(stdout).toContain('nothing to do: 3 calibrations');
  expect(stampsOf(project.directory)).toEqual(before);
  expect(await reasons()).toEqual({ pedestals: 'up to date', gain: 'up to date', neighbour: 'up to date' });
});

describe('inputs', () => {
  test('of a changed file only its job runs again, then the algorithms and what depends on them', async () => {
    project.write('data/e1r2.txt', '2000\n');
    const { ran, why, said } = await rerun();
    expect(ran).toEqual(['gain runs', 'pedestals collects e1r2.txt', 'pedestals fits', 'pedestals fits']);
    expect(why).toEqual({ pedestals: 'input files changed since', gain: 'pedestals is done again', neighbour: 'up to date' });
    expect(said).toContain('pedestals started iteration=0 because="input files changed since"');
    expect(said).toContain('gain started iteration=0 because="pedestals is done again"');
    expect(await project.ask(['db', 'get', 'calibration_results/pedestals/localdb', 'Mean', '1', '2'])).toBe('{"mean":2000}\n');
  });

  test('of a new file only its job runs', async () => {
    project.write('data/e1r3.txt', '30\n');
    const { ran, why } = await rerun();
    expect(ran).toEqual(['gain runs', 'pedestals collects e1r3.txt', 'pedestals fits', 'pedestals fits', 'pedestals fits']);
    expect(why).toMatchObject({ pedestals: 'input list changed: + 1 file', neighbour: 'up to date' });
  });

  test('a base database with other payloads redoes all that may read it', async () => {
    project.write('base/Base_rev_000001.json', '{"by":"another"}');
    const { ran, why } = await rerun();
    expect(ran).toEqual(['gain runs', 'neighbour runs', ...ALL_OF_PEDESTALS]);
    expect(why.neighbour).toMatch(/^database .*base changed$/);
  });

  test('the requested IoV redoes all, and files outside of it are not collected', async () => {
    const { ran, why } = await rerun(['--iov', '1,2,1,-1']);
    expect(ran).toEqual(['gain runs', 'neighbour runs', 'pedestals collects e1r2.txt', 'pedestals fits']);
    expect(why.pedestals).toBe('requested IoV changed: everything -> 1,2,1,-1');
  });
});

describe('options', () => {
  test('of a strategy redo its algorithms and keep the jobs', async () => {
    project.edit('caf.config.ts', 'stepSize: 1', 'stepSize: 2');
    const { ran, why, said } = await rerun();
    expect(ran).toEqual(['gain runs', 'pedestals fits']);
    expect(why.pedestals).toBe('option stepSize of mean changed: 1 -> 2');
    expect(said).toContain('because="option stepSize of mean changed: 1 -> 2"');
  });

  test('of a split redo the jobs', async () => {
    project.edit('caf.config.ts', 'maxFilesPerJob: 1', 'maxFilesPerJob: 2');
    const { ran } = await rerun();
    expect(ran).toEqual(['gain runs', 'pedestals collects e1r1.txt', 'pedestals fits']);
  });

  test('that only say where and how long redo nothing', async () => {
    project.edit('caf.config.ts', 'runs: RUNS,', "runs: RUNS, retries: 5, resources: { time: '2 h' },");
    project.edit('caf.config.ts', 'local({ slots: 2 })', 'local({ slots: 1 })');
    expect((await rerun()).ran).toEqual([]);
  });
});

describe('code', () => {
  test('that collectors reach redoes all of the calibration and its descendants, not its neighbours', async () => {
    project.edit('lib/pedestals.ts', '* 1', '* 3');
    const { ran, why } = await rerun();
    expect(ran).toEqual(['gain runs', ...ALL_OF_PEDESTALS]);
    expect(why).toEqual({ pedestals: 'lib/pedestals.ts changed', gain: 'pedestals is done again', neighbour: 'up to date' });
  });

  test('that only algorithms reach redoes the algorithms and keeps the jobs', async () => {
    project.edit('lib/pedestals.ts', '/ values.length', '/ (values.length + 1)');
    const { ran, why } = await rerun();
    expect(ran).toEqual(['gain runs', 'pedestals fits', 'pedestals fits']);
    expect(why.pedestals).toBe('lib/pedestals.ts changed');
  });

  test('of a factory redoes what it made and nothing else', async () => {
    project.edit('lib/make-gain.ts', 'gain: 1', 'gain: 2');
    const { ran, why } = await rerun();
    expect(ran).toEqual(['gain runs']);
    expect(why).toEqual({ pedestals: 'up to date', gain: 'lib/make-gain.ts changed', neighbour: 'up to date' });
  });

  test('of a neighbour in the same file redoes only the neighbour', async () => {
    project.edit('caf.config.ts', 'mean: 1 }', 'mean: 2 }');
    const { ran, why } = await rerun();
    expect(ran).toEqual(['neighbour runs']);
    expect(why).toEqual({ pedestals: 'up to date', gain: 'up to date', neighbour: 'caf.config.ts changed' });
  });

  test('comments, white space and types redo nothing', async () => {
    project.edit(
      'lib/pedestals.ts',
      'export const readOut = (line: string): number',
      '// As read.\nexport const readOut = (line:   string | never)',
    );
    expect((await rerun()).ran).toEqual([]);
  });
});

describe('a database marked invalid', () => {
  const invalidate = (path: string) => project.ask(['db', 'state', `calibration_results/${path}`, 'invalid', '--note', 'wrong field map']);

  test('is not reused as a result: it and what depends on it are done again, and the old one is kept', async () => {
    await invalidate('pedestals/localdb');
    const old = JSON.parse(await project.ask(['db', 'show', 'calibration_results/pedestals/localdb', '--json']));
    expect(old.state).toBe('invalid');
    const { ran, why, said } = await rerun();
    expect(ran).toEqual(['gain runs', ...ALL_OF_PEDESTALS]);
    expect(why).toEqual({ pedestals: 'its result was marked invalid', gain: 'pedestals is done again', neighbour: 'up to date' });
    expect(said).toContain('pedestals started iteration=0 because="its result was marked invalid"');
    const made = JSON.parse(await project.ask(['db', 'show', 'calibration_results/pedestals/localdb', '--json']));
    expect([made.state, made.viewId]).toEqual(['committed', old.viewId]);
    expect(made.versionId).not.toBe(old.versionId);
    const aside = `calibration_results/pedestals/localdb.${old.versionId}`;
    expect(JSON.parse(await project.ask(['db', 'show', aside, '--json'])).state).toBe('invalid');
    expect((await rerun()).why).toMatchObject({ pedestals: 'up to date' });
  });

  test('of an iteration is not built upon: the calibration is done again', async () => {
    project.edit(
      'caf.config.ts',
      "note('neighbour runs'); commit(Mean, { mean: 1 }); return 'ok';",
      "commit(Mean, { mean: 1 }); return 'iterate';",
    );
    project.edit('caf.config.ts', "name: 'neighbour', collections", "name: 'neighbour', maxIterations: 1, collections");
    await rerun();
    await invalidate('neighbour/0/localdb');
    project.edit('caf.config.ts', 'maxIterations: 1', 'maxIterations: 2');
    const { why } = await rerun();
    expect(why).toMatchObject({ pedestals: 'up to date', neighbour: 'the database of its iteration 0 was marked invalid' });
    expect((await project.status()).calibrations.find(({ name }) => name === 'neighbour')).toMatchObject({
      state: 'completed',
      iteration: 1,
    });
  });
});

test('--fresh redoes everything', async () => {
  const { ran, why } = await rerun(['--fresh']);
  expect(ran).toEqual(['gain runs', 'neighbour runs', ...ALL_OF_PEDESTALS]);
  expect(Object.values(why)).toEqual(['--fresh', '--fresh', '--fresh']);
});

test('--only runs a calibration and those of its ancestors that are not complete', async () => {
  project.edit('caf.config.ts', 'stepSize: 1', 'stepSize: 2');
  project.edit('caf.config.ts', 'mean: 1 }', 'mean: 2 }');
  expect((await rerun(['--only', 'gain'])).ran).toEqual(['gain runs', 'pedestals fits']);
  project.forgetNotes();
  expect((await rerun(['--only', 'gain'])).ran).toEqual([]);
  expect((await rerun()).ran).toEqual(['neighbour runs']);

  const wrong = await project.caf(['run', '--only', 'gian']);
  expect(wrong.code).toBe(2);
  expect(wrong.stderr).toContain("did you mean 'gain'?");
});

test('what was left out when its ancestor was done again, by --only or because the config did not have it, is done again afterwards', async () => {
  project.edit('lib/pedestals.ts', '/ values.length', '/ (2 * values.length)');
  const first = await rerun(['--only', 'pedestals']);
  expect(first.ran).toEqual(['pedestals fits', 'pedestals fits']);
  expect(first.said).toContain('warning: gain: its result was made of an earlier one of pedestals code=CAF_OUTDATED');
  const published = await project.caf(['db', 'publish', 'v1', '--note', 'outdated']);
  expect(published.code, published.stderr).toBe(2);
  expect(published.stderr.replace(/\s+/g, ' ')).toContain(
    'the result of gain was made of an earlier one of pedestals CAF_RESULTS_INCOMPLETE',
  );
  project.forgetNotes();
  const { ran, why, said } = await rerun();
  expect(said).not.toContain('CAF_OUTDATED');
  expect(ran).toEqual(['gain runs']);
  expect(why).toMatchObject({ pedestals: 'up to date', gain: 'pedestals was done again since', neighbour: 'up to date' });
  project.forgetNotes();
  expect((await rerun()).ran).toEqual([]);
  expect((await project.caf(['db', 'publish', 'v1', '--note', 'all is new'])).code).toBe(0);

  project.edit('lib/pedestals.ts', '/ (2 * values.length)', '/ values.length');
  project.edit('caf.config.ts', '[pedestals, gain, neighbour]', '[pedestals, neighbour]');
  expect((await rerun()).ran).toEqual(['pedestals fits', 'pedestals fits']);
  project.forgetNotes();
  project.edit('caf.config.ts', '[pedestals, neighbour]', '[pedestals, gain, neighbour]');
  expect((await rerun()).ran).toEqual(['gain runs']);
});

test('a table that the function in runs reads redoes the jobs whose runs it tells otherwise', async () => {
  project.edit(
    'caf.config.ts',
    'runs: RUNS',
    "runs: (path) => JSON.parse(readFileSync(join(import.meta.dirname, 'runs.json'), 'utf8'))[path]",
  );
  project.write('runs.json', JSON.stringify({ 'data/e1r1.txt': [1, 1], 'data/e1r2.txt': [1, 2] }));
  await project.ask(['run']);
  project.forgetNotes();
  expect((await rerun()).ran).toEqual([]);
  project.write('runs.json', JSON.stringify({ 'data/e1r1.txt': [1, 1], 'data/e1r2.txt': [1, 2, 1, 3] }));
  const { ran, why } = await rerun();
  expect(ran).toEqual(['gain runs', 'pedestals collects e1r2.txt', 'pedestals fits', 'pedestals fits']);
  expect(why).toMatchObject({ pedestals: 'the runs of input files changed since' });
});

test('a config that is reached through a link: what it imports counts, also where all files count', async () => {
  const code = (definition: string) => `import { n } from './n.ts';
const Mean = definePayload('Mean', z.object({ mean: z.number() }));
const found = eval('(table) => table.n');
let made;
await new Promise((resolve) => setTimeout(() => { made = ${definition}; resolve(0); }, 0));
export default defineConfig({ calibrations: [made] });`;
  const run = "({ commit }) => { note('ran ' + found({ n })()); commit(Mean, { mean: 1 }); return 'ok'; }";
  project.write('real/n.ts', 'export const n = () => 41;\n');
  project.write(
    'real/caf.config.ts',
    HEADER + code(`defineCalibration({ name: 'a', collections: {}, algorithms: [{ name: 'x', run: ${run} }] })`),
  );
  mkdirSync(join(project.directory, 'link'));
  symlinkSync('../real/caf.config.ts', join(project.directory, 'link/caf.config.ts'));
  const notes = () => readFileSync(join(project.directory, 'real/notes'), 'utf8');
  await project.ask(['run', 'link']);
  await project.ask(['run', 'link']);
  expect(notes()).toBe('ran 41\n');
  project.edit('real/n.ts', '41', '42');
  await project.ask(['run', 'link']);
  expect(notes()).toBe('ran 41\nran 42\n');
});

test('a dry run where nothing was ever run makes nothing', async () => {
  const fresh = createProject({
    'caf.config.ts': CONFIG,
    'lib/pedestals.ts': PEDESTALS,
    'lib/make-gain.ts': MAKE_GAIN,
    'data/e1r1.txt': '1\n',
    ...DATABASE,
  });
  const before = stampsOf(fresh.directory);
  expect(await fresh.ask(['run', '--dry-run'])).toContain('never run');
  expect(stampsOf(fresh.directory)).toEqual(before);
  fresh.remove();
});
