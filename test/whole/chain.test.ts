// The database chain as jobs see it: who wins over whom, in collectors, functions and programs, in every iteration.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createProject, HEADER, type Project } from '../support/project.ts';

/** A database in text form: payload name -> who put it there. */
const database = (by: string, names: readonly string[]): Readonly<Record<string, string>> =>
  Object.fromEntries([
    [`${by}/database.txt`, names.map((name) => `dbstore/${name} 000001 0,0,-1,-1\n`).join('')],
    ...names.map((name) => [`${by}/${name}_rev_000001.json`, JSON.stringify({ by })]),
  ]);

const CONFIG = `${HEADER}
const names = ['Base', 'Ours', 'Above', 'Latest', 'Aside', 'Step', 'Once'];
const tags = Object.fromEntries(names.map((name) => [name, definePayload(name, z.object({ by: z.string() }))]));

/** Notes who is seen for each name, for run 1 of experiment 1. */
const look = async (who: string, conditions) => {
  for (const name of names) {
    const found = await conditions.find(tags[name], [1, 1]);
    note(who + ' ' + name + ' ' + (found?.by ?? 'nobody'));
  }
};
const collections = { events: { files: [], collect: ({ record }) => { record([1, 1], 'n', 1); record([1, 2], 'n', 1); } } };
const simple = (name: string, commits: readonly string[], more: object = {}) =>
  defineCalibration({
    name,
    collections,
    algorithms: [{ name: 'tag', run: async ({ commit, conditions }) => {
      await look(name, conditions);
      for (const each of commits) commit(tags[each], { by: name });
      return 'ok';
    } }],
    ...more,
  });

const grand = simple('grand', ['Above', 'Latest']);
const parent = simple('parent', ['Above', 'Latest'], { dependsOn: [grand] });
const uncle = simple('uncle', ['Latest', 'Aside'], { databases: ['calibration-db'] });
const child = defineCalibration({
  name: 'child',
  dependsOn: [parent, uncle],
  databases: ['calibration-db', 'second-db'],
  maxIterations: 3,
  collections: { events: { files: [], collect: async ({ record, conditions, iteration }) => {
    await look('collector/' + iteration, conditions);
    record([1, 1], 'n', 1);
    record([1, 2], 'n', 1);
  } } },
  algorithms: [
    { name: 'first', strategy: sequentialRunByRun(), run: async ({ runs, commit, conditions, iteration }) => {
      await look('first/' + iteration + '/run' + runs[0][1], conditions);
      commit(tags.Step, { by: 'first/' + iteration }, { iov: [0, 0, -1, -1] });
      if (iteration === 0) commit(tags.Once, { by: 'first/0' });
      return iteration < 2 ? 'iterate' : 'ok';
    } },
    { name: 'second', setup: ({ conditions, iteration }) => look('setup/' + iteration, conditions), run: async ({ conditions, iteration }) => {
      await look('second/' + iteration, conditions);
      return 'ok';
    } },
    { name: 'program', run: command([process.execPath, '{config}/look.mjs', '{iteration}']) },
  ],
});
export default defineConfig({ databases: ['config-db'], calibrations: [grand, parent, uncle, child], backend: local({ slots: 1 }) });
`;

const LOOK = `import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
const job = JSON.parse(readFileSync(process.env.CAF_JOB, 'utf8'));
const { payloads } = JSON.parse(readFileSync(join(job.conditions, 'index.json'), 'utf8'));
for (const [name, all] of Object.entries(payloads)) {
  const found = all.find(({ iov: [, low, , high] }) => low <= 1 && (high === -1 || high >= 1));
  const { by } = JSON.parse(readFileSync(join(job.conditions, found.file), 'utf8'));
  appendFileSync(join(import.meta.dirname, 'notes'), 'program/' + process.argv[2] + ' ' + name + ' ' + by + '\\n');
}
writeFileSync('result.json', JSON.stringify({ result: 'ok', payloads: [] }));
`;

