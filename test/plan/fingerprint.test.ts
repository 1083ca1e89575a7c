// What the change of each part of a calibration redoes, and the reason that is shown.
import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { AlgorithmSpec, BackendSpec, CalibrationSpec, CollectionSpec, SlurmSpec } from '../../src/domain/calibration.ts';
import { canonicalText } from '../../src/plan/canonical-text.ts';
import { compareFingerprints, type Past } from '../../src/plan/compare-fingerprints.ts';
import { buildFingerprint, type FingerprintInput } from '../../src/plan/fingerprint.ts';
import { BATCH_SPEC, SLURM_SITE } from '../backends/support/specs.ts';

const digest = (text: string) => createHash('sha256').update(text).digest('hex');

const collection: CollectionSpec = {
  name: 'random',
  files: ['data/*.csv'],
  runs: { by: 'regexp', regexp: /e(?<experiment>\d+)r(?<run>\d+)/ },
  collect: () => undefined,
  outputs: ['*'],
  outputsRequired: false,
  split: { by: 'maxJobs', maxJobs: 1000 },
  granularity: 'run',
  resources: { cores: 1, memoryBytes: 2e9, memoryIsSet: false, timeMs: 3_600_000 },
  retries: 2,
  env: { TOKEN: 'secret' },
  setup: [],
  container: null,
  backend: { kind: 'local', slots: 4, memoryBytes: null },
  resourcesOf: null,
  siteOf: null,
  options: () => [],
};

const algorithm: AlgorithmSpec = {
  name: 'means',
  run: () => 'ok',
  setup: null,
  findBoundaries: null,
  strategy: { name: 'sequentialRunByRun', options: { stepSize: 1, coverage: null }, granularities: ['run'] },
  executionTimeLimitMs: 3_600_000,
  env: {},
  resources: null,
  container: null,
  backend: { kind: 'local', slots: 4, memoryBytes: null },
  options: () => [],
};

const calibration: CalibrationSpec = {
  name: 'gain',
  collections: [collection],
  algorithms: [algorithm],
  dependsOn: ['t0'],
  maxIterations: 5,
  onMaxIterations: 'complete',
  ignoredRuns: [[7, 3]],
  databases: [],
  backend: { kind: 'local', slots: 4, memoryBytes: null },
  quorum: 0.9,
  savePayloads: true,
  algorithmsRunner: null,
  source: null,
};

const fileList = (count: number, mtimeNs = 1n) =>
  Array.from({ length: count }, (_, index) => ({ path: `data/f${index}.csv`, size: 10, mtimeNs }));

const input: FingerprintInput = {
  calibration,
  files: { random: fileList(4) },
  code: { collectors: 'c1', algorithms: 'a1', files: { '/home/me/config.ts': '11', '/home/me/calibrations/gain/fit.ts': '22' } },
  databases: [{ label: 'localdb/base', versionId: 'v1' }],
  ancestors: ['t0'],
  requestedIov: null,
  digest,
};

const old = buildFingerprint(input);

const judge = (change: Partial<FingerprintInput>, past?: Past) => {
  const { redo, reason, continues } = compareFingerprints(old, buildFingerprint({ ...input, ...change }), {
    base: '/home/me',
    ...(past === undefined ? {} : { past }),
  });
  return { redo, reason, continues };
};
const withCalibration = (change: Partial<CalibrationSpec>) => ({ calibration: { ...calibration, ...change } });
const withCollection = (change: Partial<CollectionSpec>) => withCalibration({ collections: [{ ...collection, ...change }] });
const withAlgorithm = (change: Partial<AlgorithmSpec>) => withCalibration({ algorithms: [{ ...algorithm, ...change }] });

test('a calibration without a fingerprint was never run', () => {
  expect(compareFingerprints(null, old)).toMatchObject({ redo: 'all', reason: 'never run', continues: false });
});

test('equal inputs are up to date, also after the journal', () => {
  expect(judge({})).toEqual({ redo: 'nothing', reason: 'up to date', continues: false });
  const again = compareFingerprints(JSON.parse(JSON.stringify(old)), buildFingerprint(input));
  expect(again.reason).toBe('up to date');
});

