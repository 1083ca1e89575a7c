// A caf whose algorithms are jobs of a Slurm, for tests.
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createBatch } from '../../src/backends/batch.ts';
import { slurm } from '../../src/backends/slurm.ts';
import type { AlgorithmsRunner } from '../../src/domain/algorithms-runner.ts';
import type { BatchSpec, Resources, SlurmSite } from '../../src/domain/calibration.ts';
import { createEngineAlgorithmsRunner } from '../../src/runners/engine-algorithms-runner.ts';
import { RESOURCES } from '../backends/support/rig.ts';
import { BATCH_SPEC, SLURM_SITE } from '../backends/support/specs.ts';
import { CHILD, compileCache } from './strategy-bench.ts';

const SPEC: BatchSpec = { ...BATCH_SPEC, settleMs: 500 };
const JOB = fileURLToPath(new URL('../../src/runners/algorithm-job.ts', import.meta.url));

export interface Invocation {
  readonly runner: AlgorithmsRunner;
  readonly cancel: AbortController;
  /** As a caf that is gone. */
  close(): Promise<void>;
}

export interface InvocationOptions {
  readonly resources?: Partial<Resources>;
  readonly retries?: number;
  readonly site?: Partial<SlurmSite>;
}

/** One caf that runs algorithms on Slurm, with its arrays in this directory. */
export function createInvocation(
  root: string,
  env: NodeJS.ProcessEnv,
  { resources = {}, retries = 2, site = {} }: InvocationOptions = {},
): Invocation {
  const batch = createBatch({
    engine: slurm,
    spool: join(root, '.batch'),
    collector: [],
    pollMs: SPEC.pollMs,
    settleMs: SPEC.settleMs,
    emit: () => undefined,
    env,
  });
  const cancel = new AbortController();
  const runner = createEngineAlgorithmsRunner({
    backend: batch.backend(SPEC, { ...SLURM_SITE, ...site }),
    entry: { job: [process.execPath, JOB], child: fileURLToPath(CHILD) },
    resources: { ...RESOURCES, ...resources },
    retries,
    cancel: cancel.signal,
    settleMs: SPEC.settleMs,
    compileCache,
  });
  return { runner, cancel, close: () => batch.close() };
}
