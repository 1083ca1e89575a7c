// Every rule of the option tables: what is accepted with which default, and the exact words for what is refused.
import { describe, expect, test } from 'vitest';
import { type CheckContext, checkCampaign, checkConfig } from '../../src/config/check-config.ts';
import { command, defineCalibration, defineConfig, definePayload, local, slurm } from '../../src/config/define.ts';
import { sequentialBoundaries, sequentialRunByRun, singleIov } from '../../src/index.ts';

const CONTEXT: CheckContext = { configPath: '/home/anna/caf.config.ts', cores: 4, payloads: [] };

type Options = Record<string, unknown>;

const program = command(['true']);
const collection = (options: Options = {}): Options => ({ files: ['data/*.csv'], collect: program, ...options });
const algorithm = (options: Options = {}): Options => ({ name: 'means', run: () => 'ok', ...options });
const calibration = (options: Options = {}): Options => ({
  name: 'gain',
  collections: { random: collection() },
  algorithms: [algorithm()],
  ...options,
});
const config = (options: Options = {}): Options => ({ calibrations: [calibration()], ...options });

const withCollection = (options: Options): Options =>
  config({ calibrations: [calibration({ collections: { random: collection(options) } })] });
const withAlgorithm = (options: Options): Options => config({ calibrations: [calibration({ algorithms: [algorithm(options)] })] });
const withCalibration = (options: Options): Options => config({ calibrations: [calibration(options)] });

/** All problems, as `path: message`. */
function problems(raw: unknown, context: Partial<CheckContext> = {}): readonly string[] {
  const checked = checkConfig(raw, { ...CONTEXT, ...context });
  return checked.ok ? [] : checked.error.map(({ path, message }) => `${path}: ${message}`);
}

function spec(raw: unknown, context: Partial<CheckContext> = {}) {
  const checked = checkConfig(raw, { ...CONTEXT, ...context });
  if (!checked.ok) throw new Error(checked.error.map(({ path, message }) => `${path}: ${message}`).join('\n'));
  return checked.value;
}

const firstCollection = (raw: Options, context: Partial<CheckContext> = {}) => spec(raw, context).calibrations[0]!.collections[0]!;

