// Options of a site for one collection, algorithm or job: what goes before what, what is refused, and where each value comes from.
import { describe, expect, test } from 'vitest';
import { KINDS } from '../../src/config/check/check-backend.ts';
import { Problems } from '../../src/config/check/problems.ts';
import { type CheckContext, checkConfig } from '../../src/config/check-config.ts';
import { command, defineCalibration, defineConfig, htcondor, slurm } from '../../src/config/define.ts';
import type { BackendOption, CollectionOptions } from '../../src/config/options.ts';
import type { OptionOrigin } from '../../src/domain/calibration.ts';

const CONTEXT: CheckContext = { configPath: '/home/anna/caf.config.ts', cores: 4, payloads: [] };

interface Given {
  readonly ofConfig?: BackendOption;
  readonly ofCalibration?: BackendOption;
  readonly collection?: Partial<CollectionOptions>;
  readonly algorithm?: object;
}

const check = ({ ofConfig, ofCalibration, collection, algorithm }: Given, context: Partial<CheckContext> = {}) =>
  checkConfig(
    defineConfig({
      backend: ofConfig,
      calibrations: [
        defineCalibration({
          name: 'gain',
          backend: ofCalibration,
          collections: { random: { files: [], collect: command(['true']), ...collection } },
          algorithms: [{ name: 'fit', run: () => 'ok', ...algorithm }],
        }),
      ],
    }),
    { ...CONTEXT, ...context },
  );

function gain(given: Given, context: Partial<CheckContext> = {}) {
  const checked = check(given, context);
  if (!checked.ok) throw new Error(checked.error.map(({ path, message }) => `${path}: ${message}`).join('\n'));
  return checked.value.calibrations[0]!;
}
const random = (given: Given, context: Partial<CheckContext> = {}) => gain(given, context).collections[0]!;

function problems(given: Given): readonly string[] {
  const checked = check(given);
  return checked.ok ? [] : checked.error.map(({ path, message }) => `${path}: ${message}`);
}

const told = (options: readonly OptionOrigin[]) =>
  options.filter(({ from }) => from !== 'default').map(({ name, value, path }) => `${name} = ${JSON.stringify(value)}, by ${path}`);

const ofConfig = slurm({
  partition: 'main',
  account: 'belle',
  modules: ['root'],
  maxJobs: 7,
  env: { A: 'of all', B: 'b' },
  setup: ['. all'],
});

describe('what goes before what', () => {
  test('the options of a collection go before those of the backend, which hold otherwise', () => {
    const { backend } = random({
      ofConfig,
      collection: { site: { slurm: { partition: 'long', modules: [] }, htcondor: { rank: 'Mips' } } },
    });
    const { backend: all } = gain({ ofConfig });
    expect(backend).toEqual({ ...all, modules: [], site: { ...('site' in all ? all.site : {}), partition: 'long' } });
    expect(random({ ofConfig }).backend).toEqual(all);
  });

  test('those of an engine that is not used do nothing', () => {
    const site = { slurm: { partition: 'long' }, htcondor: { rank: 'Mips' } };
    expect(random({ collection: { site } }).backend).toMatchObject({ kind: 'local' });
    const onCondor = random({ ofConfig, collection: { site } }, { backendOverride: 'htcondor' }).backend;
    expect(onCondor).toMatchObject({ kind: 'htcondor', site: { rank: 'Mips' } });
  });

  test('an algorithm has its own, where it runs on the engine', () => {
    const given = { algorithm: { site: { slurm: { partition: 'long' } }, executionTimeLimit: '3 h' } };
    const [fit] = gain({ ofConfig: slurm({ algorithms: { on: 'backend' } }), ...given }).algorithms;
    expect(fit?.backend).toMatchObject({ algorithmsOn: 'backend', site: { partition: 'long' } });
    expect(told(fit?.options() ?? [])).toEqual([
      'partition = "long", by calibrations.gain.algorithms.fit.site.slurm.partition',
      'time = "3 h", by calibrations.gain.algorithms.fit.executionTimeLimit',
    ]);
    expect(gain({ ofConfig, ...given }).algorithms[0]?.options()).toEqual([]);
  });

  test('a function says of each job what it asks for, and what it needs of the site', () => {
    const { resourcesOf, siteOf, backend } = random({
      ofConfig,
      collection: {
        resources: ({ bytes }) => ({ memory: `${bytes} GB` }),
        site: ({ arguments: [kind] }) => (kind === 'long' ? { slurm: { partition: 'long' } } : {}),
      },
    });
    const job = { job: 3, files: [], bytes: 4, arguments: ['long'] };
    expect(resourcesOf?.(job)).toEqual({
      value: { cores: 1, memoryBytes: 4e9, memoryIsSet: true, timeMs: 3_600_000 },
      problems: [],
    });
    const { value, problems: none } = siteOf?.(job) ?? { value: null, problems: null };
    expect(none).toEqual([]);
    expect(value?.backend).toMatchObject({ site: { partition: 'long', account: 'belle' } });
    expect(value?.options().find(({ name }) => name === 'partition')).toEqual({
      name: 'partition',
      value: 'long',
      from: 'job',
      path: 'calibrations.gain.collections.random.site.slurm.partition',
    });
    expect(siteOf?.({ ...job, arguments: [] }).value?.backend).toEqual(backend);
  });
});

