// What a site needs for single collections and jobs: how jobs are sent, what --dry-run says of it, and that no result depends on it.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { type FakeSlurm, startFakeSlurm } from '../backends/support/fake-slurm.ts';
import { createProject, HEADER, type Project } from '../support/project.ts';
import { until } from '../support/rig.ts';

let project: Project;
let slurm: FakeSlurm | null = null;
afterEach(async () => {
  project.remove();
  await slurm?.close();
  slurm = null;
});

const CONFIG = `${HEADER.replace('local,', 'local, slurm,')}
const Value = definePayload('Value', z.number());
export default defineConfig({
  backend: slurm({ partition: 'main', account: 'belle', pollInterval: '1 s' }),
  calibrations: [defineCalibration({
    name: 'gain',
    collections: {
      plain: { files: [], collect: command(['sh', '-c', 'echo plain >> {config}/notes']) },
      sized: {
        files: [], split: { arguments: [['short'], ['long'], ['short']] },
        collect: command(['sh', '-c', 'echo sized-$0 >> {config}/notes']),
        site: ({ arguments: [kind] }) => ({ slurm: { partition: kind } }),
        resources: ({ arguments: [kind] }) => ({ memory: '1 GB', time: kind === 'long' ? '9 h' : '5 min' }),
      },
    },
    algorithms: [{ name: 'fit', run: ({ commit }) => { note('fit'); commit(Value, 1); return 'ok'; } }],
  })],
});
`;

test('each job is sent with its own options, and none of them has finished work done again', async () => {
  project = createProject({ 'caf.config.ts': CONFIG });
  slurm = await startFakeSlurm();
  const { PATH = '', SLURM_CONF = '' } = slurm.env;
  const env = { PATH, SLURM_CONF };
  await project.ask(['run'], env);
  const sent = slurm.calls
    .filter(([name, first]) => name === 'sbatch' && first !== '--version')
    .map((words) => words.filter((word) => /^--(?:partition|account|array|time)=/.test(word)).join(' '));
  expect(sent.sort()).toEqual([
    '--array=0-0 --time=540 --partition=long --account=belle',
    '--array=0-0 --time=60 --partition=main --account=belle',
    '--array=0-1 --time=5 --partition=short --account=belle',
  ]);
  expect(project.notes().toSorted()).toEqual(['fit', 'plain', 'sized-long', 'sized-short', 'sized-short']);

  project.edit('caf.config.ts', "partition: 'main', account: 'belle'", "partition: 'other', account: 'atlas'");
  project.edit('caf.config.ts', 'site: ({', 'site: ({ job, ');
  project.edit('caf.config.ts', "memory: '1 GB'", "memory: '2 GB'");
  project.edit('caf.config.ts', "echo plain >> {config}/notes']) }", "echo plain >> {config}/notes']), site: { slurm: { qos: 'high' } } }");
  expect(await project.ask(['run', '--dry-run'], env)).toContain('0 to do, 1 reused');
  await project.ask(['run'], env);
  expect(project.notes()).toHaveLength(5);
});