describe('a config', () => {
  test('gets every default of the tables', () => {
    const { calibrations, ...rest } = spec(config());
    expect(rest).toEqual({
      configPath: '/home/anna/caf.config.ts',
      output: '/home/anna/calibration_results',
      iov: null,
      databases: [],
      maxParallelCalibrations: 8,
      payloadNames: [],
    });
    const [first] = calibrations;
    expect({ ...first, algorithms: first?.algorithms.map((each) => ({ ...each, run: 'function' })) }).toMatchInlineSnapshot(`
      {
        "algorithms": [
          {
            "backend": {
              "kind": "local",
              "memoryBytes": null,
              "slots": 4,
            },
            "container": null,
            "env": {},
            "executionTimeLimitMs": 3600000,
            "findBoundaries": null,
            "name": "means",
            "options": [Function],
            "resources": null,
            "run": "function",
            "setup": null,
            "strategy": {
              "granularities": [
                "run",
                "all",
              ],
              "name": "singleIov",
              "options": {
                "applyIov": null,
              },
            },
          },
        ],
        "algorithmsRunner": null,
        "backend": {
          "kind": "local",
          "memoryBytes": null,
          "slots": 4,
        },
        "collections": [
          {
            "backend": {
              "kind": "local",
              "memoryBytes": null,
              "slots": 4,
            },
            "collect": {
              "argv": [
                "true",
              ],
              "kind": "command",
            },
            "container": null,
            "env": {},
            "files": [
              "data/*.csv",
            ],
            "granularity": "run",
            "name": "random",
            "options": [Function],
            "outputs": [
              "*",
            ],
            "outputsRequired": false,
            "resources": {
              "cores": 1,
              "memoryBytes": 2000000000,
              "memoryIsSet": false,
              "timeMs": 3600000,
            },
            "resourcesOf": null,
            "retries": 2,
            "runs": null,
            "setup": [],
            "siteOf": null,
            "split": {
              "by": "maxJobs",
              "maxJobs": 1000,
            },
          },
        ],
        "databases": [],
        "dependsOn": [],
        "ignoredRuns": [],
        "maxIterations": 5,
        "name": "gain",
        "onMaxIterations": "complete",
        "quorum": 1,
        "savePayloads": true,
        "source": null,
      }
    `);
  });

  test('is refused when it is no object, or without calibrations', () => {
    expect(problems(undefined)).toMatchInlineSnapshot(`
      [
        "default export: expected a config made by defineConfig, found nothing",
      ]
    `);
    expect(problems({})).toMatchInlineSnapshot(`
      [
        "calibrations: expected an array of at least one calibration, found nothing",
      ]
    `);
    expect(problems({ calibrations: [] })).toMatchInlineSnapshot(`
      [
        "calibrations: expected an array of at least one calibration, found []",
      ]
    `);
    expect(problems({ calibrations: { gain: calibration() } })).toMatchInlineSnapshot(`
      [
        "calibrations: expected an array of at least one calibration, found an object",
      ]
    `);
    expect(problems({ calibrations: [undefined, 'gain', []] })).toMatchInlineSnapshot(`
      [
        "calibrations[0]: expected a calibration made by defineCalibration, found nothing",
        "calibrations[1]: expected a calibration made by defineCalibration, found 'gain'",
        "calibrations[2]: expected a calibration made by defineCalibration, found []",
      ]
    `);
  });

  test('is refused with unknown options, with the nearest known one', () => {
    expect(problems(config({ outptu: 'x', zzz: 1 }))).toMatchInlineSnapshot(`
      [
        "outptu: there is no option 'outptu'; did you mean 'output'?",
        "zzz: there is no option 'zzz'; the options are calibrations, backend, databases, output, iov, maxParallelCalibrations",
      ]
    `);
  });

  test('resolves paths from its own directory, and a given output wins', () => {
    const raw = config({ output: '../results', databases: ['localdb/base', '/abs'] });
    expect(spec(raw)).toMatchObject({ output: '/home/results', databases: ['/home/anna/localdb/base', '/abs'] });
    expect(spec(raw, { output: '/elsewhere' }).output).toBe('/elsewhere');
  });

  test('is refused with wrong values', () => {
    expect(problems(config({ output: '', databases: 'localdb', maxParallelCalibrations: 0 }))).toMatchInlineSnapshot(`
      [
        "output: expected the path of the results directory, found ''",
        "databases: expected an array of paths of local databases, found 'localdb'",
        "maxParallelCalibrations: expected a whole number of calibrations, at least 1, found 0",
      ]
    `);
    expect(problems(config({ output: 'a\0b', databases: [3], maxParallelCalibrations: 1.5 }))).toMatchInlineSnapshot(`
      [
        "output: a NUL byte cannot be passed on: remove it",
        "databases[0]: expected the path of a local database, found 3",
        "maxParallelCalibrations: expected a whole number of calibrations, at least 1, found 1.5",
      ]
    `);
  });

  test.each([[[1, 1, 1, 3]], [[0, 0, -1, -1]], [[1, 0, 1, -1]]])('accepts the IoV %j', (iov) => {
    const raw = config({ iov, calibrations: [calibration({ collections: { random: collection({ runs: () => null }) } })] });
    expect(spec(raw).iov).toEqual(iov);
  });

  test('refuses an IoV that is none, each in its own words', () => {
    const ofIov = (iov: unknown) => problems(config({ iov, calibrations: [calibration({ collections: {} })] }));
    expect(
      [
        [1, 1, 1],
        ['1', 1, 1, 3],
        '1,1,1,3',
        [2, 1, 1, 3],
        [-1, 1, 1, 3],
        [1, 1, -1, 3],
        [-1, -1, -1, -1],
        [1, 1, 9e9, 3],
        [1, 1.5, 2, 3],
      ].flatMap(ofIov),
    ).toMatchInlineSnapshot(`
      [
        "iov: An interval is an array of four whole numbers, found [1, 1, 1]. Write firstExp,firstRun,finalExp,finalRun, for instance 7,1,7,20; -1 as finalRun or as both final values means open.",
        "iov: An interval is an array of four whole numbers, found ['1', 1, 1, 3]. Write firstExp,firstRun,finalExp,finalRun, for instance 7,1,7,20; -1 as finalRun or as both final values means open.",
        "iov: An interval is an array of four whole numbers, found '1,1,1,3'. Write firstExp,firstRun,finalExp,finalRun, for instance 7,1,7,20; -1 as finalRun or as both final values means open.",
        "iov: The interval 2,1,1,3 ends before it begins. The first run comes first.",
        "iov: The interval -1,1,1,3 has a negative bound. Only the final values can be -1 (open); an interval begins at experiment 0, run 0 or later.",
        "iov: The interval 1,1,-1,3 is open in the experiment but ends at run 3. Write 1,1,-1,-1 for ever, or name the final experiment.",
        "iov: The interval -1,-1,-1,-1 is empty: it holds no run. For everything, write 0,0,-1,-1.",
        "iov: The interval 1,1,9000000000,3 lies outside the domain: experiments 0 to 1048575, runs 0 to 4294967294. For an open end write -1.",
        "iov: An interval is an array of four whole numbers, found [1, 1.5, 2, 3]. Write firstExp,firstRun,finalExp,finalRun, for instance 7,1,7,20; -1 as finalRun or as both final values means open.",
      ]
    `);
  });

  test('with an IoV from the command line overrides its own', () => {
    const raw = config({ iov: [1, 1, 1, 3], calibrations: [calibration({ collections: { random: collection({ runs: () => null }) } })] });
    expect(spec(raw, { iov: [2, 0, 2, -1] }).iov).toEqual([2, 0, 2, -1]);
  });
});