describe('where each value comes from', () => {
  test('is told by its path, also where lines and variables add up', () => {
    const { options } = random({
      ofConfig: htcondor({}),
      ofCalibration: ofConfig,
      collection: {
        site: { slurm: { partition: 'long' } },
        env: { A: 'own', C: 'secret' },
        setup: ['. own'],
        resources: { memory: '3 GB' },
      },
    });
    expect(told(options())).toMatchInlineSnapshot(`
      [
        "modules = ["root"], by calibrations.gain.backend.modules",
        "maxJobs = 7, by calibrations.gain.backend.maxJobs",
        "partition = "long", by calibrations.gain.collections.random.site.slurm.partition",
        "account = "belle", by calibrations.gain.backend.account",
        "setup = [". all"], by calibrations.gain.backend.setup",
        "setup = [". own"], by calibrations.gain.collections.random.setup",
        "env.A = "set", by calibrations.gain.collections.random.env.A",
        "env.B = "set", by calibrations.gain.backend.env.B",
        "env.C = "set", by calibrations.gain.collections.random.env.C",
        "memory = "3 GB", by calibrations.gain.collections.random.resources.memory",
      ]
    `);
    expect(JSON.stringify(options())).not.toContain('secret');
  });

  test.each(Object.entries(KINDS))('the defaults of %s that are told are those that hold', (_, { read, defaults }) => {
    const reading = (value: Readonly<Record<string, unknown>>) => {
      const own = new Problems();
      const spec = read({ value, place: { parent: null, key: 'backend' }, problems: own }, { cores: 4 });
      expect(own.list).toEqual([]);
      return spec;
    };
    expect(reading(defaults)).toEqual(reading({}));
  });
});

describe('what is refused', () => {
  test('is told all at once, for all engines, with what was meant', () => {
    const site = { slurm: { partition: 3, maxJobs: 5 }, htcondor: { requirement: 'x' }, slrum: {}, pbs: 7 };
    expect(problems({ ofConfig, collection: { site: site as object }, algorithm: { site: ['slurm'] } })).toMatchInlineSnapshot(`
      [
        "calibrations.gain.collections.random.site.slrum: there is no option 'slrum'; did you mean 'slurm'?",
        "calibrations.gain.collections.random.site.slurm.maxJobs: there is no option 'maxJobs'; the options are modules, scratch, logDirectory, partition, account, qos, constraint, reservation, exclusive, gpus, directives",
        "calibrations.gain.collections.random.site.slurm.partition: expected the name of a partition, found 3",
        "calibrations.gain.collections.random.site.htcondor.requirement: there is no option 'requirement'; did you mean 'requirements'?",
        "calibrations.gain.collections.random.site.pbs: expected an object of options, found 7",
        "calibrations.gain.algorithms.fit.site: expected options per engine such as { slurm: { partition: 'long' } }, found ['slurm']",
      ]
    `);
  });

  test('by a function is told with its job', () => {
    const { resourcesOf, siteOf } = random({
      collection: {
        resources: ({ job }) => (job === 0 ? ({ memori: '3 GB' } as object) : { cores: 99 }),
        site: ({ job }) => {
          if (job === 0) throw new RangeError('no such file');
          return 'slurm' as unknown as object;
        },
      },
    });
    const of = (job: number) => ({ job, files: [], bytes: 0, arguments: [] });
    const answers = [0, 1].flatMap((job) => [resourcesOf?.(of(job)), siteOf?.(of(job))]);
    expect(answers.flatMap((answer) => answer?.problems ?? []).map(({ path, message }) => `${path}: ${message}`)).toMatchInlineSnapshot(`
      [
        "calibrations.gain.collections.random.resources(job 0).memori: there is no option 'memori'; did you mean 'memory'?",
        "calibrations.gain.collections.random.site(job 0): it threw RangeError: no such file",
        "calibrations.gain.collections.random.resources(job 1).cores: a job with 99 cores can never start: the local backend has 4 slots",
        "calibrations.gain.collections.random.site(job 1): expected options per engine such as { slurm: { partition: 'long' } }, found 'slurm'",
      ]
    `);
  });
});
