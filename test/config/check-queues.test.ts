// What gridEngine(), pbs() and lsf() may be told about a site, and which options of sbatch slurm() may.
import { expect, test } from 'vitest';
import { checkConfig } from '../../src/config/check-config.ts';
import { command, gridEngine, lsf, pbs, slurm } from '../../src/config/define.ts';

function check(backend: object) {
  const calibration = { name: 'gain', collections: { random: { files: ['*.csv'], collect: command(['true']) } }, algorithms: [] };
  return checkConfig({ backend, calibrations: [calibration] }, { configPath: '/home/anna/caf.config.ts', cores: 4, payloads: [] });
}

function site(backend: object): unknown {
  const checked = check(backend);
  if (!checked.ok) throw new Error(checked.error.map(({ path, message }) => `${path}: ${message}`).join('\n'));
  const read = checked.value.calibrations[0]?.backend;
  return read === undefined || read.kind === 'local' ? null : read.site;
}

const problems = (backend: object): readonly string[] => {
  const checked = check(backend);
  return checked.ok ? [] : checked.error.map(({ path, message }) => `${path}: ${message}`);
};

test('what is not said is left to the site', () => {
  expect([gridEngine(), pbs(), lsf()].map(site)).toEqual([
    { queue: null, project: null, parallelEnvironment: 'smp', memoryResource: 'mem_free', resources: {}, options: [] },
    { flavour: 'openpbs', queue: null, account: null, project: null, gpus: null, select: null, options: [] },
    { queue: null, project: null, application: null, gpus: null, requirements: null, memoryUnitBytes: 2 ** 20, options: [] },
  ]);
});

test('everything that a site may want is taken', () => {
  const grid = {
    queue: 'long.q@@el9',
    project: 'belle',
    parallelEnvironment: 'mpi',
    resources: { os: 'el9' },
    options: ['-ac', 'site=here'],
  };
  expect(site(gridEngine({ ...grid, memoryResource: null }))).toEqual({ ...grid, memoryResource: null });
  const batch = {
    flavour: 'torque' as const,
    queue: 'long',
    account: 'a',
    project: 'p',
    gpus: 1,
    select: 'scratch=10gb',
    options: ['-W', 'x=y'],
  };
  expect(site(pbs(batch))).toEqual(batch);
  const load = {
    queue: 'l',
    project: 'b2',
    application: 'node',
    gpus: 'num=1',
    requirements: 'select[mem>100 && swp>2]',
    options: ['-sp', '5'],
  };
  expect(site(lsf({ ...load, memoryUnit: '1 GB' }))).toEqual({ ...load, memoryUnitBytes: 1e9 });
});

test('what would break an array, its output or its end is refused', () => {
  const wrong = [
    gridEngine({ queue: 'a b', options: ['-t', '1-5', ''], resources: { os: 'a,h_rt=1' } }),
    pbs({ queue: '-J', options: ['-J'], flavour: 'pbspro' as never, gpus: 0 }),
    lsf({ options: ['-J', 'a\nb'], memoryUnit: 'MB', queu: 'l' } as never),
  ];
  expect(wrong.flatMap(problems)).toMatchInlineSnapshot(`
    [
      "backend.queue: expected the name of a queue, found 'a b'",
      "backend.resources.os: expected a request such as os: 'el9', without blanks and commas, found 'a,h_rt=1'",
      "backend.options[0]: '-t' cannot be set here: caf sets it",
      "backend.options[2]: expected a word of qsub, found ''",
      "backend.flavour: expected 'openpbs' or 'torque', found 'pbspro'",
      "backend.queue: expected the name of a queue, found '-J'",
      "backend.gpus: expected a whole number of GPUs, at least 1, found 0",
      "backend.options[0]: '-J' cannot be set here: caf sets it",
      "backend.queu: there is no option 'queu'; did you mean 'queue'?",
      "backend.memoryUnit: expected a size such as '2 GB', found 'MB'",
      "backend.options[0]: '-J' cannot be set here: caf sets it",
      "backend.options[1]: expected a word of bsub, found 'a\\nb'",
    ]
  `);
});

test('options of sbatch that caf gives itself are refused, however they are written', () => {
  const refused = ['--array=1-3', '-a1-3', '--job-name=x', '-o/tmp/x', '--requeue', '--wrap=date', '--mem=4G', '-t10'];
  expect(problems(slurm({ directives: refused }))).toEqual(
    refused.map(
      (word, i) =>
        `backend.directives[${i}]: '${word}' cannot be set here: caf sets it${/mem|-t/.test(word) ? ' from the resources of its jobs' : ''}`,
    ),
  );
  expect(problems(slurm({ directives: ['licenses=root:1'] }))).toEqual([
    "backend.directives[0]: expected an option of sbatch such as '--licenses=root:1', found 'licenses=root:1'",
  ]);
  expect(site(slurm({ directives: ['--licenses=root:1', '--nice', '-Cavx2'] }))).toMatchObject({
    directives: ['--licenses=root:1', '--nice', '-Cavx2'],
  });
});
