// The local backend: the contract of all backends, and what only it does.
import { createLocalBackend } from '../../src/backends/local.ts';
import { describeBackend } from './contract.ts';

const childUrl = new URL('../../src/worker/collector-child.ts', import.meta.url);
const launcherUrl = new URL('../../src/backends/launch-child.ts', import.meta.url);

describeBackend('local', ({ slots = 2, memoryBytes, ...options }) =>
  createLocalBackend({ slots, memoryBytes: memoryBytes ?? null, childUrl, launcherUrl, killGraceMs: 2000, ...options }),
);
