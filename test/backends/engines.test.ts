// What holds for all batch engines: that their commands are here, and that jobs nobody wants any more are ended.
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { createBatch } from '../../src/backends/batch.ts';
import { cancelLeftovers, requireEngines, spoolOf } from '../../src/backends/engines.ts';
import { slurm } from '../../src/backends/slurm.ts';
import { startFakeSlurm } from './support/fake-slurm.ts';
import { createRig } from './support/rig.ts';
import { BATCH_SPEC, SLURM_SITE } from './support/specs.ts';

it('refuses a backend whose commands are not here, before anything is submitted', async () => {
  await expect(requireEngines(['local', 'slurm'], { PATH: '/nowhere' })).rejects.toMatchObject({
    code: 'CAF_BACKEND_UNAVAILABLE',
    message: 'The backend slurm cannot be used here: sbatch was not found on PATH',
  });
  await requireEngines(['local'], { PATH: '/nowhere' });
});

it('ends jobs that an earlier caf has left, known by their ids or by their arrays, with one command', async () => {
  const rig = createRig();
  const fake = await startFakeSlurm();
  const batch = createBatch({
    engine: slurm,
    spool: spoolOf(rig.directory),
    collector: [process.execPath, fileURLToPath(new URL('../../src/worker/collector-child.ts', import.meta.url))],
    pollMs: 100,
    settleMs: 300,
    emit: () => undefined,
    env: fake.env,
  });
  const backend = batch.backend(BATCH_SPEC, SLURM_SITE);
  const jobs = [0, 1, 2].map(() => rig.shell('exec sleep 1000'));
  const [first] = await Promise.all(jobs.map((job) => backend.submit(job).started));
  await batch.close();
  const attempts = jobs.map(({ token }, i) => ({ token, handle: i === 0 ? (first ?? null) : null }));
  const { PATH, SLURM_CONF } = process.env;
  Object.assign(process.env, { PATH: fake.env.PATH, SLURM_CONF: fake.env.SLURM_CONF });
  try {
    expect(await cancelLeftovers(join(rig.directory, '.batch'), attempts)).toBe(3);
  } finally {
    process.env.PATH = PATH;
    if (SLURM_CONF === undefined) delete process.env.SLURM_CONF;
    else process.env.SLURM_CONF = SLURM_CONF;
  }
  expect(fake.calls.at(-1)).toEqual(['scancel', '1_[0-2]']);
  await fake.close();
  await rig.cleanUp();
});
