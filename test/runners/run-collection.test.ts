// The jobs of one collection: a wish to stop also holds where it came before they began, and what went well counts whatever comes after it.
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { AttemptEnd, Backend } from '../../src/backends/backend.ts';
import { createLocalBackend } from '../../src/backends/local.ts';
import { command } from '../../src/config/define.ts';
import type { CollectionSpec } from '../../src/domain/calibration.ts';
import type { Hands } from '../../src/runners/hands.ts';
import { collectionPath } from '../../src/runners/hands.ts';
import { runCollection } from '../../src/runners/run-collection.ts';
import type { CollectionRun } from '../../src/runners/run-job.ts';
import { createRig, RESOURCES, type Rig, runs, until } from '../backends/support/rig.ts';
import { ENTRIES, openForTest } from '../database/journal-support.ts';

const childUrl = new URL('../../src/worker/collector-child.ts', import.meta.url);
const launcherUrl = new URL('../../src/backends/launch-child.ts', import.meta.url);

let rig: Rig;
let left: number | null = null;
beforeEach(() => {
  rig = createRig();
});
afterEach(async () => {
  if (left !== null && runs(left)) process.kill(left, 'SIGKILL');
  left = null;
  await rig.cleanUp();
});

const WHERE = { calibration: 'pedestals', iteration: 0, collection: 'random' };

const spec: CollectionSpec = {
  name: WHERE.collection,
  files: [],
  runs: null,
  collect: command(['sh', '-c', 'echo $$; exec sleep 1000']),
  outputs: ['*'],
  outputsRequired: false,
  split: { by: 'arguments', arguments: [[]] },
  granularity: 'run',
  resources: RESOURCES,
  retries: 0,
  env: {},
  setup: [],
  container: null,
  backend: { kind: 'local', slots: 1, memoryBytes: null, maxLogBytes: 1e9 },
  resourcesOf: null,
  siteOf: null,
  options: () => [],
};

/** One invocation of caf in this directory: its hands, and the wishes that it may hear. */
function invocation(script = 'echo $$; exec sleep 1000', { retries = 0, submit }: { retries?: number; submit?: Backend['submit'] } = {}) {
  const [stop, leave, cancel] = [new AbortController(), new AbortController(), new AbortController()];
  const local = rig.using(createLocalBackend({ slots: 1, memoryBytes: null, childUrl, launcherUrl, killGraceMs: 500 }));
  const backend: Backend = submit === undefined ? local : { ...local, submit };
  const journal = openForTest(rig.directory);
  const hands = {
    spec: { output: rig.directory, configPath: join(rig.directory, 'caf.config.ts'), iov: null },
    journal,
    emit: () => undefined,
    stop: stop.signal,
    leave: leave.signal,
    cancel: cancel.signal,
    running: new Set<string>(),
  } as unknown as Hands;
  const run: CollectionRun = {
    planned: {
      spec: { ...spec, retries, collect: command(['sh', '-c', script]) },
      files: [],
      jobs: 1,
      resolved: [],
      resources: null,
      sites: null,
    },
    calibration: WHERE.calibration,
    iteration: WHERE.iteration,
    backendOf: () => backend,
    chain: join(rig.directory, 'chain.lock.json'),
    conditions: rig.directory,
    parameters: {},
    window: 1,
  };
  return {
    stop,
    leave,
    cancel,
    journal,
    begin: () => runCollection(hands, run, 1),
    async close() {
      await backend.close();
      journal.close();
    },
  };
}

function prepare({ journal }: ReturnType<typeof invocation>): void {
  for (const kind of ['invocation.started', 'calibration.planned', 'iteration.started'] as const) journal.append(ENTRIES[kind]);
  mkdirSync(join(rig.directory, collectionPath(WHERE)), { recursive: true });
}

/** A caf that was told to leave, and the process that it has left. */
async function leftAtWork(): Promise<number> {
  const first = invocation();
  prepare(first);
  const outcome = first.begin();
  const stdout = join(rig.directory, collectionPath(WHERE), '0.attempt-0', 'stdout');
  const written = () => {
    try {
      return readFileSync(stdout, 'utf8');
    } catch {
      return '';
    }
  };
  await until(() => written().endsWith('\n'));
  left = Number(written());
  first.stop.abort();
  first.leave.abort();
  expect(await outcome).toMatchObject({ state: 'interrupted', failed: 0 });
  await first.close();
  return left;
}

it('a job that was left is not waited for when caf was told to stop before it looked for the job', async () => {
  const pid = await leftAtWork();
  const again = invocation();
  again.stop.abort();
  again.leave.abort();
  expect(await again.begin()).toMatchObject({ state: 'interrupted', failed: 0 });
  expect(runs(pid)).toBe(true);
  await again.close();

  const last = invocation();
  const outcome = last.begin();
  last.stop.abort();
  last.cancel.abort();
  expect(await outcome).toMatchObject({ state: 'interrupted', failed: 0 });
  expect(runs(pid)).toBe(false);
});

it('a job that ended well counts also where there is no room to put its result into its job.json', async () => {
  const caf = invocation(`echo out; echo err >&2; : > records.ndjson; printf '{"result":"ok"}' > result.json; mkdir .job.json.new`);
  prepare(caf);
  expect(await caf.begin()).toMatchObject({ state: 'ok', failed: 0 });
  expect(caf.journal.jobs(WHERE.calibration, 0, WHERE.collection).get(0)).toMatchObject({ finished: { state: 'succeeded' } });
  expect(readFileSync(join(rig.directory, collectionPath(WHERE), '0', 'result.json'), 'utf8')).toBe('{"result":"ok"}');
  await caf.close();
});

it('a job that takes every node down that it gets is given up in the end', async () => {
  let submitted = 0;
  const caf = invocation('true', {
    retries: 2,
    submit() {
      submitted += 1;
      const end: AttemptEnd = { how: 'node-lost', detail: 'its node is gone', usage: { seconds: 1, maxRssBytes: null } };
      return { started: Promise.resolve(null), ended: Promise.resolve(end), cancel: () => Promise.resolve() };
    },
  });
  prepare(caf);
  expect(await caf.begin()).toMatchObject({ failed: 1 });
  // The first, five that do not count, and two retries.
  expect(submitted).toBe(8);
  await caf.close();
});
