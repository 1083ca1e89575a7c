// What the checked config says of a batch backend when it says nothing, in shorter intervals, for tests.
import type { BatchSpec, SlurmSite } from '../../../src/domain/calibration.ts';

export const BATCH_SPEC: BatchSpec = {
  env: {},
  modules: [],
  setup: [],
  scratch: null,
  maxJobs: 1000,
  maxArray: null,
  submitsPerMinute: 1000,
  pollMs: 100,
  settleMs: 300,
  logDirectory: null,
  algorithmsOn: 'caf',
};

export const SLURM_SITE: SlurmSite = {
  partition: null,
  account: null,
  qos: null,
  constraint: null,
  reservation: null,
  exclusive: false,
  gpus: null,
  directives: [],
};
