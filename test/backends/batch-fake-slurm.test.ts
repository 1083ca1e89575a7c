// The contract of batch engines on the fake Slurm: where no engine can be booted, the runner is still tested whole, and the fake stays faithful.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll } from 'vitest';
import { slurm } from '../../src/backends/slurm.ts';
import type { SlurmSite } from '../../src/domain/calibration.ts';
import { describeBatch } from './batch-contract.ts';
import { type FakeSlurm, startFakeSlurm } from './support/fake-slurm.ts';
import { SLURM_SITE } from './support/specs.ts';

const run = promisify(execFile);

let fake: FakeSlurm;
beforeAll(async () => {
  fake = await startFakeSlurm({ minuteMs: 300 });
});
afterAll(() => fake.close());

describeBatch<SlurmSite>('a fake Slurm', async () => ({
  engine: slurm,
  site: SLURM_SITE,
  env: fake.env,
  shortLimitMs: 60_000,
  memoryHog: null,
  // The fake lives in this process: it must go on while its command runs.
  remove: async (id) => void (await run('scancel', [id], { env: fake.env })),
  holding: null,
}));