describe('names', () => {
  test.each(['gain', '7', 'a.b', 'a+b-c_d', 'constructor', 'toString', 'hasOwnProperty', 'x'.repeat(100)])('%s is a name', (name) => {
    const raw = config({
      calibrations: [calibration({ name, collections: { [name]: collection() }, algorithms: [algorithm({ name })] })],
    });
    expect(spec(raw).calibrations.map((each) => [each.name, each.collections[0]?.name, each.algorithms[0]?.name])).toEqual([
      [name, name, name],
    ]);
  });

  const BAD = [
    undefined,
    null,
    7,
    '',
    ' ',
    'a b',
    '-a',
    '.a',
    '_a',
    'a/b',
    '../a',
    'a\nb',
    'a"b',
    '$(rm)',
    'a;b',
    'ä',
    'objects',
    '__proto__',
    'x'.repeat(101),
  ];
  test.each(BAD)('%j is refused as the name of a calibration and of an algorithm', (name) => {
    expect(problems(withCalibration({ name }))).toHaveLength(1);
    expect(problems(withAlgorithm({ name }))).toHaveLength(1);
  });

  test('the words say what was found', () => {
    expect(BAD.flatMap((name) => problems(withCalibration({ name })))).toMatchInlineSnapshot(`
      [
        "calibrations[0].name: expected a name, found nothing",
        "calibrations[0].name: expected a name, found null",
        "calibrations[0].name: expected a name, found 7",
        "calibrations[0].name: expected a name, found empty text",
        "calibrations[0].name: a name begins with a letter or digit and holds only letters, digits and _ . + -, found ' '",
        "calibrations[0].name: a name begins with a letter or digit and holds only letters, digits and _ . + -, found 'a b'",
        "calibrations[0].name: a name begins with a letter or digit and holds only letters, digits and _ . + -, found '-a'",
        "calibrations[0].name: a name begins with a letter or digit and holds only letters, digits and _ . + -, found '.a'",
        "calibrations._a.name: a name begins with a letter or digit and holds only letters, digits and _ . + -, found '_a'",
        "calibrations[0].name: a name begins with a letter or digit and holds only letters, digits and _ . + -, found 'a/b'",
        "calibrations[0].name: a name begins with a letter or digit and holds only letters, digits and _ . + -, found '../a'",
        "calibrations[0].name: a name begins with a letter or digit and holds only letters, digits and _ . + -, found 'a\\nb'",
        "calibrations[0].name: a name begins with a letter or digit and holds only letters, digits and _ . + -, found 'a"b'",
        "calibrations[0].name: a name begins with a letter or digit and holds only letters, digits and _ . + -, found '$(rm)'",
        "calibrations[0].name: a name begins with a letter or digit and holds only letters, digits and _ . + -, found 'a;b'",
        "calibrations[0].name: a name begins with a letter or digit and holds only letters, digits and _ . + -, found 'ä'",
        "calibrations.objects.name: 'objects' is a directory of caf: choose another name",
        "calibrations.__proto__.name: a name begins with a letter or digit and holds only letters, digits and _ . + -, found '__proto__'",
        "calibrations[0].name: a name has at most 100 characters, found 101: 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...'",
      ]
    `);
  });

  test('a collection follows the same rule', () => {
    const collections = Object.fromEntries(['a b', '__proto__', 'objects'].map((name) => [name, collection()]));
    expect(problems(withCalibration({ collections }))).toMatchInlineSnapshot(`
      [
        "calibrations.gain.collections['a b']: a name begins with a letter or digit and holds only letters, digits and _ . + -, found 'a b'",
        "calibrations.gain.collections.__proto__: a name begins with a letter or digit and holds only letters, digits and _ . + -, found '__proto__'",
        "calibrations.gain.collections.objects: 'objects' is a directory of caf: choose another name",
      ]
    `);
  });

  test('files of caf are no names of calibrations', () => {
    expect(problems(withCalibration({ name: 'caf.db-wal' }))).toMatchInlineSnapshot(`
      [
        "calibrations.caf.db-wal.name: 'caf.db-wal' is a file of caf: choose another name",
      ]
    `);
  });

  test('each is used once', () => {
    expect(problems(config({ calibrations: [calibration(), calibration({ name: 'noise' }), calibration()] }))).toMatchInlineSnapshot(`
      [
        "calibrations[2].name: 'gain' is already the name of calibrations[0]",
      ]
    `);
    const twice = calibration();
    expect(problems(config({ calibrations: [twice, twice] }))).toMatchInlineSnapshot(`
      [
        "calibrations[1].name: 'gain' is already the name of calibrations[0], which is this very one",
      ]
    `);
    expect(problems(withCalibration({ algorithms: [algorithm(), algorithm()] }))).toMatchInlineSnapshot(`
      [
        "calibrations.gain.algorithms[1].name: 'means' is already the name of algorithms[0]",
      ]
    `);
  });
});

describe('a calibration', () => {
  test('may be without collections or without algorithms, not without both', () => {
    expect(problems(withCalibration({ collections: {} }))).toEqual([]);
    expect(problems(withCalibration({ algorithms: [] }))).toEqual([]);
    expect(problems(withCalibration({ collections: {}, algorithms: [] }))).toMatchInlineSnapshot(`
      [
        "calibrations.gain: has neither collections nor algorithms: one of the two may be empty, not both",
      ]
    `);
    expect(problems(config({ calibrations: [{ name: 'gain' }] }))).toMatchInlineSnapshot(`
      [
        "calibrations.gain.collections: expected an object of collections, or {}, found nothing",
        "calibrations.gain.algorithms: expected an array of algorithms, or [], found nothing",
      ]
    `);
  });

  test('is refused with wrong options, all at once', () => {
    expect(
      problems(
        withCalibration({
          maxIterations: 0,
          onMaxIterations: 'fial',
          ignoredRuns: [[7], [7, -1], 'x'],
          databases: [''],
          quorum: 0,
          savePayloads: 'yes',
          algorithmsRunner: {},
          maxIteration: 3,
          dependsOn: 'noise',
        }),
      ),
    ).toMatchInlineSnapshot(`
      [
        "calibrations.gain.maxIteration: there is no option 'maxIteration'; did you mean 'maxIterations'?",
        "calibrations.gain.ignoredRuns[0]: A run is an array of two whole numbers [experiment, run], found [7]. Write for instance [7, 12].",
        "calibrations.gain.ignoredRuns[1]: The run 7,-1 is negative. Experiments and runs count from 0.",
        "calibrations.gain.ignoredRuns[2]: A run is an array of two whole numbers [experiment, run], found 'x'. Write for instance [7, 12].",
        "calibrations.gain.maxIterations: expected a whole number of iterations, at least 1, found 0",
        "calibrations.gain.onMaxIterations: expected 'complete' or 'fail', found 'fial'; did you mean 'fail'?",
        "calibrations.gain.databases[0]: expected the path of a local database, found ''",
        "calibrations.gain.quorum: expected a share of the jobs above 0 and up to 1, found 0",
        "calibrations.gain.savePayloads: expected true or false, found 'yes'",
        "calibrations.gain.algorithmsRunner: expected an AlgorithmsRunner: an object with a function run, found {}",
        "calibrations.gain.dependsOn: expected an array of calibrations or their names, found 'noise'",
      ]
    `);
  });

  test.each([1.1, -1, Number.NaN, '50%', null])('refuses the quorum %j', (quorum) => {
    expect(problems(withCalibration({ quorum }))).toHaveLength(1);
  });

  test.each([1, 0.5, 1e-9])('accepts the quorum %j', (quorum) => {
    expect(spec(withCalibration({ quorum })).calibrations[0]?.quorum).toBe(quorum);
  });

  test('options that are undefined count as not given', () => {
    const none = { maxIterations: undefined, quorum: undefined, backend: undefined, dependsOn: undefined, databases: undefined };
    expect(spec(withCalibration(none)).calibrations[0]?.maxIterations).toBe(5);
  });

  test('has a message that names the line of the user', () => {
    const raw = defineConfig({ calibrations: [defineCalibration(calibration({ maxIterations: 0 }) as never)] });
    const checked = checkConfig(raw, CONTEXT);
    expect(checked.ok || checked.error[0]?.at).toMatchObject({ file: import.meta.filename, line: expect.any(Number) });
    const campaign = checkCampaign(raw, { ...CONTEXT, configPath: `${import.meta.dirname}/caf.config.ts` });
    expect(campaign.ok || campaign.error.problems[0]?.message).toMatch(/found 0 {2}\(check-config\.test\.ts:\d+\)$/);
  });
});

