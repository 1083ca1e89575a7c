// The Grid Engine backend on a real one: the contract of batch engines.
import { gridengine } from '../../src/backends/gridengine.ts';
import type { GridEngineSite } from '../../src/domain/calibration.ts';
import { describeBatch } from '../backends/batch-contract.ts';
import { withEngine } from './support/engine.ts';

const SITE: GridEngineSite = {
  queue: null,
  project: null,
  parallelEnvironment: 'smp',
  memoryResource: null,
  resources: {},
  options: [],
};

withEngine('gridengine', (cluster) => {
  describeBatch<GridEngineSite>('Grid Engine', async () => ({
    engine: gridengine,
    site: SITE,
    env: cluster.env,
    shortLimitMs: 2000,
    // It limits address space, and kills nobody for memory.
    memoryHog: null,
    remove: async (id) => void (await cluster.ask(['qdel', id])),
    holding: {
      hold: async (id) => void (await cluster.ask(['qhold', id])),
      release: async (id) => void (await cluster.ask(['qrls', id])),
    },
  }));
});
