// How many files a job that ended well leaves: at most four of caf's, on this machine and on a batch engine, and all that reads them goes on as before.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { startFakeSlurm } from '../backends/support/fake-slurm.ts';
import { createProject, HEADER, type Project } from '../support/project.ts';

const PROGRAM = `echo out; echo err >&2
printf '{"run":[1,2],"name":"n","value":%s}\\n' 2 3 > records.ndjson
printf '{"result":"ok","metadata":{"events":12345678901234567890}}' > result.json.new && mv result.json.new result.json`;

/** A function and a program that leave all they can, and one of each that leaves little. The sum of all records is the payload. */
const config = (factor: number): string => `${HEADER}
const Sum = definePayload('Sum', z.object({ value: z.number() }));
const sums = defineCalibration({
  name: 'sums',
  collections: {
    function: { files: [], collect: ({ record }) => { console.log('out'); console.error('err'); record([1, 1], 'n', 1); } },
    quiet: { files: [], collect: ({ record }) => record([1, 1], 'n', 10) },
    program: { files: [], collect: command(['/bin/sh', '-c', ${JSON.stringify(PROGRAM)}]) },
    silent: { files: [], collect: command(['true']) },
  },
  algorithms: [{
    name: 'sum',
    run: async ({ data, commit }) => {
      let value = 0;
      for await (const record of data.records('n')) value += record.value * ${factor};
      commit(Sum, { value });
      return 'ok';
    },
  }],
});
export default defineConfig({ calibrations: [sums] });
`;

let project: Project;
afterEach(() => project.remove());

const inJob = (collection: string) => readdirSync(join(project.results, 'sums/0/collector', collection, '0')).sort();
const jobFile = (collection: string): { readonly result?: unknown } =>
  JSON.parse(project.read(`calibration_results/sums/0/collector/${collection}/0/job.json`)) as { readonly result?: unknown };
const published = async () =>
  (JSON.parse(await project.ask(['db', 'get', join(project.results, 'sums/localdb'), 'Sum', '1', '1'])) as { value: number }).value;

async function leavesFewFiles(backend: string, env: Readonly<Record<string, string>>): Promise<void> {
  project = createProject({ 'caf.config.ts': config(1) });
  await project.ask(['run', '--backend', backend], env);
  expect(inJob('function')).toEqual(['job.json', 'records.ndjson', 'stderr', 'stdout']);
  expect(inJob('program')).toEqual(['job.json', 'records.ndjson', 'stderr', 'stdout']);
  expect(inJob('quiet')).toEqual(['job.json', 'records.ndjson', 'result.json']);
  expect(inJob('silent')).toEqual(['job.json']);
  expect(jobFile('function').result).toMatchObject({ result: 'ok', runs: { '1,1': [[0, expect.any(Number)]] } });
  expect(project.read('calibration_results/sums/0/collector/program/0/job.json')).toContain('"metadata":{"events":12345678901234567890}}');
  expect(jobFile('quiet')).not.toHaveProperty('result');
  expect(await published()).toBe(16);
  expect((await project.ask(['logs', 'sums/0/function/0'])).split('\n').sort()).toEqual(['', 'err', 'out']);
  // Algorithms done again read the same records; no job is.
  project.write('caf.config.ts', config(2));
  await project.ask(['run', '--backend', backend], env);
  expect(await published()).toBe(32);
}

describe('a job that ended well leaves at most four files of caf', () => {
  it('on this machine', () => leavesFewFiles('local', {}));

  it('on a batch engine', async () => {
    const slurm = await startFakeSlurm();
    try {
      const { PATH = '', SLURM_CONF = '' } = slurm.env;
      await leavesFewFiles('slurm', { PATH, SLURM_CONF });
    } finally {
      await slurm.close();
    }
  });
});