describe('dependsOn', () => {
  const named = (name: string, dependsOn: unknown[] = []) => calibration({ name, dependsOn });

  test('takes names and calibrations, and counts repeated ones once', () => {
    const noise = named('noise');
    const raw = config({ calibrations: [named('gain', [noise, 'noise', 't0']), noise, named('t0')] });
    expect(spec(raw).calibrations.map(({ dependsOn }) => dependsOn)).toEqual([['noise', 't0'], [], []]);
  });

  test('is refused with unknown names, with itself, and with what is no calibration', () => {
    const raw = config({ calibrations: [named('ecal-gain'), named('top-align', ['ecal-gian', 'top-align', 7, named('other'), 'zzz'])] });
    expect(problems(raw)).toMatchInlineSnapshot(`
      [
        "calibrations.top-align.dependsOn[0]: no calibration is called 'ecal-gian'; did you mean 'ecal-gain'?",
        "calibrations.top-align.dependsOn[1]: a calibration cannot wait for itself: top-align -> top-align",
        "calibrations.top-align.dependsOn[2]: expected a calibration or its name, found 7",
        "calibrations.top-align.dependsOn[3]: the calibration 'other' is not in calibrations: add it there",
        "calibrations.top-align.dependsOn[4]: no calibration is called 'zzz'",
      ]
    `);
  });

  test('in a circle is refused with the circle shown, among the other problems', () => {
    const circle = [named('t0', ['gain']), named('gain', ['noise']), named('noise', ['t0']), named('free', ['t0'])];
    expect(problems(config({ calibrations: circle, output: 3 }))).toMatchInlineSnapshot(`
      [
        "calibrations.t0.dependsOn: these calibrations wait for each other: t0 -> gain -> noise -> t0",
        "output: expected the path of the results directory, found 3",
      ]
    `);
    const alone = checkCampaign(config({ calibrations: circle }), CONTEXT);
    expect(alone.ok || [alone.error.code, alone.error.message]).toMatchInlineSnapshot(`
      [
        "CAF_CONFIG_CYCLE",
        "These calibrations wait for each other: t0 -> gain -> noise -> t0",
      ]
    `);
  });
});

