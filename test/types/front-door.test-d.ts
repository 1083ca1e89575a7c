// What TypeScript must refuse in a config, and what it must know without being told. Compiled by tsc; nothing here runs.
import * as z from 'zod';
import {
  type AlgorithmResult,
  command,
  defineCalibration,
  defineConfig,
  definePayload,
  defineStrategy,
  local,
  sequentialBoundaries,
  sequentialRunByRun,
  singleIov,
} from '../../src/index.ts';

/** Compiles only when the two types are the same. */
function expectSame<A, B>(_same: (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false): void {
  return;
}

const Pedestals = definePayload('Pedestals', z.object({ mean: z.array(z.number()), noise: z.array(z.number()) }));
const Histograms = definePayload('Histograms');

declare function judge(): Promise<AlgorithmResult>;
const random = { files: ['data/*.csv'], collect: command(['true']) };

export const pedestals = defineCalibration({
  name: 'pedestals',
  collections: {
    random: {
      files: ['data/random-*.csv'],
      runs: /e(?<experiment>\d+)r(?<run>\d+)/,
      split: { maxFilesPerJob: 2 },
      resources: { cores: 2, memory: '4 GB', time: '90 s' },
      collect: async ({ files, arguments: words, record, conditions, iteration, outputDirectory, log, signal }) => {
        expectSame<typeof files, readonly string[]>(true);
        expectSame<typeof words, readonly string[]>(true);
        expectSame<typeof iteration, number>(true);
        expectSame<typeof outputDirectory, string>(true);
        expectSame<typeof signal, AbortSignal>(true);
        record([7, 12], 'adc', { n: 100, sum: 512.5 });
        // @ts-expect-error a run is [experiment, run]
        record([7], 'adc', 1);
        const { mean } = await conditions.get(Pedestals, [7, 12]);
        expectSame<typeof mean, number[]>(true);
        log('done');
        log.warn('few events', { events: 3 });
      },
    },
    map: { files: ['x'], runs: { 'x.csv': [7, 1], 'y.csv': [7, 1, 7, 20] }, collect: () => undefined },
    // @ts-expect-error the misspelled option 'fils'
    misspelled: { fils: ['x'], collect: () => undefined },
    // @ts-expect-error sizes are text with a unit
    numbers: { files: ['x'], collect: () => undefined, resources: { memory: 2 } },
    // @ts-expect-error exactly one key of split
    twoSplits: { files: ['x'], collect: () => undefined, split: { maxJobs: 2, maxFilesPerJob: 3 } },
    function: { files: ['x'], runs: (path) => (path.startsWith('a') ? [7, 1, 7, 20] : null), collect: () => undefined },
  },
  algorithms: [
    {
      name: 'means',
      strategy: sequentialRunByRun({ stepSize: 1 }),
      setup: ({ data, log }) => log.info(`${data.runs.length} runs`),
      run: async ({ runs, iov, data, conditions, commit, commitFile, iteration }) => {
        expectSame<typeof runs, readonly (readonly [experiment: number, run: number])[]>(true);
        commit(Pedestals, { mean: [512.5], noise: [2.1] });
        commit(Pedestals, { mean: [], noise: [] }, { iov });
        // @ts-expect-error noise is missing
        commit(Pedestals, { mean: [512.5] });
        // @ts-expect-error mean holds numbers
        commit(Pedestals, { mean: ['512.5'], noise: [] });
        // @ts-expect-error a file payload has no value
        commit(Histograms, 'histograms.root');
        await commitFile(Histograms, 'histograms.root');
        // @ts-expect-error a payload with a schema is not a file
        await commitFile(Pedestals, 'pedestals.json');
        const before = await conditions.find(Pedestals, [7, 12]);
        expectSame<typeof before, { mean: number[]; noise: number[] } | undefined>(true);
        const path = await conditions.get(Histograms, [7, 12]);
        expectSame<typeof path, string>(true);
        for await (const { run, value } of data.records<{ sum: number }>('adc')) {
          expectSame<typeof run, readonly [experiment: number, run: number]>(true);
          expectSame<typeof value, { sum: number }>(true);
        }
        for await (const { value } of data.records('adc')) expectSame<typeof value, unknown>(true);
        expectSame<ReturnType<typeof data.files>, readonly string[]>(true);
        return iteration < 2 ? 'iterate' : 'ok';
      },
    },
    // @ts-expect-error 'done' is not a result
    { name: 'wrong-result', run: () => 'done' },
    {
      name: 'edges',
      strategy: sequentialBoundaries(),
      findBoundaries: ({ runs, data, conditions: _conditions, iteration: _iteration }) => [...runs, ...data.runs],
      run: () => 'not-enough-data',
    },
    {
      name: 'no-runs-in-setup',
      // @ts-expect-error setup is not about some runs
      setup: ({ runs }) => runs,
      run: command(['python3', '{config}/fit.py']),
    },
    // @ts-expect-error an unknown option of an algorithm
    { name: 'x', run: () => 'ok', timeLimit: '1 h' },
  ],
});

expectSame<(typeof pedestals)['name'], 'pedestals'>(true);

// The only return of an async function keeps its literal type.
export const results = defineCalibration({
  name: 'results',
  collections: {},
  algorithms: [
    {
      name: 'one-return',
      run: async ({ data, log }) => {
        log(`${data.runs.length} runs`);
        return 'ok';
      },
    },
    { name: 'no-parameter', run: async () => 'not-enough-data' },
    { name: 'result-of-another-function', run: async () => judge() },
    { name: 'not-async', run: () => judge() },
    { name: 'program', run: command(['true']) },
  ],
});
defineCalibration({
  name: 'wrong-result',
  collections: {},
  // @ts-expect-error 'done' is no result behind a promise either
  algorithms: [{ name: 'wrong', run: async () => 'done' }],
});

const gain = defineCalibration({ name: 'gain', collections: { random }, algorithms: [], dependsOn: [pedestals, 'noise'] });
const noise = defineCalibration({ name: 'noise', collections: { random }, algorithms: [] });
const typo = defineCalibration({ name: 'typo', collections: { random }, algorithms: [], dependsOn: ['gian'] });

export const complete = defineConfig({ backend: local({ slots: 4 }), calibrations: [pedestals, gain, noise] });
// @ts-expect-error no calibration is called 'noise'
export const unknownName = defineConfig({ calibrations: [pedestals, gain] });
// @ts-expect-error no calibration is called 'gian'
export const misspelledName = defineConfig({ calibrations: [pedestals, gain, noise, typo] });

// Names that are made at run time are checked at run time.
const many = Array.from({ length: 3 }, (_, index) => defineCalibration({ name: `c${index}`, collections: { random }, algorithms: [] }));
export const generated = defineConfig({ calibrations: many });

// Calibrations written in place, without defineCalibration.
export const inPlace = defineConfig({
  calibrations: [
    {
      name: 'a',
      collections: { c: { files: ['x'], collect: ({ files }) => expectSame<typeof files, readonly string[]>(true) } },
      algorithms: [],
    },
  ],
});

defineConfig({
  calibrations: [noise],
  // @ts-expect-error an unknown option of the config
  outputs: 'results',
});
// @ts-expect-error an unknown option of a calibration
defineCalibration({ name: 'x', collections: {}, algorithms: [], depends: [] });
// @ts-expect-error a calibration needs algorithms, even if none: []
defineCalibration({ name: 'x', collections: {} });
// @ts-expect-error local has no cores
local({ cores: 4 });
// @ts-expect-error a program is an argument vector
command('python3 fit.py');
singleIov({ applyIov: [0, 0, -1, -1] });
// @ts-expect-error an interval has four numbers
singleIov({ applyIov: [0, 0] });

export const mine = defineStrategy({
  name: 'firstRun',
  *run({ runs }) {
    const result = yield { type: 'execute', runs, iov: [0, 0, -1, -1] };
    return { finalState: result === 'ok' ? 'completed' : 'failed', gaps: null };
  },
});
