// The HTCondor backend on a real pool: the contract of batch engines.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import { createBatch } from '../../src/backends/batch.ts';
import { htcondor } from '../../src/backends/htcondor.ts';
import type { HtcondorSite } from '../../src/domain/calibration.ts';
import { isEngineJob } from '../../src/domain/job.ts';
import { CONTRACT_SPEC, describeBatch } from '../backends/batch-contract.ts';
import { createRig } from '../backends/support/rig.ts';
import { becomeUser } from './support/become-user.ts';
import { commandsOf } from './support/boot.ts';
import { withEngine } from './support/engine.ts';

const SITE: HtcondorSite = {
  universe: 'vanilla',
  accountingGroup: null,
  accountingUser: null,
  requirements: null,
  rank: null,
  diskBytes: null,
  gpus: null,
  priority: null,
  concurrencyLimits: [],
  attributes: {},
  lines: [],
};

withEngine('htcondor', (pool) => {
  // The schedd refuses jobs of root, and caf and its jobs write into the same directories.
  beforeAll(() => {
    if (pool.user !== null) becomeUser(pool.user);
  });
  const call = (...argv: readonly string[]): void => {
    const [program = '', ...rest] = argv;
    execFileSync(program, rest, { env: pool.env, stdio: 'ignore' });
  };

  describeBatch<HtcondorSite>('HTCondor', async () => ({
    engine: htcondor,
    site: SITE,
    env: pool.env,
    shortLimitMs: 2000,
    memoryHog: { argv: ['/usr/bin/python3', '-c', 'import time; b = bytearray(300_000_000); time.sleep(100)'], limitBytes: 100e6 },
    remove: async (id) => call('condor_rm', id),
    holding: {
      hold: async (id) => call('condor_hold', id, '-reason', 'the disk is full'),
      release: async (id) => call('condor_release', id),
    },
  }));

  it('hears of an end from the user log, without a second query', async () => {
    const rig = createRig();
    const calls = mkdtempSync(join(rig.directory, 'bin-'));
    // Counts the queries.
    writeFileSync(join(calls, 'condor_q'), `#!/bin/sh\necho asked >> ${calls}/asked\nexec ${commandsOf('htcondor')}/condor_q "$@"\n`, {
      mode: 0o755,
    });
    const batch = createBatch({
      engine: htcondor,
      spool: join(rig.directory, '.batch'),
      collector: [],
      pollMs: 600_000,
      settleMs: 1000,
      emit: () => undefined,
      env: { ...pool.env, PATH: `${calls}:${pool.env.PATH}` },
    });
    const backend = batch.backend({ ...CONTRACT_SPEC, pollMs: 600_000 }, SITE);
    const [failed, removed] = [backend.submit(rig.shell('exit 3')), backend.submit(rig.shell('exec sleep 1000'))];
    expect(await failed.ended).toMatchObject({ how: 'exited', code: 3 });
    const handle = await removed.started;
    call('condor_rm', handle !== null && isEngineJob(handle) ? handle.id : '');
    expect(await removed.ended).toMatchObject({ how: 'removed', by: `the user ${userInfo().username}` });
    expect(readFileSync(join(calls, 'asked'), 'utf8')).toBe('asked\n');
    await batch.close();
    await rig.cleanUp();
  });
});