describe('a collection', () => {
  test('is refused without files and collect, and when it is none', () => {
    expect(problems(withCalibration({ collections: { random: {} } }))).toMatchInlineSnapshot(`
      [
        "calibrations.gain.collections.random.files: expected an array of globs and paths such as ['data/*.csv'], found nothing",
        "calibrations.gain.collections.random.collect: expected a function or command([...]), found nothing",
      ]
    `);
    expect(problems(withCalibration({ collections: { random: null, other: 'x' } }))).toMatchInlineSnapshot(`
      [
        "calibrations.gain.collections.random: expected a collection with files and collect, found null",
        "calibrations.gain.collections.other: expected a collection with files and collect, found 'x'",
      ]
    `);
    expect(problems(withCalibration({ collections: [] }))).toMatchInlineSnapshot(`
      [
        "calibrations.gain.collections: expected an object of collections, or {}, found []",
      ]
    `);
  });

  test('is refused with wrong options, all at once', () => {
    expect(
      problems(
        withCollection({
          fils: [],
          files: ['', 'a\0b', 7],
          runs: 'e1r1',
          collect: 'python3 collect.py',
          granularity: 'runs',
          resources: { cores: 0, memory: 2, time: '1 hour', disk: '1 GB' },
          retries: -1,
          env: { OK: '1', THREADS: 4, 'A=B': 'x', NUL: 'a\0' },
          setup: 'source env.sh',
          container: '',
        }),
      ),
    ).toMatchInlineSnapshot(`
      [
        "calibrations.gain.collections.random.fils: there is no option 'fils'; did you mean 'files'?",
        "calibrations.gain.collections.random.files[0]: expected a glob or path, found ''",
        "calibrations.gain.collections.random.files[1]: a NUL byte cannot be passed on: remove it",
        "calibrations.gain.collections.random.files[2]: expected a glob or path, found 7",
        "calibrations.gain.collections.random.resources.disk: there is no option 'disk'; the options are cores, memory, time",
        "calibrations.gain.collections.random.resources.memory: expected a size such as '2 GB', found 2",
        "calibrations.gain.collections.random.resources.cores: expected a whole number of cores, at least 1, found 0",
        "calibrations.gain.collections.random.resources.time: expected a time such as '1 h' or '90 s', found '1 hour'",
        "calibrations.gain.collections.random.runs: expected a RegExp such as /e(?<experiment>\\d+)r(?<run>\\d+)/, a function, or an object from paths to runs, found 'e1r1'",
        "calibrations.gain.collections.random.collect: expected a function or command([...]), found 'python3 collect.py'; a program is written command([...])",
        "calibrations.gain.collections.random.granularity: expected 'run' or 'all', found 'runs'; did you mean 'run'?",
        "calibrations.gain.collections.random.retries: expected a whole number of retries, at least 0, found -1",
        "calibrations.gain.collections.random.env.THREADS: expected text, found 4",
        "calibrations.gain.collections.random.env: 'A=B' cannot be the name of an environment variable",
        "calibrations.gain.collections.random.env.NUL: a NUL byte cannot be passed on: remove it",
        "calibrations.gain.collections.random.setup: expected an array of lines of shell, found 'source env.sh'",
        "calibrations.gain.collections.random.container: expected an image such as 'tools:1.2' or './tools.sif', found ''",
      ]
    `);
  });

  test('may do without files: it is one job then, or one for each entry of arguments', () => {
    expect(problems(withCollection({ files: [] }))).toEqual([]);
    expect(problems(withCollection({ files: [], split: { arguments: [['a'], ['b']] } }))).toEqual([]);
  });

  test('says what a program runs in: a path is an image of apptainer, a name one of podman', () => {
    const container = (value: unknown) => firstCollection(withCollection({ container: value })).container;
    expect(container('sim.sif')).toEqual({ runtime: 'apptainer', image: 'sim.sif', binds: [], options: [] });
    expect(container('../images/sim')).toMatchObject({ runtime: 'apptainer' });
    expect(container('group/sim:1.2')).toEqual({ runtime: 'podman', image: 'group/sim:1.2', binds: [], options: [] });
    expect(container({ image: '/images/sim', runtime: 'charliecloud', binds: ['/cvmfs'] })).toMatchObject({ runtime: 'charliecloud' });
    expect(problems(withCollection({ container: { images: 'sim', runtime: 'dcoker', binds: '/cvmfs' } }))).toMatchInlineSnapshot(`
      [
        "calibrations.gain.collections.random.container.images: there is no option 'images'; did you mean 'image'?",
        "calibrations.gain.collections.random.container.image: expected an image such as 'tools:1.2' or './tools.sif', found nothing",
        "calibrations.gain.collections.random.container.runtime: expected 'podman' or 'apptainer' or 'charliecloud', found 'dcoker'",
        "calibrations.gain.collections.random.container.binds: expected an array of places such as ['/cvmfs:/cvmfs:ro'], found '/cvmfs'",
      ]
    `);
    expect(problems(withCollection({ collect: () => undefined, container: 'sim' }))).toEqual([
      'calibrations.gain.collections.random.container: a container is for programs, and collect is a function: write collect: command([...]), or remove it',
    ]);
  });

  test('takes names that a shell would stumble over literally', () => {
    const files = ['a b.csv', '$(rm -rf ~).csv', "it's;.csv", '-n', 'é.csv', 'x'.repeat(300), 'root://host//f.root'];
    expect(firstCollection(withCollection({ files })).files).toEqual(files);
  });

  test.each([
    [{ maxFilesPerJob: 2 }, { by: 'maxFilesPerJob', maxFilesPerJob: 2 }],
    [
      { maxJobs: 7, maxFilesPerJob: undefined },
      { by: 'maxJobs', maxJobs: 7 },
    ],
    [{ arguments: [['a', ''], []] }, { by: 'arguments', arguments: [['a', ''], []] }],
  ])('splits by %j', (split, expected) => {
    expect(firstCollection(withCollection({ split })).split).toEqual(expected);
  });

  test('is refused unless split has exactly one key, with a right value', () => {
    const splits = [
      {},
      { maxJobs: 1, maxFilesPerJob: 2 },
      { maxJob: 1 },
      { maxJobs: 0 },
      { maxFilesPerJob: '2' },
      { arguments: [] },
      { arguments: ['a'] },
      { arguments: [[1]] },
      3,
    ];
    expect(splits.flatMap((split) => problems(withCollection({ split })))).toMatchInlineSnapshot(`
      [
        "calibrations.gain.collections.random.split: expected exactly one of maxFilesPerJob, maxJobs, arguments, found none",
        "calibrations.gain.collections.random.split: expected exactly one of maxFilesPerJob, maxJobs, arguments, found maxFilesPerJob and maxJobs",
        "calibrations.gain.collections.random.split.maxJob: there is no option 'maxJob'; did you mean 'maxJobs'?",
        "calibrations.gain.collections.random.split.maxJobs: expected a whole number of jobs, at least 1, found 0",
        "calibrations.gain.collections.random.split.maxFilesPerJob: expected a whole number of files, at least 1, found '2'",
        "calibrations.gain.collections.random.split.arguments: expected at least one entry: each entry is a job",
        "calibrations.gain.collections.random.split.arguments[0]: expected an array of arguments such as ['a'], found 'a'",
        "calibrations.gain.collections.random.split.arguments[0][0]: expected text, found 1",
        "calibrations.gain.collections.random.split: expected an object such as { maxFilesPerJob: 2 }, found 3",
      ]
    `);
  });

  test('keeps outputs inside the directory of the job', () => {
    expect(firstCollection(withCollection({ outputs: ['*.root', 'a..b', 'sub/**'] }))).toMatchObject({ outputsRequired: true });
    expect(firstCollection(withCollection({ outputs: [] }))).toMatchObject({ outputs: [], outputsRequired: true });
    expect(firstCollection(withCollection({}))).toMatchObject({ outputs: ['*'], outputsRequired: false });
    const outputs = ['/etc/passwd', '../x', 'a/../../x', '{a,../b}', 'C:\\x', '..', ''];
    expect(problems(withCollection({ outputs }))).toMatchInlineSnapshot(`
      [
        "calibrations.gain.collections.random.outputs[0]: '/etc/passwd' is absolute; outputs are relative to the job's output directory",
        "calibrations.gain.collections.random.outputs[1]: '../x' leaves the job's output directory; outputs hold no '..'",
        "calibrations.gain.collections.random.outputs[2]: 'a/../../x' leaves the job's output directory; outputs hold no '..'",
        "calibrations.gain.collections.random.outputs[3]: '{a,../b}' leaves the job's output directory; outputs hold no '..'",
        "calibrations.gain.collections.random.outputs[4]: 'C:\\\\x' is absolute; outputs are relative to the job's output directory",
        "calibrations.gain.collections.random.outputs[5]: '..' leaves the job's output directory; outputs hold no '..'",
        "calibrations.gain.collections.random.outputs[6]: expected a glob such as '*.root', found ''",
      ]
    `);
  });

  test('reads sizes and times, and knows whether the memory was set', () => {
    expect(firstCollection(withCollection({ resources: { cores: 2, memory: '512 MiB', time: '1 h 30 min' } })).resources).toEqual({
      cores: 2,
      memoryBytes: 536_870_912,
      memoryIsSet: true,
      timeMs: 5_400_000,
    });
    expect(problems(withCollection({ resources: { memory: '0 GB', time: '0 s' } }))).toMatchInlineSnapshot(`
      [
        "calibrations.gain.collections.random.resources.memory: expected a size such as '2 GB', found '0 GB'",
        "calibrations.gain.collections.random.resources.time: expected a time such as '1 h' or '90 s', found '0 s'",
      ]
    `);
  });
});

