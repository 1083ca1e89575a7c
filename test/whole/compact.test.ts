// `caf run --compact`: finished jobs in one file per collection, and everything that reads them goes on as before, whatever instant caf was killed at.
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { createProject, HEADER, type Project, treeOf } from '../support/project.ts';

let project: Project;
afterEach(() => project.remove());

const JOBS = 6;

/** Two iterations of function and program jobs; the sum of all that was recorded is the payload. */
const config = (factor: number, rejects = ''): string => `${HEADER}
const Sum = definePayload('Sum', z.object({ value: z.number() }));
const sums = defineCalibration({
  name: 'sums',
  quorum: 0.5,
  collections: {
    functions: {
      files: [],
      split: { arguments: Array.from({ length: ${JOBS} }, (_, i) => [String(i)]) },
      retries: 0,
      collect: ({ arguments: [number], record, iteration }) => {
        note('function ' + iteration + '/' + number);
        console.log('function ' + number);
        if (number === '${rejects}') throw new Error('rejected');
        record([1, Number(number)], 'n', Number(number));
      },
    },
    programs: {
      files: [],
      split: { arguments: Array.from({ length: ${JOBS} }, (_, i) => [String(i)]) },
      outputs: ['made/*.txt'],
      collect: command(['/bin/sh', '-c', 'mkdir made; echo "$1" > "made/of $1.txt"; echo "program $1"', 'job']),
    },
  },
  algorithms: [{
    name: 'sum',
    run: async ({ data, commit, iteration }) => {
      let value = data.files('made/*.txt').length;
      for await (const record of data.records('n')) value += record.value * ${factor};
      commit(Sum, { value });
      return iteration === 0 ? 'iterate' : 'ok';
    },
  }],
});
export default defineConfig({ backend: local({ slots: 2 }), calibrations: [sums] });
`;
const VALUE = (factor: number) => JOBS + factor * ((JOBS * (JOBS - 1)) / 2);
const COLLECTIONS = [0, 1].flatMap((iteration) => ['functions', 'programs'].map((name) => `sums/${iteration}/collector/${name}`));

const published = async () =>
  (JSON.parse(await project.ask(['db', 'get', join(project.results, 'sums/localdb'), 'Sum', '1', '1'])) as { value: number }).value;
const inCollections = () => COLLECTIONS.map((path) => readdirSync(join(project.results, path)).sort());
const ARCHIVED = COLLECTIONS.map(() => ['jobs.tar']);
const filesIn = (collection: string) =>
  execFileSync('tar', ['-tf', join(project.results, collection, 'jobs.tar')], { encoding: 'utf8' })
    .split('\n')
    .slice(0, -1);

describe('caf run --compact', () => {
  it('leaves one file per collection and iteration, and reads it again when algorithms are done again', async () => {
    project = createProject({ 'caf.config.ts': config(1) });
    await project.ask(['run', '--compact']);
    expect(await published()).toBe(VALUE(1));
    expect(inCollections()).toEqual(ARCHIVED);
    expect(filesIn('sums/0/collector/functions').slice(0, 5)).toEqual([
      '0/',
      '0/job.json',
      '0/records.ndjson',
      '0/result.json',
      '0/stdout',
    ]);
    expect(await project.ask(['logs', 'sums/0/functions/3'])).toBe('function 3\n');
    expect(await project.ask(['logs', 'sums/0/functions/3', '-n', '1'])).toBe('function 3\n');
    expect((await project.caf(['logs', 'sums/0/programs/5'])).stderr).toContain('sums/0/programs/5, attempt 0, stdout');
    expect(await project.caf(['logs', 'sums/0/programs/77'])).toMatchObject({ code: 2 });
    expect(await project.caf(['logs', 'sums/0/programs/5', '--attempt', '3'])).toMatchObject({ code: 2 });
    await project.ask(['db', 'verify', join(project.results, 'sums/localdb')]);
    expect((await project.status()).calibrations[0]?.jobs).toMatchObject({ total: 2 * JOBS, succeeded: 2 * JOBS });

    project.forgetNotes();
    project.write('caf.config.ts', config(10));
    await project.ask(['run']);
    expect(await published()).toBe(VALUE(10));
    // The jobs of the first iteration were kept; those of the second depend on the new payload.
    expect(project.notes().filter((text) => text.startsWith('function 0/'))).toEqual([]);
    expect(inCollections().flat()).not.toContain('jobs.tar');
    await project.ask(['run', '--compact']);
    expect(inCollections()).toEqual(ARCHIVED);
    expect(project.notes()).toHaveLength(JOBS);
  });

  it('archives what was finished before, and says how much', async () => {
    project = createProject({ 'caf.config.ts': config(1) });
    await project.ask(['run']);
    const before = treeOf(join(project.results, 'sums/0/collector/programs'));
    const said = await project.ask(['run', '--compact', '--json']);
    const archived = said
      .split('\n')
      .filter((line) => line.includes('"collection.archived"'))
      .map((line) => JSON.parse(line) as object);
    expect(archived).toMatchObject(COLLECTIONS.map(() => ({ calibration: 'sums', jobs: JOBS })));
    expect(inCollections()).toEqual(ARCHIVED);
    expect(filesIn('sums/0/collector/programs').sort()).toEqual([...before].sort());
    expect(await project.ask(['run', '--compact', '--json'])).not.toContain('collection.archived');
  });

  it('keeps jobs that failed as they are, and takes up the others when they are tried again', async () => {
    project = createProject({ 'caf.config.ts': config(1, '4') });
    await project.ask(['run', '--compact']);
    expect(inCollections()[0]).toEqual(['4.attempt-0', 'jobs.tar']);
    expect(await project.ask(['logs', 'sums/0/functions/4'])).toContain('function 4');
    project.write('caf.config.ts', config(1));
    await project.ask(['run', '--compact']);
    expect(await published()).toBe(VALUE(1));
    expect(inCollections()[1]).toEqual(['jobs.tar']);
  });

  it('loses nothing when it is killed, at many instants', async () => {
    project = createProject({ 'caf.config.ts': config(1) });
    await project.ask(['run']);
    project.forgetNotes();
    const before = COLLECTIONS.map((path) => treeOf(join(project.results, path)).filter((name) => !name.startsWith('.')));
    for (let round = 0; round < 12; round += 1) {
      const { child, ended } = project.start(['run', '--compact']);
      // Not a wait: the instant is what is tried, from before the archives are begun to after their end.
      await new Promise((resolve) => setTimeout(resolve, 60 + 20 * round));
      child.kill('SIGKILL');
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
      await ended;
      if (round % 3 === 2) {
        // As a config that was changed and back: the archives are unpacked, and are to be made again.
        project.write('caf.config.ts', config(round));
        await project.ask(['run', '--only', 'sums']);
        expect(await published()).toBe(VALUE(round));
      }
    }
    await project.ask(['run', '--compact']);
    expect(inCollections()).toEqual(ARCHIVED);
    expect(COLLECTIONS.map((path) => filesIn(path).sort())).toEqual(before.map((names) => [...names].sort()));
    expect(await published()).toBe(VALUE(11));
    expect(project.notes().filter((text) => text.startsWith('function 0/'))).toEqual([]);
    expect(existsSync(join(project.results, 'caf.db'))).toBe(true);
  });
});
