// A campaign on an engine that is about to be disturbed: jobs that tell when they begin and wait to be let go, and all that has to be true at its end.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, existsSync, mkdtempSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { expect } from 'vitest';
import type { CafEvent } from '../../../src/domain/event.ts';
import type { Cluster, EngineRecord } from './cluster.ts';
import { until } from './engine.ts';

const CAF = join(import.meta.dirname, '../../../bin/caf.js');

export interface CampaignOptions {
  readonly jobs: number;
  /**
   * Lines of shell that each job runs before it writes its record. `$number` is its own, `$attempt` counts from 0; `$here` is a
   * directory that all share; `wait_for NAME` waits until that file is there. Default: wait for `open`.
   */
  readonly body?: string;
  /** Of each job, as in a config. */
  readonly resources?: string;
  /** Further options of the backend. */
  readonly backend?: string;
}

/** One `caf run --json`. */
export interface Run {
  readonly child: ChildProcess;
  /** What it has said so far. */
  events(): readonly CafEvent[];
  /** Resolves when it has said something that matches. */
  hears<T extends CafEvent['type']>(
    type: T,
    matches?: (event: Extract<CafEvent, { type: T }>) => boolean,
  ): Promise<Extract<CafEvent, { type: T }>>;
  /** Exit code; null = a signal ended it. */
  readonly ended: Promise<number | null>;
  /** Resolves when it has ended with exit code 0. */
  completed(): Promise<void>;
}

export interface AttemptRow {
  readonly job: number;
  readonly attempt: number;
  readonly outcome: string | null;
  readonly cause: string | null;
  readonly detail: string | null;
  readonly directory: string;
  readonly resources: { readonly memoryBytes: number; readonly timeMs: number };
  /** In the engine; null = it never got one. */
  readonly id: string | null;
}

/** Disposed of, it lets go all that it has left where a test has failed: jobs that wait would take the places of others. */
export interface Campaign extends Disposable {
  /** Begins the name of all its arrays. */
  readonly name: string;
  readonly directory: string;
  readonly results: string;
  run(...args: readonly string[]): Run;
  /** `caf cancel`; resolves when the campaign has ended. */
  cancel(): Promise<void>;
  /** Makes a file that jobs wait for. */
  open(name?: string): void;
  /** Each program that began, as `number.attempt`, sorted. */
  begun(): readonly string[];
  /** Resolves when so many have begun. */
  hasBegun(count: number): Promise<void>;
  attempts(): readonly AttemptRow[];
  /** What the engine calls the newest attempt of a job. */
  idOf(job: number): string;
  records(): Promise<readonly EngineRecord[]>;
  /** Checks all that must be true of a campaign that has completed. `lost`: its attempts that did not succeed, as `number.attempt cause`, sorted. */
  isWhole(expected?: { readonly lost?: readonly string[]; readonly startedTwice?: readonly string[] }): Promise<void>;
}

const SCRIPT = (here: string, body: string) => `#!/bin/sh
number=$1
attempt=\${PWD##*-}
here=${here}
wait_for() { while [ ! -e "$here/$1" ] && [ ! -e "$here/given-up" ]; do sleep 0.2; done; }
echo "$number.$attempt" >> "$here/begun"
${body}
echo "{\\"run\\":[1,$number],\\"name\\":\\"n\\",\\"value\\":$((number * number))}" > records.ndjson
`;

const CONFIG = (name: string, backend: string, { jobs, resources = '{}' }: CampaignOptions) => `
import { command, defineCalibration, defineConfig, definePayload, htcondor, slurm } from 'calibration-framework';
import * as z from 'zod';
void [htcondor, slurm];
const Values = definePayload('Values', z.array(z.unknown()));
export default defineConfig({
  backend: ${backend},
  calibrations: [defineCalibration({
    name: '${name}',
    collections: { all: {
      files: [],
      split: { arguments: Array.from({ length: ${jobs} }, (_, i) => [String(i)]) },
      resources: { memory: '100 MB', time: '10 min', ...${resources} },
      collect: command(['/bin/sh', '{config}/job.sh']),
    } },
    algorithms: [{ name: 'gather', run: async ({ data, commit }) => {
      const values = [];
      for await (const { run, value } of data.records('n')) values.push([run, value]);
      commit(Values, values);
      return 'ok';
    } }],
  })],
});
`;

let count = 0;