describe('runs of files', () => {
  const runs = (value: unknown) => firstCollection(withCollection({ runs: value })).runs;

  test('a RegExp forgets where it stopped', () => {
    const read = runs(/e(?<experiment>\d+)r(?<run>\d+)/gi);
    if (read?.by !== 'regexp') throw new Error('expected a RegExp');
    expect(read.regexp.flags).toBe('i');
    expect([read.regexp.test('E1R2'), read.regexp.test('E1R2')]).toEqual([true, true]);
  });

  test('a Map and an object from paths to runs or intervals, whose keys are only data', () => {
    const read = runs(
      new Map<string, unknown>([
        ['a.csv', [7, 1]],
        ['__proto__', [7, 1, 7, 20]],
      ]),
    );
    if (read?.by !== 'map') throw new Error('expected a map');
    expect(Object.entries(read.map)).toEqual([
      ['a.csv', [7, 1]],
      ['__proto__', [7, 1, 7, 20]],
    ]);
    expect(Object.hasOwn(Object.prototype, 'a.csv')).toBe(false);
    expect(runs({ 'a.csv': [7, 1] })).toEqual({ by: 'map', map: { 'a.csv': [7, 1] } });
  });

  test('are refused in any other form', () => {
    const wrong = [/e(\d+)r(\d+)/, /(?<experiment>\d+)/, 3, null, [[7, 1]], { 'a.csv': '7,1', 'b.csv': [7, -1], 'c.csv': [2, 1, 1, 1] }];
    expect(wrong.flatMap((value) => problems(withCollection({ runs: value })))).toMatchInlineSnapshot(`
      [
        "calibrations.gain.collections.random.runs: expected the named groups experiment and run, as in /e(?<experiment>\\d+)r(?<run>\\d+)/; /e(\\d+)r(\\d+)/ has no experiment and no run",
        "calibrations.gain.collections.random.runs: expected the named groups experiment and run, as in /e(?<experiment>\\d+)r(?<run>\\d+)/; /(?<experiment>\\d+)/ has no run",
        "calibrations.gain.collections.random.runs: expected a RegExp such as /e(?<experiment>\\d+)r(?<run>\\d+)/, a function, or an object from paths to runs, found 3",
        "calibrations.gain.collections.random.runs: expected a RegExp such as /e(?<experiment>\\d+)r(?<run>\\d+)/, a function, or an object from paths to runs, found null",
        "calibrations.gain.collections.random.runs: expected a RegExp such as /e(?<experiment>\\d+)r(?<run>\\d+)/, a function, or an object from paths to runs, found an array of 1",
        "calibrations.gain.collections.random.runs['a.csv']: An interval is an array of four whole numbers, found '7,1'. Write firstExp,firstRun,finalExp,finalRun, for instance 7,1,7,20; -1 as finalRun or as both final values means open.",
        "calibrations.gain.collections.random.runs['b.csv']: The run 7,-1 is negative. Experiments and runs count from 0.",
        "calibrations.gain.collections.random.runs['c.csv']: The interval 2,1,1,1 ends before it begins. The first run comes first.",
      ]
    `);
  });

  test('are needed when a requested IoV or ignored runs select among files', () => {
    expect(problems(config(), { iov: [1, 1, 1, 3] })).toMatchInlineSnapshot(`
      [
        "calibrations.gain.collections.random.runs: the requested IoV 1,1,1,3 can only select files whose runs are known: give a RegExp such as /e(?<experiment>\\d+)r(?<run>\\d+)/, a function, or an object from paths to runs",
      ]
    `);
    expect(problems(withCalibration({ ignoredRuns: [[7, 3]] }))).toMatchInlineSnapshot(`
      [
        "calibrations.gain.collections.random.runs: ignoredRuns can only select files whose runs are known: give a RegExp such as /e(?<experiment>\\d+)r(?<run>\\d+)/, a function, or an object from paths to runs",
      ]
    `);
    expect(problems(withAlgorithm({ strategy: sequentialRunByRun() }))).toEqual([]);
  });
});

