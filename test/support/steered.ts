// A campaign whose jobs wait at gates: each says in `effects` when it begins and ends, and in `pids` who it is.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createRig, linesOf, type Rig, until } from './rig.ts';

const CONFIG = `
import { appendFileSync, openSync, readFileSync, readSync, closeSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { command, defineCalibration, defineConfig, definePayload, local, sequentialRunByRun } from 'calibration-framework';
import * as z from 'zod';

const here = import.meta.dirname;
const say = (text) => appendFileSync(join(here, 'effects'), text + '\\n');
const Value = definePayload('Value', z.number());
/** Waits until somebody opens the gate. */
const pass = async (gate) => {
  const file = await open(join(here, gate));
  await file.read(Buffer.alloc(1), 0, 1);
  await file.close();
};

const functions = defineCalibration({
  name: 'functions',
  collections: { all: { files: [], split: { arguments: [['0'], ['1'], ['2']] }, collect: async ({ arguments: [job], record }) => {
    appendFileSync(join(here, 'pids'), process.pid + '\\n');
    say('begin function ' + job);
    await pass('gate-functions');
    record([1, Number(job) + 1], 'value', Number(job));
    say('end function ' + job);
  } } },
  algorithms: [{ name: 'sum', run: async ({ data, commit }) => {
    let sum = 0;
    for await (const { value } of data.records('value')) sum += value;
    commit(Value, sum);
    return 'ok';
  } }],
});

const programs = defineCalibration({
  name: 'programs',
  collections: { all: { files: [], split: { arguments: [['0'], ['1']] }, collect: command(['sh', '{config}/job.sh', '{config}']) } },
  algorithms: [],
});

const fits = defineCalibration({
  name: 'fits',
  collections: { all: { files: [], collect: ({ record }) => { for (const run of [1, 2, 3]) record([1, run], 'value', run); } } },
  algorithms: [{
    name: 'slow',
    strategy: sequentialRunByRun(),
    run: async ({ runs, commit }) => {
      appendFileSync(join(here, 'pids'), process.pid + '\\n');
      say('begin execution ' + JSON.stringify(runs));
      if (runs[0][1] === 2) await pass('gate-fits');
      commit(Value, runs[0][1]);
      say('end execution ' + JSON.stringify(runs));
      return 'ok';
    },
  }],
});

export default defineConfig({ backend: local({ slots: SLOTS }), calibrations: [CALIBRATIONS] });
`;

/** Job 0 writes a result.json, as a good program does; job 1 only exits. Each has a child of its own. */
const PROGRAM = `
echo $$ >> "$1/pids"
sleep 300 & echo $! >> "$1/pids"; echo $! > grandchild
echo "begin program $2" >> "$1/effects"
head -c 1 "$1/gate-programs" > passed
kill $(cat grandchild)
echo "end program $2" >> "$1/effects"
if [ "$2" = 0 ]; then printf '{"result":"ok"}' > result.json.new && mv result.json.new result.json; fi
`;

type Name = 'functions' | 'programs' | 'fits';

export interface Steered extends Rig {
  readonly gates: Readonly<Record<Name, () => void>>;
  /** Resolves when these lines have appeared in `effects`. */
  saw(...lines: readonly string[]): Promise<void>;
  pids(): readonly number[];
}

export function createSteered(calibrations: readonly Name[], slots = 4): Steered {
  const rig = createRig(CONFIG.replace('SLOTS', String(slots)).replace('CALIBRATIONS', calibrations.join(', ')));
  rig.write('job.sh', PROGRAM);
  const gates = { functions: rig.gate('gate-functions').open, programs: rig.gate('gate-programs').open, fits: rig.gate('gate-fits').open };
  return {
    ...rig,
    gates,
    async saw(...lines) {
      await until(`${lines.join(', ')} in effects (it has ${rig.effects().join(', ')})`, () =>
        lines.every((line) => rig.effects().includes(line)),
      );
    },
    pids: () => linesOf(join(rig.directory, 'pids')).map(Number),
  };
}

/** How often each line is there. */
export function countsOf(lines: readonly string[]): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const line of lines) counts[line] = (counts[line] ?? 0) + 1;
  return counts;
}

export const logOf = (rig: Rig): readonly Record<string, unknown>[] =>
  readFileSync(join(rig.results, 'caf.log'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
