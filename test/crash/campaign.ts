// The campaign that the crash matrix kills: every kind of work caf does, each leaving a line in `effects` when it begins.
import { openJournalForReading } from '../../src/database/journal-reader.ts';
import type { JournalReads } from '../../src/database/journal-records.ts';
import { createRig, type Rig } from '../support/rig.ts';

const CONFIG = `
import { appendFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { command, defineCalibration, defineConfig, definePayload, local, sequentialRunByRun } from 'calibration-framework';
import * as z from 'zod';

const begin = (...words) => appendFileSync(join(import.meta.dirname, 'effects'), words.join(' ') + '\\n');
const execution = (name, runs) => begin('execution', name, JSON.stringify(runs));
const Mean = definePayload('Mean', z.object({ mean: z.number(), entries: z.number() }));
const Spread = definePayload('Spread', z.object({ spread: z.number() }));
const Scale = definePayload('Scale', z.object({ scale: z.number(), iteration: z.number() }));
const Check = definePayload('Check', z.object({ scale: z.number() }));

const runs = /run(?<run>\\d+)/;
const files = ['data/run*.csv'];
const read = (files) => files.flatMap((file) => readFileSync(file, 'utf8').trim().split('\\n').map(Number));
const runOf = (file) => [1, Number(/run(\\d+)/.exec(file)[1])];

const raw = defineCalibration({
  name: 'raw',
  collections: {
    functions: {
      files, runs: (path) => runOf(path), split: { maxFilesPerJob: 1 },
      collect: ({ files, record }) => {
        begin('job', 'raw/0/functions/' + (runOf(files[0])[1] - 1));
        for (const file of files) for (const value of read([file])) record(runOf(file), 'value', value);
      },
    },
    programs: {
      files, runs: (path) => runOf(path), split: { maxFilesPerJob: 1 }, retries: 1,
      // The first attempt of the last job fails.
      collect: command(['sh', '{config}/collect.sh', '{config}', '{files}']),
    },
  },
  algorithms: [
    {
      name: 'means',
      strategy: sequentialRunByRun({ stepSize: 1 }),
      run: async ({ runs, data, commit }) => {
        execution('raw/0/means', runs);
        let [sum, entries] = [0, 0];
        for await (const { value } of data.records('value')) { sum += value; entries += 1; }
        for await (const { value } of data.records('count')) entries += value;
        if (entries < 5) return 'not-enough-data';
        commit(Mean, { mean: sum / entries, entries });
        return 'ok';
      },
    },
    {
      name: 'spread',
      run: async ({ runs, conditions, commit }) => {
        execution('raw/0/spread', runs);
        commit(Spread, { spread: (await conditions.get(Mean, runs[0])).mean - (await conditions.get(Mean, runs.at(-1))).mean });
        return 'ok';
      },
    },
  ],
});

const looped = defineCalibration({
  name: 'looped',
  dependsOn: [raw],
  maxIterations: MAX_ITERATIONS,
  collections: {
    all: {
      files, runs: (path) => runOf(path), split: { maxJobs: 2 },
      collect: async ({ files, record, conditions, iteration }) => {
        begin('job', 'looped/' + iteration + '/all/' + (runOf(files[0])[1] === 1 ? 0 : 1));
        for (const file of files) {
          const before = await conditions.find(Scale, runOf(file));
          record(runOf(file), 'residual', (await conditions.get(Mean, runOf(file))).mean - (before?.scale ?? 0));
        }
      },
    },
  },
  algorithms: [{
    name: 'scale',
    run: async ({ runs, data, conditions, commit, iteration }) => {
      execution('looped/' + iteration + '/scale', runs);
      let sum = 0;
      for await (const { value } of data.records('residual')) sum += value;
      const before = await conditions.find(Scale, runs[0]);
      commit(Scale, { scale: (before?.scale ?? 0) + sum / 8, iteration });
      return iteration < 2 ? 'iterate' : 'ok';
    },
  }],
});

const after = defineCalibration({
  name: 'after',
  dependsOn: ['looped'],
  collections: {},
  algorithms: [{
    name: 'check',
    run: async ({ runs, conditions, commit }) => {
      execution('after/0/check', runs);
      commit(Check, { scale: (await conditions.get(Scale, [1, 1])).scale });
      return 'ok';
    },
  }],
});

const broken = defineCalibration({
  name: 'broken',
  collections: { few: { files, runs: (path) => runOf(path), collect: ({ files, record }) => {
    begin('job', 'broken/0/few/' + (runOf(files[0])[1] - 1));
    record(runOf(files[0]), 'value', 1);
  }, split: { maxJobs: 3 } } },
  algorithms: [{
    name: 'fails',
    strategy: sequentialRunByRun(),
    run: ({ runs, commit }) => {
      execution('broken/0/fails', runs);
      if (runs.at(-1)[1] === 3) return 'failure';
      commit(Mean, { mean: 0, entries: runs.length });
      return 'ok';
    },
  }],
});

const blocked = defineCalibration({ name: 'blocked', dependsOn: [broken], collections: {}, algorithms: [{ name: 'never', run: () => 'ok' }] });

export default defineConfig({ backend: local({ slots: 2 }), calibrations: [raw, looped, after, broken, blocked] });
`;

