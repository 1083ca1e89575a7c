// What caf and a batch engine must do together, whichever engine it is: the contract of all backends, and what only engines do. Run on real engines and on faithful fakes.
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Backend, JobSubmission, RunningJob } from '../../src/backends/backend.ts';
import { type Batch, createBatch } from '../../src/backends/batch.ts';
import type { BatchEngine } from '../../src/backends/engine.ts';
import type { BatchSpec } from '../../src/domain/calibration.ts';
import type { CafEvent } from '../../src/domain/event.ts';
import { isEngineJob } from '../../src/domain/job.ts';
import { type BackendUnderTest, describeContract } from './contract.ts';
import { createRig, ENV, type Rig, until } from './support/rig.ts';
import { BATCH_SPEC } from './support/specs.ts';

/** An engine that runs, and what can be done to it from outside. */
export interface EngineUnderTest<Site> extends Pick<BackendUnderTest, 'shortLimitMs' | 'memoryHog'> {
  readonly engine: BatchEngine<Site>;
  readonly site: Site;
  /** For its commands. */
  readonly env: NodeJS.ProcessEnv;
  /** Somebody ends a job with the engine's own command. */
  remove(id: string): Promise<void>;
  /** Somebody holds a job, and releases it; null = not here. */
  readonly holding: { hold(id: string): Promise<void>; release(id: string): Promise<void> } | null;
}

/** Real engines have other work to do. */
const SPEC: BatchSpec = { ...BATCH_SPEC, pollMs: 200, settleMs: 1000 };

export function describeBatch<Site>(name: string, start: () => Promise<EngineUnderTest<Site>>): void {
  describe(`the contract of batch engines: ${name}`, () => {
    let rig: Rig;
    let under: EngineUnderTest<Site>;
    let events: CafEvent[];
    const batches: Batch<Site>[] = [];
    beforeEach(async () => {
      under = await start();
      rig = createRig();
      events = [];
    });
    afterEach(async () => {
      await Promise.all(batches.splice(0).map((batch) => batch.close()));
      await rig.cleanUp();
    });

    function newBatch(): Batch<Site> {
      const batch = createBatch({
        engine: under.engine,
        spool: join(rig.directory, '.batch'),
        collector: [process.execPath, fileURLToPath(new URL('../../src/worker/collector-child.ts', import.meta.url))],
        pollMs: SPEC.pollMs,
        settleMs: SPEC.settleMs,
        emit: (event) => events.push(event),
        env: under.env,
      });
      batches.push(batch);
      return batch;
    }
    const newBackend = (): Backend => newBatch().backend(SPEC, under.site);
    const endsOf = (jobs: readonly RunningJob[]) => Promise.all(jobs.map(({ ended }) => ended));
    const idOf = async (job: RunningJob): Promise<string> => {
      const handle = await job.started;
      if (handle === null || !isEngineJob(handle)) throw new Error(`not a job of an engine: ${JSON.stringify(handle)}`);
      return handle.id;
    };
    const arrays = (): readonly string[] => readdirSync(join(rig.directory, '.batch'));
    const WAIT = 'echo up; while [ ! -e go ]; do sleep 0.05; done;';

    describeContract(
      () => rig,
      () => ({
        backend: newBackend,
        shortLimitMs: under.shortLimitMs,
        memoryHog: under.memoryHog,
        knowsEndOfAdopted: true,
      }),
    );

    it('submits many jobs as one array', async () => {
      const backend = newBackend();
      const jobs = Array.from({ length: 12 }, (_, i) => backend.submit(rig.shell(`exit ${i}`)));
      const ids = await Promise.all(jobs.map(idOf));
      await endsOf(jobs);
      expect(new Set(ids.map(under.engine.arrayOf)).size).toBe(1);
    });

    it('gives a job the user it runs as', async () => {
      const job = rig.program(['/usr/bin/env']);
      await newBackend().submit(job).ended;
      expect(rig.read(job, 'stdout')).toMatch(/^HOME=\/.+$/m);
      expect(rig.read(job, 'stdout')).toMatch(/^USER=.+$/m);
    });

    it('says that somebody else has ended a job', async () => {
      const job = rig.shell('echo up; exec sleep 1000');
      const running = newBackend().submit(job);
      await rig.appears(job, 'stdout');
      await under.remove(await idOf(running));
      expect(await running.ended).toMatchObject({ how: 'removed' });
    });

    it('tells what has to be done for a job that is held, and goes on when it is released', async (context) => {
      const { holding } = under;
      if (holding === null) return context.skip();
      const running = newBackend().submit(rig.shell('exit 4', { resources: { cores: 4000 } }));
      const id = await idOf(running);
      await holding.hold(id);
      await until(() => events.some((event) => event.type === 'warning' && event.message.includes(id)));
      expect(events.find((event) => event.type === 'warning')).toMatchObject({
        code: 'CAF_ENGINE',
        hint: expect.stringMatching(/release/),
      });
      await holding.release(id);
      await running.cancel();
    });

    describe('after its caf has gone', () => {
      const leave = async (job: JobSubmission): Promise<RunningJob> => {
        const batch = newBatch();
        const running = batch.backend(SPEC, under.site).submit(job);
        await rig.appears(job, 'stdout');
        await batch.close();
        return running;
      };

      it('finds a job by its name in the queue where nobody wrote down its id', async () => {
        const job = rig.shell(`${WAIT} exit 0`);
        const handle = await (await leave(job)).started;
        writeFileSync(join(rig.directory, '.batch', arrays()[0] ?? '', 'answer'), '');
        const adopted = newBackend().adopt(job, null);
        expect(await adopted?.started).toEqual(handle);
        writeFileSync(join(job.directory, 'go'), '');
        expect(await adopted?.ended).toMatchObject({ how: 'exited', code: 0 });
        expect(arrays()).toHaveLength(1);
      });

      it('finds a job by its name when it has ended meanwhile', async () => {
        const job = rig.shell(`${WAIT} exit 5`);
        const handle = await (await leave(job)).started;
        writeFileSync(join(job.directory, 'go'), '');
        await until(() => existsSync(join(job.directory, 'batch.ended')));
        writeFileSync(join(rig.directory, '.batch', arrays()[0] ?? '', 'answer'), '');
        const adopted = newBackend().adopt(job, null);
        expect(await adopted?.started).toEqual(handle);
        expect(await adopted?.ended).toMatchObject({ how: 'exited', code: 5 });
      });
    });

    it('keeps a job from starting a second time in its directory', async () => {
      const job = rig.shell('echo once >> once', { env: ENV });
      writeFileSync(join(job.directory, 'batch.started'), 'n1 1.0\n');
      expect(await newBackend().submit(job).ended).toMatchObject({ how: 'node-lost' });
      expect(rig.read(job, 'once')).toBeNull();
    });
  });
}