const quick = () => 'ok' as const;

const slurm = (options: Partial<SlurmSpec> = {}): SlurmSpec => ({
  kind: 'slurm',
  ...BATCH_SPEC,
  modules: ['root/6.30'],
  site: SLURM_SITE,
  ...options,
});

describe('the software that a batch backend gives to its jobs', () => {
  const change = (from: BackendSpec, to: BackendSpec, of: (backend: BackendSpec) => Partial<FingerprintInput>) => {
    const [before, after] = [from, to].map((backend) => buildFingerprint({ ...input, ...of(backend) }));
    const { redo, reason } = compareFingerprints(before!, after!);
    return { redo, reason };
  };
  const local: BackendSpec = collection.backend;
  const ofCollection = (backend: BackendSpec) => withCollection({ backend });
  const ofAlgorithm = (backend: BackendSpec) => withAlgorithm({ backend });

  test('counts for collectors, and for algorithms that run there', () => {
    const other = { modules: ['root/6.32'] };
    const reason = (name: string) => `option backend.modules of ${name} changed: ["root/6.30"] -> ["root/6.32"]`;
    expect(change(slurm(), slurm(other), ofCollection)).toEqual({ redo: 'all', reason: reason('random') });
    expect(change(slurm(), slurm({ setup: ['source /cvmfs/setup.sh'] }), ofCollection)).toMatchObject({ redo: 'all' });
    const there = { algorithmsOn: 'backend' } as const;
    expect(change(slurm(there), slurm({ ...there, ...other }), ofAlgorithm)).toEqual({ redo: 'algorithms', reason: reason('means') });
    expect(change(slurm(), slurm(other), ofAlgorithm)).toMatchObject({ redo: 'nothing' });
  });

  test('cannot be compared with what runs on this machine; where and how long do not count', () => {
    expect(change(local, slurm(), ofCollection)).toEqual({ redo: 'nothing', reason: 'up to date' });
    expect(change(slurm(), local, ofCollection)).toEqual({ redo: 'nothing', reason: 'up to date' });
    expect(change(slurm(), slurm({ env: { X509_USER_PROXY: '/tmp/x' }, maxJobs: 1 }), ofCollection)).toMatchObject({ redo: 'nothing' });
    const more = (backend: BackendSpec) => ({ ...withCollection({ backend }), files: { random: fileList(backend === local ? 4 : 8) } });
    expect(change(local, slurm(), more)).toEqual({ redo: 'algorithms', reason: 'input list changed: + 4 files' });
  });
});

describe('all is redone when', () => {
  test.each<{ change: Partial<FingerprintInput>; reason: string }>([
    { change: { requestedIov: [7, 1, 7, 20] }, reason: 'requested IoV changed: everything -> 7,1,7,20' },
    { change: withCalibration({ ignoredRuns: [] }), reason: 'ignored runs changed: [[7,3]] -> []' },
    { change: { databases: [{ label: 'localdb/base', versionId: 'v2' }] }, reason: 'database localdb/base changed' },
    { change: { databases: [] }, reason: 'database localdb/base removed' },
    { change: { ancestors: ['base', 't0'] }, reason: 'ancestor base added' },
    { change: withCollection({ runs: { by: 'map', map: {} } }), reason: 'option runs of random changed' },
    {
      change: withCollection({ outputs: ['*.root'], outputsRequired: true }),
      reason: 'option outputs of random changed: [false,"*"] -> [true,"*.root"]',
    },
    { change: withCollection({ split: { by: 'maxFilesPerJob', maxFilesPerJob: 2 } }), reason: 'option split of random changed' },
    {
      change: withCollection({ collect: { kind: 'command', argv: ['fit'] } }),
      reason: 'option collect of random changed: <function collect> -> ["fit"]',
    },
    { change: withCollection({ env: { TOKEN: 'other' } }), reason: 'environment variable TOKEN of random changed' },
    {
      change: withCollection({ container: { runtime: 'podman', image: 'tools:1', binds: [], options: [] } }),
      reason: 'option container of random changed: null -> {"binds":[],"image":"tools:1","options":[],"runtime":"podman"}',
    },
    { change: withCalibration({ collections: [collection, { ...collection, name: 'cosmics' }] }), reason: 'collection cosmics added' },
    { change: withCalibration({ collections: [] }), reason: 'collection random removed' },
    {
      change: { code: { collectors: 'c2', algorithms: 'a2', files: { ...input.code.files, '/home/me/calibrations/gain/fit.ts': '33' } } },
      reason: 'calibrations/gain/fit.ts changed',
    },
  ])('$reason', ({ change, reason }) => {
    const judged = judge(change);
    expect(judged).toMatchObject({ redo: 'all', continues: false });
    expect(judged.reason.startsWith(reason)).toBe(true);
  });
});

