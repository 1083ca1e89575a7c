// What a user sees of jobs on a batch engine: in the queue, at work, held. The engine is a fake; test/engines has the real ones.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readStatus } from '../../src/report/status-model.ts';
import { type FakeSlurm, startFakeSlurm } from '../backends/support/fake-slurm.ts';
import { until } from '../support/rig.ts';
import { createSteered, type Steered } from '../support/steered.ts';

let slurm: FakeSlurm;
let site: Steered;
beforeEach(async () => {
  slurm = await startFakeSlurm();
  site = createSteered(['functions'], 3);
  const config = readFileSync(join(site.directory, 'caf.config.ts'), 'utf8');
  site.write('caf.config.ts', config.replace('local({ slots: 3 })', "slurm({ pollInterval: '1 s' })").replace(', local,', ', slurm,'));
});
afterEach(async () => {
  await slurm.close();
  site.remove();
});

test('caf status and the lines of caf run tell what waits in the queue or is held from what runs', async () => {
  slurm.fault('full');
  const run = site.start(['run'], { PATH: slurm.env.PATH ?? '', SLURM_CONF: slurm.env.SLURM_CONF ?? '' });
  const jobs = () => (existsSync(join(site.results, 'caf.db')) ? readStatus(site.results).calibrations[0]?.jobs : undefined);
  await until('all wait', () => jobs()?.engine?.queued === 3);
  expect(jobs()).toMatchObject({ total: 3, succeeded: 0, running: 0, queued: 3 });
  await until('Slurm has them', () => slurm.tasks.length === 3);
  slurm.become(2, 'PENDING', 'JobHeldAdmin');
  await until('one is held', () => jobs()?.engine?.held === 1);
  const { stdout } = await site.run(['status']);
  expect(stdout).toMatch(/functions +running_collector +0 +0\/3 .* 2 queued, 1 held/);
  // In this order all three begin in one turn, and no query can come in between.
  slurm.become(2, 'PENDING', 'None');
  slurm.fault(null);
  await site.saw('begin function 0', 'begin function 1', 'begin function 2');
  await until('all run', () => jobs()?.running === 3);
  expect(jobs()).toMatchObject({ queued: 0, engine: { name: 'slurm', queued: 0, held: 0, suspended: 0 } });
  site.gates.functions();
  const { code, stderr } = await run.ended;
  expect(code, stderr).toBe(0);
  const lines = stderr.split('\n').flatMap((line) => / jobs on slurm (.*)/.exec(line)?.[1] ?? []);
  expect(lines).toEqual(['running=0 queued=3', 'running=0 queued=2 held=1', 'running=3 queued=0']);
  expect(jobs()).toEqual({ total: 3, succeeded: 3, failed: 0, running: 0, queued: 0, reused: 0 });
  expect(existsSync(join(site.results, '.engine-jobs.json'))).toBe(false);
});