const COLLECT = `
echo "job raw/0/programs/$(($(basename "$2" .csv | tr -d run) - 1))" >> "$1/effects"
case "$2" in *run3.csv) grep -q '"attempt":0' "$CAF_JOB" && { echo "the first attempt fails" >&2; exit 3; } ;; esac
number=$(basename "$2" .csv | tr -d run)
printf '{"run":[1,%s],"name":"count","value":%s}\\n' "$number" "$(wc -l < "$2" | tr -d ' ')" > records.ndjson
printf '{"result":"ok"}' > result.json.new && mv result.json.new result.json
`;

/** The config with another limit: by default the calibration that iterates converges before it. */
export const configWith = (maxIterations: number): string => CONFIG.replace('MAX_ITERATIONS', String(maxIterations));

export function createCampaign(maxIterations = 4): Rig {
  const rig = createRig(configWith(maxIterations));
  rig.write('collect.sh', COLLECT);
  for (const run of [1, 2, 3]) rig.write(`data/run${run}.csv`, `${[run, run + 1, 2 * run].join('\n')}\n`);
  return rig;
}

/** What the journal says is finished for good: such work leaves a line in `effects` once, and never again. What failed is tried again. */
export function finishedWork(results: string): readonly string[] {
  let reader: ReturnType<typeof openJournalForReading>;
  try {
    reader = openJournalForReading(results);
  } catch {
    return []; // killed before there was a journal
  }
  try {
    return reader.journal === null ? [] : [...finishedJobs(reader.journal), ...finishedExecutions(reader.journal)];
  } finally {
    reader.close();
  }
}

const iterationsOf = (journal: JournalReads) => journal.calibrations().flatMap(({ calibration }) => journal.iterations(calibration));

const finishedJobs = (journal: JournalReads): readonly string[] =>
  iterationsOf(journal).flatMap(({ calibration, iteration, jobs }) =>
    Object.keys(jobs).flatMap((collection) =>
      [...journal.jobs(calibration, iteration, collection)]
        .filter(([, { finished, lastAttempt }]) => finished?.state === 'succeeded' || lastAttempt?.outcome?.state === 'succeeded')
        .map(([job]) => `job ${calibration}/${iteration}/${collection}/${job}`),
    ),
  );

const finishedExecutions = (journal: JournalReads): readonly string[] =>
  iterationsOf(journal).flatMap(({ calibration, iteration }) =>
    journal
      .algorithms(calibration, iteration)
      .flatMap((algorithm) =>
        (journal.algorithm(calibration, iteration, algorithm)?.executions ?? [])
          .filter(({ result }) => result !== 'failure')
          .map(({ runs }) => `execution ${calibration}/${iteration}/${algorithm} ${JSON.stringify(runs)}`),
      ),
  );