test('--dry-run tells which value each collection has, and from where', async () => {
  project = createProject({ 'caf.config.ts': CONFIG });
  const text = await project.ask(['run', '--dry-run']);
  expect(text.slice(text.indexOf('jobs of'))).toMatchInlineSnapshot(`
    "jobs of      option         value                  from
    gain/plain   pollInterval   1 s                    backend (config)
    (1 job)      partition      main                   backend (config)
                 account        belle                  backend (config)
                 cores          1                      default
                 memory         2 GB                   default
                 time           1 h                    default
    gain/sized   pollInterval   1 s                    backend (config)
    (3 jobs)     partition      short, long (3 jobs)   function of the job
                 account        belle                  backend (config)
                 cores          1                      default
                 memory         1 GB                   function of the job
                 time           5 min, 9 h (3 jobs)    function of the job
    all else has its default, or is left to the site

    nothing was submitted or written
    "
  `);
  const { calibrations } = JSON.parse(await project.ask(['run', '--dry-run', '--json']));
  const { collections, algorithms } = calibrations[0];
  expect(algorithms).toEqual([]);
  const [plain, sized] = collections;
  expect(plain).toMatchObject({ name: 'plain', jobs: 1, backend: 'slurm' });
  const option = (of: typeof plain, wanted: string) => of.options.filter(({ name }: { name: string }) => name === wanted);
  expect(option(plain, 'account')).toEqual([{ name: 'account', value: 'belle', from: 'config', path: 'backend.account' }]);
  expect(option(plain, 'qos')).toEqual([{ name: 'qos', value: null, from: 'default', path: null }]);
  expect(option(plain, 'maxJobs')).toEqual([{ name: 'maxJobs', value: 4000, from: 'default', path: null }]);
  const path = 'calibrations.gain.collections.sized';
  expect(option(sized, 'partition')).toEqual([
    { name: 'partition', value: 'short', from: 'job', path: `${path}.site.slurm.partition`, jobs: 2 },
    { name: 'partition', value: 'long', from: 'job', path: `${path}.site.slurm.partition`, jobs: 1 },
  ]);
  expect(option(sized, 'memory')).toEqual([{ name: 'memory', value: '1 GB', from: 'job', path: `${path}.resources` }]);
  expect(option(sized, 'time')).toEqual([
    { name: 'time', value: '5 min', from: 'job', path: `${path}.resources`, jobs: 2 },
    { name: 'time', value: '9 h', from: 'job', path: `${path}.resources`, jobs: 1 },
  ]);
});

test('what functions say of jobs is checked before anything starts, all of it at once', async () => {
  project = createProject({
    'caf.config.ts': CONFIG.replace("memory: '1 GB'", "memori: '1 GB'").replace('partition: kind', "partition: kind === 'long' ? 5 : kind"),
  });
  const { code, stderr } = await project.caf(['run']);
  expect(code).toBe(2);
  const path = 'calibrations.gain.collections.sized';
  expect(stderr).toMatch(/4 problems/);
  expect(stderr).toContain(`${path}.resources(job 0).memori\n    there is no option 'memori'; did you mean 'memory'?`);
  expect(stderr).toContain(`${path}.site(job 1).slurm.partition\n    expected the name of a partition, found 5`);
  expect(project.has('calibration_results')).toBe(false);
});

test('what was raised for a retry is told, and stays when caf goes on', async () => {
  const script =
    'echo try >> {config}/notes; if [ $(wc -l < {config}/notes) -gt 1 ]; then while [ ! -e {config}/open ]; do sleep 0.1; done; else sleep 60; fi';
  project = createProject({
    'caf.config.ts': `${HEADER}
export default defineConfig({ backend: local({ slots: 1 }), calibrations: [defineCalibration({
  name: 'gain', algorithms: [],
  collections: { c: { files: [], resources: { time: '1 s' }, collect: command(['sh', '-c', ${JSON.stringify(script)}]) } },
})] });
`,
  });
  const first = project.start(['run']);
  await until('its second try', () => project.notes().length === 2);
  first.child.kill('SIGKILL');
  await first.ended;
  const { calibrations } = JSON.parse(await project.ask(['run', '--dry-run', '--json']));
  const times = calibrations[0].collections[0].options.filter(({ name }: { name: string }) => name === 'time');
  expect(times).toEqual([
    { name: 'time', value: '1 s', from: 'collection', path: 'calibrations.gain.collections.c.resources.time' },
    { name: 'time', value: '1.5 s', from: 'retry', path: null, jobs: 1 },
  ]);
  expect(await project.ask(['run', '--dry-run'])).toMatch(/time +1\.5 s \(1 job\) +raised after a failure/);
  writeFileSync(join(project.directory, 'open'), '');
  await project.ask(['run']);
});