// Of a changed input list, the jobs whose own files are the same are kept (runners/run-collection.ts).
describe('the algorithms are redone when', () => {
  test.each<{ change: Partial<FingerprintInput>; reason: string }>([
    { change: { files: { random: fileList(8) } }, reason: 'input list changed: + 4 files' },
    { change: { files: { random: fileList(3) } }, reason: 'input list changed: - 1 file' },
    { change: { files: { random: fileList(4, 2n) } }, reason: 'input files changed since' },
    {
      change: { files: { random: fileList(4).map((file) => ({ ...file, runs: [7, 1] as const })) } },
      reason: 'the runs of input files changed since',
    },
    {
      change: { files: { random: fileList(4).map((file) => ({ ...file, path: `${file.path}.gz` })) } },
      reason: 'input list changed: 4 files as before, but others',
    },
    {
      change: withAlgorithm({ strategy: { ...algorithm.strategy, options: { stepSize: 2, coverage: null } } }),
      reason: 'option stepSize of means changed: 1 -> 2',
    },
    { change: withAlgorithm({ setup: () => undefined }), reason: 'option setup of means changed: null -> <function setup>' },
    { change: withAlgorithm({ run: quick }), reason: 'option run of means changed: <function run> -> <function quick>' },
    { change: withAlgorithm({ env: { MODE: 'fast' } }), reason: 'environment variable MODE of means changed' },
    { change: withCalibration({ algorithms: [algorithm, { ...algorithm, name: 'widths' }] }), reason: 'algorithm widths added' },
    {
      change: { code: { ...input.code, algorithms: 'a2', files: { '/home/me/config.ts': '12', '/elsewhere/x.ts': '1' } } },
      reason: 'config.ts and 2 more files changed',
    },
    { change: { code: { ...input.code, algorithms: 'a2' } }, reason: 'code changed' },
  ])('$reason', ({ change, reason }) => {
    expect(judge(change)).toEqual({ redo: 'algorithms', reason, continues: false });
  });
});

test('several changes are counted, the one that matters most first', () => {
  const change = { ...withAlgorithm({ env: { MODE: 'fast' } }), requestedIov: [7, 1, 7, 2] as const };
  expect(judge(change)).toMatchObject({ redo: 'all', reason: 'requested IoV changed: everything -> 7,1,7,2 (and 1 more)' });
});

describe('nothing is redone for', () => {
  test.each<{ what: string; change: Partial<FingerprintInput> }>([
    { what: 'slots', change: withCalibration({ backend: { kind: 'local', slots: 1, memoryBytes: 5 } }) },
    {
      what: 'the order of ignored runs',
      change: withCalibration({
        ignoredRuns: [
          [7, 3],
          [7, 3],
        ],
      }),
    },
    { what: 'savePayloads', change: withCalibration({ savePayloads: false }) },
    { what: 'retries', change: withCollection({ retries: 9 }) },
    { what: 'resources', change: withCollection({ resources: { cores: 4, memoryBytes: 1, memoryIsSet: true, timeMs: 1 } }) },
    { what: 'executionTimeLimit', change: withAlgorithm({ executionTimeLimitMs: 1 }) },
    { what: 'a lower quorum', change: withCalibration({ quorum: 0.5 }) },
    { what: 'an edit of code it does not use', change: { code: { ...input.code, files: { '/home/me/config.ts': '99' } } } },
  ])('$what', ({ change }) => {
    expect(judge(change, { iterations: 5, converged: true, hasMissingJobs: true })).toMatchObject({
      redo: 'nothing',
      reason: 'up to date',
    });
  });
});