describe('an algorithm', () => {
  test('is refused with wrong options, all at once', () => {
    expect(
      problems(
        withAlgorithm({
          run: undefined,
          setup: 3,
          findBoundaries: 'x',
          executionTimeLimit: 60,
          env: [],
          resources: { core: 1 },
          timeout: 1,
        }),
      ),
    ).toMatchInlineSnapshot(`
      [
        "calibrations.gain.algorithms.means.timeout: there is no option 'timeout'; the options are name, run, strategy, setup, findBoundaries, executionTimeLimit, env, resources, container, site",
        "calibrations.gain.algorithms.means.run: expected a function or command([...]), found nothing",
        "calibrations.gain.algorithms.means.findBoundaries: expected a function or command([...]), found 'x'; a program is written command([...])",
        "calibrations.gain.algorithms.means.resources.core: there is no option 'core'; did you mean 'cores'?",
        "calibrations.gain.algorithms.means.setup: expected a function or command([...]), found 3",
        "calibrations.gain.algorithms.means.executionTimeLimit: expected a time such as '1 h' or '90 s', found 60",
        "calibrations.gain.algorithms.means.env: expected an object of variables such as { THREADS: '4' }, found []",
      ]
    `);
    expect(problems(withCalibration({ algorithms: [null, 'means'] }))).toMatchInlineSnapshot(`
      [
        "calibrations.gain.algorithms[0]: expected an algorithm with name and run, found null",
        "calibrations.gain.algorithms[1]: expected an algorithm with name and run, found 'means'",
      ]
    `);
    expect(problems(withCalibration({ algorithms: { means: algorithm() } }))).toMatchInlineSnapshot(`
      [
        "calibrations.gain.algorithms: expected an array of algorithms, or [], found an object",
      ]
    `);
  });

  test('is refused with what is no strategy, with advice', () => {
    const wrong = [sequentialRunByRun, 'singleIov', 'singleIvo', {}, { name: 'mine', run: 3 }, null];
    expect(wrong.flatMap((strategy) => problems(withAlgorithm({ strategy })))).toMatchInlineSnapshot(`
      [
        "calibrations.gain.algorithms.means.strategy: expected a strategy such as singleIov(), found the function sequentialRunByRun; write sequentialRunByRun()",
        "calibrations.gain.algorithms.means.strategy: expected a strategy such as singleIov(), found 'singleIov'; write singleIov()",
        "calibrations.gain.algorithms.means.strategy: expected a strategy such as singleIov(), found 'singleIvo'; did you mean 'singleIov'?",
        "calibrations.gain.algorithms.means.strategy: expected a strategy such as singleIov(), found {}",
        "calibrations.gain.algorithms.means.strategy: expected a strategy such as singleIov(), found an object",
        "calibrations.gain.algorithms.means.strategy: expected a strategy such as singleIov(), found null",
      ]
    `);
  });

  test('shows the problems of its strategy at their place', () => {
    const strategies = [
      sequentialRunByRun({ stepSize: 0 }),
      singleIov({ applyIov: [2, 1, 1, 1] }),
      sequentialRunByRun({ stepsize: 2 } as never),
      singleIov(3 as never),
    ];
    expect(strategies.flatMap((strategy) => problems(withAlgorithm({ strategy })))).toMatchInlineSnapshot(`
      [
        "calibrations.gain.algorithms.means.strategy.stepSize: Expected a whole number of runs, at least 1, found 0",
        "calibrations.gain.algorithms.means.strategy.applyIov: The interval 2,1,1,1 ends before it begins",
        "calibrations.gain.algorithms.means.strategy.stepsize: sequentialRunByRun has no option 'stepsize': did you mean 'stepSize'?",
        "calibrations.gain.algorithms.means.strategy: singleIov takes an object of options (applyIov), found 3",
      ]
    `);
  });

  test('accepts the options object left out and empty', () => {
    expect(problems(withAlgorithm({ strategy: singleIov() }))).toEqual([]);
    expect(problems(withAlgorithm({ strategy: singleIov({}) }))).toEqual([]);
  });

  test('needs findBoundaries when its strategy asks for boundaries', () => {
    expect(problems(withAlgorithm({ strategy: sequentialBoundaries() }))).toMatchInlineSnapshot(`
      [
        "calibrations.gain.algorithms.means.findBoundaries: sequentialBoundaries needs to know where new intervals begin: give it boundaries, or the algorithm findBoundaries",
      ]
    `);
    expect(problems(withAlgorithm({ strategy: sequentialBoundaries({ boundaries: [] }) }))).toEqual([]);
    expect(problems(withAlgorithm({ strategy: sequentialBoundaries(), findBoundaries: () => [] }))).toEqual([]);
  });

  test('cannot go by runs over collections that do not keep them apart', () => {
    const raw = withCalibration({
      collections: { random: collection(), cosmic: collection({ granularity: 'all' }) },
      algorithms: [algorithm(), algorithm({ name: 'by-run', strategy: sequentialRunByRun() })],
    });
    expect(problems(raw)).toMatchInlineSnapshot(`
      [
        "calibrations.gain.algorithms.by-run.strategy: sequentialRunByRun needs collections with granularity 'run', but cosmic has 'all'",
      ]
    `);
  });

  test('has resources as a program and as a function', () => {
    expect(problems(withAlgorithm({ resources: { cores: 2 } }))).toEqual([]);
    expect(problems(withAlgorithm({ run: program, resources: { cores: 2 } }))).toEqual([]);
    expect(problems(withAlgorithm({ resources: { cores: 200 } }))).toHaveLength(1);
  });

  test('runs beside caf, or on the engine where the backend says so', () => {
    const on = (algorithms?: unknown) => config({ backend: slurm({ algorithms } as never) });
    expect(spec(on()).calibrations[0]?.backend).toMatchObject({ algorithmsOn: 'caf' });
    expect(spec(on({ on: 'backend' })).calibrations[0]?.backend).toMatchObject({ algorithmsOn: 'backend' });
    expect(problems(on({ on: 'nodes' }))).toEqual(["backend.algorithms.on: expected 'caf' or 'backend', found 'nodes'"]);
    expect(problems(on('backend'))).toHaveLength(1);
  });
});

describe('a program', () => {
  test('is an argument vector of text with known placeholders', () => {
    const argv = [
      'python3',
      '{config}/fit.py',
      '--in={files}',
      '{output}',
      '{iteration}',
      '{parameters.gain}',
      '',
      'a b',
      '$(x)',
      '{"json": 1}',
      '{}',
    ];
    expect(firstCollection(withCollection({ collect: command(argv) })).collect).toEqual({ kind: 'command', argv });
  });

  test('is refused otherwise', () => {
    const wrong = [[], [''], 'python3', ['a', 3], ['a', 'x\0y'], ['a', '{file}'], ['a', '{nothing}', '{parameters.}', '{parameters}']];
    expect(wrong.flatMap((argv) => problems(withCollection({ collect: command(argv as never) })))).toMatchInlineSnapshot(`
      [
        "calibrations.gain.collections.random.collect: a command begins with the name of its program, found none",
        "calibrations.gain.collections.random.collect: a command begins with the name of its program, found none",
        "calibrations.gain.collections.random.collect: expected an array such as ['python3', 'fit.py'], found 'python3'",
        "calibrations.gain.collections.random.collect[1]: expected text, found 3",
        "calibrations.gain.collections.random.collect[1]: a NUL byte cannot be passed on: remove it",
        "calibrations.gain.collections.random.collect[1]: {file} is not a placeholder; did you mean 'files'?",
        "calibrations.gain.collections.random.collect[1]: {nothing} is not a placeholder; there are {config}, {files}, {output}, {iteration}, {parameters.NAME}",
        "calibrations.gain.collections.random.collect[2]: {parameters.} is not a placeholder; there are {config}, {files}, {output}, {iteration}, {parameters.NAME}",
        "calibrations.gain.collections.random.collect[3]: {parameters} is not a placeholder; there are {config}, {files}, {output}, {iteration}, {parameters.NAME}",
      ]
    `);
  });
});