export function createCampaign(cluster: Cluster, title: string, options: CampaignOptions): Campaign {
  const { engine } = cluster;
  const { user } = engine;
  const directory = mkdtempSync(join(engine.directory, `${title}-`));
  chmodSync(directory, 0o755);
  if (user !== null) chownSync(directory, user.uid, user.gid);
  // The engine keeps its accounts from one run of the suite to the next.
  const name = `${title}-${directory.slice(-6)}`;
  const results = join(directory, 'calibration_results');
  const running = new Set<ChildProcess>();
  writeFileSync(join(directory, 'job.sh'), SCRIPT(directory, options.body ?? 'wait_for open'));
  writeFileSync(join(directory, 'caf.config.ts'), CONFIG(name, cluster.backend(options.backend), options));
  const read = (file: string): string => (existsSync(join(directory, file)) ? readFileSync(join(directory, file), 'utf8') : '');
  const lines = (file: string) => read(file).split('\n').slice(0, -1);

  const attempts = (): readonly AttemptRow[] => {
    const database = new Database(join(results, 'caf.db'), { readonly: true });
    try {
      const rows = database
        .prepare('SELECT job, attempt, outcome, cause, detail, directory, resources, handle FROM attempts ORDER BY job, attempt')
        .all() as (Omit<AttemptRow, 'resources' | 'id'> & { resources: string; handle: string | null })[];
      return rows.map(({ resources, handle, ...row }) => ({
        ...row,
        resources: JSON.parse(resources) as AttemptRow['resources'],
        id: handle === null ? null : (JSON.parse(handle) as { id: string }).id,
      }));
    } finally {
      database.close();
    }
  };

  const records = async (): Promise<readonly EngineRecord[]> => {
    const ids = attempts().flatMap(({ id }) => (id === null ? [] : [id]));
    const arrays = new Set(ids.map((id) => cluster.arrayOf(id)));
    // Accounting is late.
    return until(`all jobs of ${name} are over in the accounting`, async () => {
      const found = await cluster.records(`${name}.`, arrays);
      const known = new Set(found.map(({ id }) => id));
      return ids.every((id) => known.has(id)) && found.every(({ isOver }) => isOver) ? found : null;
    });
  };

  return {
    [Symbol.dispose]() {
      if (!existsSync(directory)) return;
      writeFileSync(join(directory, 'given-up'), '');
      for (const child of running) child.kill('SIGKILL');
    },
    name,
    directory,
    results,
    run(...args) {
      count += 1;
      const said = join(directory, `run-${count}`);
      const out = openSync(said, 'w');
      const identity = user === null ? {} : { uid: user.uid, gid: user.gid };
      const home = user === null ? {} : { HOME: user.home, USER: user.name, LOGNAME: user.name };
      const child = spawn(process.execPath, [CAF, 'run', '--json', ...args], {
        cwd: directory,
        env: { ...engine.env, ...home, CAF_OUTPUT: '' },
        stdio: ['ignore', out, out],
        detached: true,
        ...identity,
      });
      running.add(child);
      child.once('exit', () => running.delete(child));
      const ended = once(child, 'exit').then(([code]) => code as number | null);
      const events = () =>
        lines(`run-${said.split('-').at(-1)}`).flatMap((line) => (line.startsWith('{') ? [JSON.parse(line) as CafEvent] : []));
      return {
        child,
        ended,
        events,
        async completed() {
          const code = await ended;
          if (code !== 0) throw new Error(`caf ended with ${code}:\n${readFileSync(said, 'utf8')}`);
        },
        hears: (type, matches = () => true) =>
          until(`caf says ${type}`, async () => {
            const isIt = (event: CafEvent): event is Extract<CafEvent, { type: typeof type }> => event.type === type;
            const heard = events().filter(isIt).find(matches);
            if (heard === undefined && child.exitCode !== null)
              throw new Error(`caf ended with ${child.exitCode}, and did not say ${type}:\n${readFileSync(said, 'utf8')}`);
            return heard ?? null;
          }),
      };
    },
    async cancel() {
      await engine.ask([process.execPath, CAF, 'cancel', results], { cwd: directory, asUser: true, timeoutMs: 180_000 });
    },
    open: (file = 'open') => writeFileSync(join(directory, file), ''),
    begun: () => lines('begun').sort((a, b) => Number.parseFloat(a) - Number.parseFloat(b)),
    hasBegun: async (wanted) =>
      void (await until(`${wanted} jobs are at work`, async () => (lines('begun').length >= wanted ? true : null))),
    attempts,
    idOf(job) {
      const id = attempts().findLast((row) => row.job === job)?.id;
      if (id === null || id === undefined) throw new Error(`the job ${job} has no id`);
      return id;
    },
    records,
    async isWhole({ lost = [], startedTwice = [] } = {}) {
      const rows = attempts();
      const others = rows.filter(({ outcome }) => outcome !== 'succeeded');
      expect(others.map(({ job, attempt, cause, outcome }) => `${job}.${attempt} ${cause ?? outcome}`)).toEqual(lost);
      // Each job has one result, and no directory was ever worked in twice.
      expect(rows.filter(({ outcome }) => outcome === 'succeeded').map(({ job }) => job)).toEqual(
        Array.from({ length: options.jobs }, (_, i) => i),
      );
      expect(lines('begun').length).toBe(new Set(lines('begun')).size);
      // What the engine has kept, and what caf knows of, are the same; only what somebody put back into the queue stands there twice.
      const kept = (await records()).map(({ id }) => id).sort();
      const known = rows.flatMap(({ id }) => (id === null ? [] : [id]));
      expect(kept).toEqual([...known, ...startedTwice].sort());
      expect(await viewId(cluster, directory, name, results)).toBe(await undisturbed(cluster, options.jobs));
      expect(existsSync(join(results, '.batch'))).toBe(false);
    },
  };
}

async function viewId({ engine }: Cluster, cwd: string, name: string, results: string): Promise<string> {
  const shown = await engine.ask([process.execPath, CAF, 'db', 'show', join(results, name, 'localdb'), '--json'], { cwd, asUser: true });
  return (JSON.parse(shown) as { viewId: string }).viewId;
}

const references = new Map<string, Promise<string>>();

/** The database of as many jobs on this machine, where nothing happens to them. */
function undisturbed(cluster: Cluster, jobs: number): Promise<string> {
  const key = `${cluster.engine.name} ${jobs}`;
  const known = references.get(key);
  if (known !== undefined) return known;
  const make = async () => {
    using campaign = createCampaign(cluster, 'undisturbed', { jobs, body: '' });
    const { name, directory, results, run } = campaign;
    expect(await run('--backend', 'local').ended).toBe(0);
    return viewId(cluster, directory, name, results);
  };
  const made = make();
  references.set(key, made);
  return made;
}
