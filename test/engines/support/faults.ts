// Everything that goes wrong with batch engines, done to a real one: the databases stay those of an undisturbed run, no job is lost or doubled, and caf says what happened.
import { existsSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { clusterOf } from './cluster.ts';
import { type Campaign, type CampaignOptions, createCampaign, type Run } from './disturbed-campaign.ts';
import { until, withEngine } from './engine.ts';

/** How long an engine is away. */
const OUTAGE_MS = 60_000;
const KILLS = Number(process.env.CAF_KILLS ?? 50);
const EARLY_KILLS = 5;

/** What was said of the only attempt that failed and was tried again. */
const retryOf = async (run: Run): Promise<string> => {
  const { outcome } = await run.hears('job.retried');
  return outcome.state === 'succeeded' ? '' : outcome.detail;
};

const warns = (run: Run, text: string | RegExp) =>
  run.hears('warning', ({ message }) => (typeof text === 'string' ? message.includes(text) : text.test(message)));

export function testFaults(name: 'slurm' | 'htcondor'): void {
  withEngine(name, (engine) => {
    const cluster = clusterOf(name, engine);
    const campaign = (title: string, options: CampaignOptions): Campaign => createCampaign(cluster, title, options);

    // These do nothing to the engine itself, and take turns in waiting for it.
    describe.concurrent('while others compute', () => {
      it('a job that uses too much memory is tried again with half as much again', async () => {
        using memory = campaign('memory', {
          jobs: 3,
          body: `[ $number != 1 ] || python3 -c 'import sys, time; b = b"x" * 100_000_000; time.sleep(100 if sys.argv[1] == "0" else 3)' $attempt`,
        });
        const run = memory.run();
        await run.completed();
        expect(await retryOf(run)).toBe('it used more memory than its limit of 100 MB');
        await memory.isWhole({ lost: ['1.0 out-of-memory'] });
        expect(memory.attempts().find(({ job, attempt }) => job === 1 && attempt === 1)?.resources.memoryBytes).toBe(150e6);
        const second = (await memory.records()).find(({ id }) => id === memory.idOf(1));
        expect(second?.memory).toBe(144);
      });

      it('a job that runs too long is tried again with half as much time again', async () => {
        using time = campaign('time', {
          jobs: 3,
          body: '[ $number$attempt != 10 ] || sleep 1000',
          resources: `{ time: '${cluster.shortTime}' }`,
        });
        const run = time.run();
        await run.completed();
        expect(await retryOf(run)).toMatch(/^it ran longer than its time limit of/);
        await time.isWhole({ lost: ['1.0 time-limit'] });
        const [first, second] = time.attempts().filter(({ job }) => job === 1);
        expect(second?.resources.timeMs).toBe((first?.resources.timeMs ?? 0) * 1.5);
      });

      it('a job that somebody removes is not started again before caf run is', async () => {
        using removed = campaign('removed', { jobs: 3 });
        const run = removed.run();
        await removed.hasBegun(3);
        await cluster.remove(removed.idOf(1));
        const { outcome } = await run.hears('job.finished', ({ job }) => job === 1);
        expect(outcome).toMatchObject({
          state: 'failed',
          cause: 'removed',
          detail: expect.stringMatching(/^it was cancelled, not by caf but by the user .*; caf run starts it again$/),
        });
        removed.open();
        expect(await run.ended).toBe(1);
        await removed.run().completed();
        await removed.isWhole({ lost: ['1.0 removed'] });
      });

      it('a job that an administrator puts back into the queue begins anew in another directory, and no retry is used up', async () => {
        using requeued = campaign('requeued', { jobs: 3, resources: '{}' });
        const run = requeued.run();
        await requeued.hasBegun(3);
        const id = requeued.idOf(1);
        await cluster.requeue(id);
        expect(await retryOf(run)).toMatch(cluster.saysRequeued);
        requeued.open();
        await run.completed();
        await requeued.isWhole({ lost: ['1.0 node-lost'], startedTwice: cluster.countsTwice ? [id] : [] });
      });

      it('a job that an administrator holds waits for them, and begins anew when it is released', async () => {
        using held = campaign('held', { jobs: 3 });
        const run = held.run();
        await held.hasBegun(3);
        const id = held.idOf(1);
        await cluster.requeueHeld(id);
        const warning = await warns(run, `the job ${id} waits on ${name}`);
        expect(warning.hint).toMatch(/release it with (?:scontrol|condor_)/);
        await run.hears('jobs.seen', (seen) => seen.held === 1 && seen.running === 2);
        await cluster.release(id);
        expect(await retryOf(run)).toMatch(cluster.saysRequeued);
        held.open();
        await run.completed();
        await held.isWhole({ lost: ['1.0 node-lost'], startedTwice: cluster.countsTwice ? [id] : [] });
      });

      it('a job that an administrator suspends goes on when it is resumed', async () => {
        using suspended = campaign('suspended', { jobs: 3 });
        const run = suspended.run();
        await suspended.hasBegun(3);
        const id = suspended.idOf(1);
        await cluster.suspend(id);
        await warns(run, `the job ${id} is suspended on ${name}`);
        await run.hears('jobs.seen', (seen) => seen.suspended === 1 && seen.running === 2);
        suspended.open();
        await run.hears('job.finished', ({ job }) => job === 2);
        await cluster.resume(id);
        await run.completed();
        await suspended.isWhole();
      });

      it('results that the file system shows late count, and those that it shows too late are done again', async () => {
        using late = campaign('late', { jobs: 3, body: 'wait_for open.$number' });
        const run = late.run();
        await late.hasBegun(3);
        const rows = late.attempts();
        const hide = (job: number) => {
          const path = join(late.results, rows[job]?.directory ?? '');
          const hidden = join(late.directory, `hidden-${job}`);
          renameSync(path, hidden);
          late.open(`open.${job}`);
          return { hidden, show: () => renameSync(hidden, path) };
        };
        const [soon, never] = [hide(0), hide(1)];
        await until('the job has ended', async () => (existsSync(join(soon.hidden, 'batch.ended')) ? true : null));
        // Late is what is tried: after the engine has said that the job is over, within fileDelay.
        await delay(4000);
        soon.show();
        expect(await retryOf(run)).toMatch(/was not to be seen within fileDelay/);
        late.open('open.2');
        await run.completed();
        never.show();
        await late.isWhole({ lost: ['1.0 node-lost'] });
        // And what turns up afterwards changes nothing.
        await late.run().completed();
        await late.isWhole({ lost: ['1.0 node-lost'] });
      });

      it('files with the times of a clock that is hours off, in either direction, change nothing', async () => {
        using clock = campaign('clock', {
          jobs: 4,
          // Files of the attempt, before and after its end, and of the whole array.
          body: `
            off=$([ $((number % 2)) = 0 ] && echo '+5 hours' || echo '-5 hours')
            touch -d "$off" ./* . "$here"/calibration_results/.batch/*/*
            [ "$number" != 3 ] || (while [ ! -e batch.ended ]; do sleep 0.1; done; touch -d "$off" ./* .) &
            wait_for open`,
        });
        const first = clock.run();
        await clock.hasBegun(4);
        first.child.kill('SIGKILL');
        await first.ended;
        clock.open();
        await clock.run().completed();
        await clock.isWhole();
      });

      it('a job that writes garbage into every file of the contract fails with a reason, and is done again', async () => {
        using garbage = campaign('garbage', {
          jobs: 5,
          body: `
            noise() { head -c 3000 /dev/urandom; printf '\\n...\\n'; }
            [ "$attempt" = 0 ] || number=$number
            if [ "$attempt" = 0 ]; then
              case $number in
                0) for file in result.json batch.ended batch.started records.ndjson job.json; do noise > $file; done; exit 0 ;;
                1) rm -f batch.started; mkdir batch.ended batch.started result.json records.ndjson; exit 0 ;;
                2) ln -s /dev/zero result.json; mkfifo batch.ended; ln -s / records.ndjson; sleep 2; exit 0 ;;
                3) for file in "$here"/calibration_results/.batch/*/ended "$here"/calibration_results/.batch/*/log; do noise >> "$file"; printf '99999999\\n-1\\n0x1\\n\\n4\\n' >> "$file"; done ;;
              esac
            fi`,
        });
        const run = garbage.run();
        await run.completed();
        await garbage.isWhole({ lost: ['0.0 bad-result', '1.0 bad-result', '2.0 bad-result'] });
        const said = garbage.attempts().flatMap(({ detail }) => detail ?? []);
        expect(said).toEqual([
          expect.stringContaining('result.json is not complete JSON; its'),
          expect.stringContaining('result.json is not a regular file'),
          expect.stringContaining('result.json cannot be opened'),
        ]);
      });
    });

    it('the engine is away for a minute: what is submitted meanwhile arrives once, what ends meanwhile counts, and what is cancelled meanwhile ends', async () => {
      using ending = campaign('ending', { jobs: 6, body: 'wait_for open; [ $number$attempt != 30 ] || exit 7' });
      using unwanted = campaign('unwanted', { jobs: 3, backend: cluster.patience });
      using late = campaign('late', { jobs: 6, body: '' });
      const [ends, left] = [ending.run(), unwanted.run()];
      await Promise.all([ending.hasBegun(6), unwanted.hasBegun(3)]);
      left.child.kill('SIGKILL');
      await left.ended;
      await using away = await engine.down(cluster.controller);
      const back = delay(OUTAGE_MS);

      const arrives = late.run();
      const taken = unwanted.run();
      ending.open();
      // Five say themselves that they are done; what the sixth says of its end is checked with the engine.
      for (const done of [0, 1, 2, 4, 5]) await ends.hears('job.finished', ({ job }) => job === done);
      await warns(ends, 'does not answer');
      for (const job of [0, 1, 2]) await taken.hears('job.started', (event) => event.job === job && event.adopted);
      const cancelled = unwanted.cancel();
      const warning = await warns(arrives, 'takes no jobs at the moment');
      expect(warning.hint).toBe('caf waits, looks whether they arrived, and tries again');
      await back;
      expect([ends.child.exitCode, taken.child.exitCode, arrives.child.exitCode]).toEqual([null, null, null]);
      expect(late.begun()).toEqual([]);
      await away.mend();

      await ends.completed();
      await warns(ends, `${name} answers again`);
      await ending.isWhole({ lost: ['3.0 exit'] });
      await arrives.completed();
      await late.isWhole();
      await cancelled;
      await taken.ended;
      unwanted.open();
      await unwanted.run().completed();
      await unwanted.isWhole({ lost: ['0.0 cancelled', '1.0 cancelled', '2.0 cancelled'] });
    });

    it.skipIf(cluster.accounting === null)('the accounting is away: nothing is missed while the queue answers', async () => {
      using unaccounted = campaign('unaccounted', { jobs: 4, body: '' });
      await using away = await engine.down(cluster.accounting ?? '');
      await unaccounted.run().completed();
      await away.mend();
      await unaccounted.isWhole();
    });

    it('a node loses power: what ran there is done again, what ran elsewhere is not', async () => {
      using crashed = campaign('crashed', { jobs: 16 });
      const run = crashed.run();
      await crashed.hasBegun(16);
      await using node = await engine.crash(cluster.node);
      const { outcome } = await run.hears('job.retried');
      expect(outcome).toMatchObject({ state: 'failed', cause: 'node-lost', detail: expect.stringMatching(cluster.saysLost) as string });
      await node.mend();
      crashed.open();
      await run.completed();
      const lost = crashed
        .attempts()
        .flatMap(({ job, attempt, outcome: end }) => (end === 'failed' ? [`${job}.${attempt} node-lost`] : []));
      expect(lost.length).toBeGreaterThanOrEqual(1);
      expect(lost.length).toBeLessThanOrEqual(cluster.slotsOfNode);
      await crashed.isWhole({ lost });
    });

    it('a node loses its network while its jobs go on: their late results count for nothing', async () => {
      using cut = campaign('cut', { jobs: 4, body: 'wait_for open.$attempt' });
      const run = cut.run();
      await cut.hasBegun(4);
      const before = cut.attempts();
      await using node = await engine.cut(cluster.node);
      await run.hears('job.retried');
      // The first copies end, in directories of their own, before the engine can reach them again.
      cut.open('open.0');
      await until('all first copies have written', async () =>
        before.every(({ directory }) => hasWritten(join(cut.results, directory))) ? true : null,
      );
      await node.mend();
      cut.open('open.1');
      await run.completed();
      const lost = cut.attempts().flatMap(({ job, attempt, outcome }) => (outcome === 'failed' ? [`${job}.${attempt} node-lost`] : []));
      expect(lost.length).toBeGreaterThanOrEqual(1);
      await cut.isWhole({ lost });
    });

    it(`caf is killed at ${KILLS} random instants with 200 jobs in flight`, async () => {
      const seed = Number(process.env.CAF_SEED ?? Date.now() % 1e6);
      console.log(`${name}: ${KILLS} kills, CAF_SEED=${seed}`);
      const random = mulberry32(seed);
      // So long that jobs are in flight until the last kill, on 16 slots.
      using killed = campaign('killed', { jobs: 200, body: `sleep ${KILLS * 0.08}` });
      for (let kill = 0; kill < KILLS; kill += 1) {
        const run = killed.run();
        // The first ones may fall before anything is submitted, also where a machine is slow; from then on jobs are in flight.
        if (kill === EARLY_KILLS) await run.hears('job.started');
        await Promise.race([run.ended, delay(100 + 1400 * random())]);
        run.child.kill('SIGKILL');
        await run.ended;
      }
      const last = killed.run();
      await last.completed();
      expect(last.events().some((event) => event.type === 'job.started' && event.adopted)).toBe(true);
      // What no engine ever heard of, because caf was killed before it asked, is an attempt all the same.
      const unheard = killed.attempts().filter(({ outcome, id }) => outcome === 'failed' && id === null);
      for (const { detail } of unheard)
        expect(detail).toMatch(/^its (?:caf was killed before it was submitted|process is gone and left no result)$/);
      await killed.isWhole({ lost: unheard.map(({ job, attempt }) => `${job}.${attempt} node-lost`) });
    });
  });
}

/** Whether the job that works there has come to its end; a result that counts lies elsewhere. */
const hasWritten = (directory: string): boolean =>
  existsSync(join(directory, 'records.ndjson')) || existsSync(directory.replace(/\.attempt-\d+$/, ''));

/** Random numbers of [0, 1) that depend on the seed alone. */
function mulberry32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