describe('the backend', () => {
  test('has the cores of the machine as slots, unless the config or CAF_SLOTS says otherwise', () => {
    expect(spec(config()).calibrations[0]?.backend).toEqual({ kind: 'local', slots: 4, memoryBytes: null });
    expect(spec(config({ backend: local({ slots: 2, memory: '8 GB' }) })).calibrations[0]?.backend).toEqual({
      kind: 'local',
      slots: 2,
      memoryBytes: 8e9,
    });
    expect(spec(config({ backend: local({ slots: 2 }) }), { slotsOverride: 3 }).calibrations[0]?.backend).toMatchObject({ slots: 3 });
    expect(
      spec(config({ calibrations: [calibration({ backend: local({ slots: 1 }) }), calibration({ name: 'b' })] })).calibrations.map(
        ({ backend }) => backend,
      ),
    ).toMatchObject([{ slots: 1 }, { slots: 4 }]);
  });

  test('is refused when it is none', () => {
    const wrong = [
      local,
      'local',
      { kind: 'slrum' },
      { kind: 'Local' },
      local({ slots: 0, memory: 8 } as never),
      local({ cores: 4 } as never),
    ];
    expect(wrong.flatMap((backend) => problems(config({ backend })))).toMatchInlineSnapshot(`
      [
        "backend: expected a backend such as local({ slots: 4 }), found the function local; call it: local()",
        "backend: expected a backend such as local({ slots: 4 }), found 'local'",
        "backend.kind: no backend is called 'slrum'; did you mean 'slurm'?",
        "backend.kind: no backend is called 'Local'; did you mean 'local'?",
        "backend.slots: expected a whole number of slots, at least 1, found 0",
        "backend.memory: expected a size such as '2 GB', found 8",
        "backend.cores: there is no option 'cores'; the options are slots, memory, maxLogSize",
      ]
    `);
    expect(problems(config(), { backendOverride: 'locl' })).toMatchInlineSnapshot(`
      [
        "backend: no backend is called 'locl'; did you mean 'local'?",
      ]
    `);
  });

  test('is compared with each job: one that can never fit is refused', () => {
    const raw = config({
      backend: local({ slots: 2, memory: '1 GB' }),
      calibrations: [
        calibration({ collections: { random: collection({ resources: { cores: 8, memory: '2 GB' } }), small: collection() } }),
      ],
    });
    expect(problems(raw)).toMatchInlineSnapshot(`
      [
        "calibrations.gain.collections.random.resources.cores: a job with 8 cores can never start: the local backend has 2 slots",
        "calibrations.gain.collections.random.resources.memory: a job with 2 GB can never start: the local backend has 1 GB",
      ]
    `);
    expect(problems(withAlgorithm({ run: program, resources: { cores: 8 } }))).toMatchInlineSnapshot(`
      [
        "calibrations.gain.algorithms.means.resources.cores: a job with 8 cores can never start: the local backend has 4 slots",
      ]
    `);
  });
});

describe('payload definitions', () => {
  test('are refused with a wrong name, a wrong schema, or defined twice', () => {
    const payload = (name: unknown, schema: unknown = null) => ({ kind: 'payload', name, schema }) as never;
    const payloads = [payload('Gain'), payload('a b'), payload(''), payload(7), payload('Noise', { type: 'number' })];
    expect(problems(config(), { payloads })).toMatchInlineSnapshot(`
      [
        "definePayload('a b'): the name of a payload holds letters, digits and _ . + : - (at most 200, not beginning with a dot)",
        "definePayload(''): the name of a payload holds letters, digits and _ . + : - (at most 200, not beginning with a dot)",
        "definePayload(7): the name of a payload holds letters, digits and _ . + : - (at most 200, not beginning with a dot)",
        "definePayload('Noise'): expected a Standard Schema validator such as z.object({ ... }), found an object",
      ]
    `);
    const twice = [definePayload('Gain'), definePayload('Gain')];
    expect(problems(config(), { payloads: twice })).toHaveLength(1);
    expect(problems(config(), { payloads: twice })[0]).toMatch(
      /^definePayload\('Gain'\): is defined twice: first at .*check-config\.test\.ts:\d+:\d+$/,
    );
    const loadedTwice = [1, 2].map(() => definePayload('Gain'));
    expect(problems(config(), { payloads: loadedTwice })).toEqual([]);
    expect(spec(config(), { payloads: [payload('Gain'), payload('Noise')] }).payloadNames).toEqual(['Gain', 'Noise']);
  });
});

describe('ten thousand calibrations', () => {
  const many = (dependsOn: (index: number) => string[]) =>
    config({ calibrations: Array.from({ length: 10_000 }, (_, index) => calibration({ name: `c${index}`, dependsOn: dependsOn(index) })) });

  test('in one chain are checked without a deep stack', () => {
    expect(spec(many((index) => (index === 0 ? [] : [`c${index - 1}`]))).calibrations).toHaveLength(10_000);
  });

  test('with as many mistakes are all reported, suggestions only for the first', () => {
    const found = problems(many(() => ['c1o']));
    expect(found).toHaveLength(10_000);
    expect(found[0]).toBe("calibrations.c0.dependsOn[0]: no calibration is called 'c1o'; did you mean 'c1'?");
    expect(found.at(-1)).toBe("calibrations.c9999.dependsOn[0]: no calibration is called 'c1o'");
  });
});