describe('the database chain', () => {
  let project: Project;
  let seen: ReadonlyMap<string, Readonly<Record<string, string>>>;
  beforeAll(async () => {
    project = createProject({
      'caf.config.ts': CONFIG,
      'look.mjs': LOOK,
      ...database('config-db', ['Base', 'Ours', 'Above', 'Latest']),
      ...database('calibration-db', ['Base', 'Above', 'Latest', 'Aside', 'Step']),
      ...database('second-db', ['Base', 'Ours']),
    });
    await project.ask(['run']);
    const facts = project.notes().map((line) => line.split(' ') as [string, string, string]);
    seen = new Map(
      [...Map.groupBy(facts, ([who]) => who)].map(([who, all]) => [who, Object.fromEntries(all.map(([, name, by]) => [name, by]))]),
    );
  });
  afterAll(() => project.remove());

  test("the config's databases come last", () => {
    expect(seen.get('grand')).toEqual({
      Base: 'config-db',
      Ours: 'config-db',
      Above: 'config-db',
      Latest: 'config-db',
      Aside: 'nobody',
      Step: 'nobody',
      Once: 'nobody',
    });
  });

  test("a calibration's own databases come before the config's, in the order they are listed", () => {
    expect(seen.get('uncle')).toMatchObject({ Base: 'calibration-db', Ours: 'config-db', Above: 'calibration-db' });
    expect(seen.get('collector/0')).toMatchObject({ Base: 'calibration-db', Ours: 'second-db' });
  });

  test('an ancestor wins over databases, the latest in topological order over earlier ones', () => {
    expect(seen.get('parent')).toMatchObject({ Above: 'grand', Latest: 'grand' });
    expect(seen.get('collector/0')).toMatchObject({ Above: 'parent', Latest: 'parent', Aside: 'uncle' });
  });

  test('what does not depend on a calibration does not see it', () => {
    expect(seen.get('uncle')).toMatchObject({ Above: 'calibration-db', Latest: 'calibration-db' });
  });

  test('executions of one algorithm do not see each other', () => {
    expect(seen.get('first/0/run1')).toMatchObject({ Step: 'calibration-db', Once: 'nobody' });
    expect(seen.get('first/0/run2')).toMatchObject({ Step: 'calibration-db', Once: 'nobody' });
  });

  test('a later algorithm, its setup and a program see what earlier ones of the same iteration committed', () => {
    for (const iteration of [0, 1, 2])
      for (const who of ['setup', 'second', 'program'])
        expect(seen.get(`${who}/${iteration}`), who).toMatchObject({ Step: `first/${iteration}` });
  });

  test('an iteration sees all before it, the newest first', () => {
    expect(seen.get('collector/1')).toMatchObject({ Step: 'first/0', Once: 'first/0' });
    expect(seen.get('first/2/run1')).toMatchObject({ Step: 'first/1', Once: 'first/0' });
    expect(seen.get('collector/2')).toMatchObject({ Step: 'first/1', Once: 'first/0', Above: 'parent', Ours: 'second-db' });
  });

  test('the lock file beside each job names the members in this order, the draft by its content', () => {
    const labels = (path: string) =>
      (
        JSON.parse(project.read(`calibration_results/child/${path}`)) as {
          databases: readonly { label: string; versionId: string | null }[];
        }
      ).databases.map(({ label, versionId }) => `${label}${versionId === null ? ' (no version)' : ''}`);
    // Topological order, as Kahn's algorithm gives it: grand, uncle, parent, child.
    const rest = ['parent', 'uncle', 'grand'];
    expect(labels('2/collector/.chain.lock.json').slice(0, 5)).toEqual(['child/1', 'child/0', ...rest]);
    expect(labels('2/algorithms/second/.chain.lock.json').slice(0, 6)).toEqual(['draft (no version)', 'child/1', 'child/0', ...rest]);
    expect(labels('2/localdb/chain.lock.json').slice(0, 5)).toEqual(['child/1', 'child/0', ...rest]);
  });
});
