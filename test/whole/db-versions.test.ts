// Versions of a campaign that really ran: its branches, what is published, compared, rolled back, done again, marked invalid and collected.
import { afterEach, expect, test } from 'vitest';
import { createProject, HEADER, type Project } from '../support/project.ts';

let project: Project;
afterEach(() => project.remove());

const CONFIG = `${HEADER}
const Scale = definePayload('Scale', z.object({ scale: z.number() }));
const Shift = definePayload('Shift', z.object({ shift: z.number() }));
const FACTOR = 1;
export default defineConfig({ calibrations: [
  defineCalibration({ name: 'scale', collections: {
      all: { files: ['data/*.txt'], runs: () => [1, 1, 1, 9], collect: ({ record }) => { record([1, 1], 'x', 1); record([1, 9], 'x', 1); } },
    }, algorithms: [
    { name: 'fit', run: ({ commit, iteration }) => { commit(Scale, { scale: FACTOR + iteration }); return iteration < 2 ? 'iterate' : 'ok'; } },
  ] }),
  defineCalibration({ name: 'shift', dependsOn: ['scale'], collections: {
      all: { files: ['data/*.txt'], runs: () => [1, 1, 1, 9], collect: ({ record }) => { record([1, 1], 'x', 1); } },
    }, algorithms: [{ name: 'fit', run: ({ commit }) => { commit(Shift, { shift: 0.5 }); return 'ok'; } }] }),
] });`;

const refs = async (): Promise<readonly { name: string; kind: string; state: string; versionId: string }[]> =>
  JSON.parse(await project.ask(['db', 'ls', '--json'])).refs;

test('a campaign is published, compared, done again on a new branch, rolled back and collected', async () => {
  project = createProject({ 'caf.config.ts': CONFIG, 'data/a.txt': 'a' });
  await project.ask(['run']);
  expect((await refs()).map(({ name, kind }) => [name, kind])).toEqual([
    ['scale', 'branch'],
    ['shift', 'branch'],
  ]);
  expect(await project.ask(['db', 'publish', 'v1', '--note', 'first pass'])).toMatch(/published as v1/);

  // Done again from iteration 1 with other code: the old branch stays where it was.
  await project.ask(['reset', 'scale', '--iteration', '1']);
  await project.ask(['run']);
  const again = await refs();
  const tip = (name: string) => again.find((ref) => ref.name === name)?.versionId;
  expect(tip('scale~2')).toBeDefined();
  expect(tip('scale')).not.toBe(tip('scale~2'));
  const why = JSON.parse(await project.ask(['db', 'reflog', 'scale~2', '--json'])).changes;
  expect(why.map(({ reason }: { reason: string }) => reason)).toEqual([
    'result',
    'iteration 2',
    'iteration 1',
    'iteration 1 is done again on top of this one; scale is kept',
  ]);
  expect(why.every(({ actor }: { actor: string }) => actor.includes('@'))).toBe(true);
  // Same constants: nothing differs, although the versions do. The old one is found where reset put it.
  expect(await project.ask(['db', 'diff', 'scale', 'scale~2'])).toMatch(/no difference/);

  project.edit('caf.config.ts', 'FACTOR = 1', 'FACTOR = 4');
  await project.ask(['run']);
  expect(await project.ask(['db', 'publish', 'v2', '--note', 'new factor'])).toMatch(/1 intervals differ from v1/);
  expect(await project.ask(['db', 'get', 'published', 'Scale', '1', '5'])).toBe('{"scale":6}\n');
  await project.ask(['db', 'rollback', '--note', 'tracking worse']);
  expect(await project.ask(['db', 'get', 'published', 'Scale', '1', '5'])).toBe('{"scale":3}\n');

  expect(await project.ask(['db', 'gc'])).toMatch(/0 objects not needed/);
  const index = await project.ask(['db', 'reindex', '--json']);
  expect(JSON.parse(index)).toMatchObject({ problems: [] });
  expect(JSON.parse(await project.ask(['db', 'ls', '--json'])).refs).toEqual(await refs());
});

test('no campaign uses an invalid database; made anew it is another one', async () => {
  project = createProject({ 'caf.config.ts': CONFIG, 'data/a.txt': 'a' });
  await project.ask(['run', '--only', 'scale']);
  const state = ['db', 'state', 'calibration_results/scale/localdb'];
  await project.ask([...state, 'invalid', '--note', 'wrong map']);
  const { versionId } = JSON.parse(await project.ask(['db', 'show', 'calibration_results/scale/localdb', '--json']));
  // Made anew, it is another database: the old one is kept, and stays invalid.
  expect((await project.caf(['run'])).stderr).toContain('scale started iteration=0 because="its result was marked invalid"');
  expect(await project.ask(state)).toMatch(/committed/);
  const aside = `calibration_results/scale/localdb.${versionId}`;
  expect(await project.ask(['db', 'state', aside])).toMatch(/invalid/);
  project.edit('caf.config.ts', 'defineConfig({', `defineConfig({ databases: ['${aside}'],`);
  const refused = await project.caf(['run']);
  expect([refused.code, refused.stderr]).toEqual([expect.toSatisfy((code) => code !== 0), expect.stringMatching(/is invalid: wrong map/)]);
});