describe('limits', () => {
  const past = (iterations: number, converged: boolean | null): Past => ({ iterations, converged, hasMissingJobs: false });
  const changed = (limit: number) => `option maxIterations changed: 5 -> ${limit}`;

  test.each<{ what: string; limit: number; past: Past; expected: object }>([
    {
      what: 'raised after convergence',
      limit: 7,
      past: past(3, true),
      expected: { redo: 'nothing', reason: 'up to date', continues: false },
    },
    {
      what: 'lowered above convergence',
      limit: 3,
      past: past(3, true),
      expected: { redo: 'nothing', reason: 'up to date', continues: false },
    },
    {
      what: 'lowered below convergence',
      limit: 2,
      past: past(3, true),
      expected: { redo: 'algorithms', reason: changed(2), continues: false },
    },
    {
      what: 'raised after stopping at it',
      limit: 7,
      past: past(5, false),
      expected: { redo: 'nothing', reason: changed(7), continues: true },
    },
    { what: 'raised in the middle', limit: 7, past: past(4, null), expected: { redo: 'nothing', reason: 'up to date', continues: false } },
  ])('maxIterations $what', ({ limit, past: before, expected }) => {
    expect(judge(withCalibration({ maxIterations: limit }), before)).toEqual(expected);
  });

  test('onMaxIterations matters only where the limit was reached', () => {
    expect(judge(withCalibration({ onMaxIterations: 'fail' }), past(5, true))).toMatchObject({ redo: 'nothing', continues: false });
    expect(judge(withCalibration({ onMaxIterations: 'fail' }), past(5, false))).toMatchObject({ redo: 'nothing', continues: true });
  });

  test('a quorum matters where it is raised and jobs are missing', () => {
    const raised = withCalibration({ quorum: 1 });
    expect(judge(raised, past(2, true))).toMatchObject({ redo: 'nothing' });
    expect(judge(raised, { ...past(2, true), hasMissingJobs: true })).toMatchObject({
      redo: 'algorithms',
      reason: 'option quorum changed: 0.9 -> 1',
    });
  });
});

describe('a fingerprint', () => {
  test('does not hold the values of the environment, nor long options', () => {
    const map = Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`data/f${index}.csv`, [7, index] as const]));
    const text = JSON.stringify(buildFingerprint({ ...input, ...withCollection({ runs: { by: 'map', map } }) }));
    expect(text).not.toContain('secret');
    expect(text).not.toContain('data/f99.csv');
  });

  test('sees one changed file among 100000, wherever it is', () => {
    const files = fileList(100_000);
    const of = (list: typeof files) => buildFingerprint({ ...input, files: { random: list } }).collectors['files:random'];
    const before = of(files);
    for (const index of [0, 999, 1_000, 54_321, 99_999]) expect(of(files.with(index, { ...files[index]!, size: 11 }))).not.toBe(before);
    expect(of([...files])).toBe(before);
  });
});

describe('canonicalText', () => {
  test('is equal for equal values and different for others', () => {
    expect(canonicalText({ b: 1, a: [undefined, null] })).toBe(canonicalText({ a: [undefined, null], b: 1, c: undefined }));
    const values = [
      1,
      '1',
      1n,
      null,
      undefined,
      -0,
      0,
      NaN,
      true,
      'true',
      [],
      {},
      [[]],
      new Map([[1, 2]]),
      new Set([1]),
      /a/,
      /a/g,
      new Date(0),
    ];
    expect(new Set(values.map(canonicalText)).size).toBe(values.length);
  });

  test('ends for what refers to itself', () => {
    const circle: { name: string; self?: unknown } = { name: 'x' };
    circle.self = [circle];
    expect(canonicalText(circle)).toBe('{"name":"x","self":[<circle>]}');
  });
});
