// The places where this campaign's jobs run: one backend per specification, and one set of hands per batch engine, whatever the number of calibrations.
import { fileURLToPath } from 'node:url';
import type { Backend } from '../backends/backend.ts';
import { type Batch, createBatch } from '../backends/batch.ts';
import type { BatchEngine } from '../backends/engine.ts';
import { spoolOf } from '../backends/engines.ts';
import { gridengine } from '../backends/gridengine.ts';
import { htcondor } from '../backends/htcondor.ts';
import { createLocalBackend } from '../backends/local.ts';
import { lsf } from '../backends/lsf.ts';
import { pbs } from '../backends/pbs.ts';
import { slurm } from '../backends/slurm.ts';
import type { BackendSpec, BatchSpec, GridEngineSite, HtcondorSite, LsfSite, PbsSite, SlurmSite } from '../domain/calibration.ts';
import type { Emit } from '../domain/event.ts';
import { unreachable } from '../domain/result.ts';
import { compileCacheDirectory } from '../host/compile-cache.ts';
import { growHeapSlowly } from '../host/lean-memory.ts';

export interface BackendsOptions {
  /** Absolute path of the results directory. */
  readonly output: string;
  /** All that may be asked for, collections' own options aside. */
  readonly backends: readonly BackendSpec[];
  readonly children: { readonly collector: URL; readonly launcher: URL };
  readonly emit: Emit;
  /** See BatchOptions. */
  readonly makeDurable: (paths: readonly string[]) => Promise<void>;
}

export interface Backends {
  /** The same one for the same specification. */
  for(wanted: BackendSpec): Backend;
  /** Running jobs are left. */
  close(): Promise<void>;
}

export function createBackends({ output, backends: all, children, emit, makeDurable }: BackendsOptions): Backends {
  const compileCache = compileCacheDirectory(process.env);
  const backends = new Map<string, Backend>();
  /** Asked for several times per job. */
  const bySpec = new WeakMap<BackendSpec, Backend>();
  const closing: (() => Promise<void>)[] = [];

  /** The hands for one engine, made when the first of its backends is. */
  const handsFor = <Site>(engine: BatchEngine<Site>): (() => Batch<Site>) => {
    let made: Batch<Site> | null = null;
    return () => {
      made ??= makeHands(engine);
      return made;
    };
  };
  const makeHands = <Site>(engine: BatchEngine<Site>): Batch<Site> => {
    const specs = all.flatMap((backend): readonly BatchSpec[] =>
      backend.kind === engine.name ? [backend as BatchSpec & BackendSpec] : [],
    );
    growHeapSlowly();
    const batch = createBatch({
      engine,
      spool: spoolOf(output),
      collector: [process.execPath, fileURLToPath(children.collector)],
      compileCache,
      // One query serves all: none of them more often than it may be, none of them sooner sure than it may be.
      pollMs: Math.max(...specs.map(({ pollMs }) => pollMs)),
      settleMs: Math.max(...specs.map(({ settleMs }) => settleMs)),
      emit,
      makeDurable,
    });
    closing.push(() => batch.close());
    return batch;
  };
  const onSlurm = handsFor<SlurmSite>(slurm);
  const onHtcondor = handsFor<HtcondorSite>(htcondor);
  const onPbs = handsFor<PbsSite>(pbs);
  const onLsf = handsFor<LsfSite>(lsf);
  const onGridEngine = handsFor<GridEngineSite>(gridengine);

  const make = (wanted: BackendSpec): Backend => {
    switch (wanted.kind) {
      case 'local': {
        const local = createLocalBackend({ ...wanted, childUrl: children.collector, launcherUrl: children.launcher, compileCache });
        closing.push(() => local.close());
        return local;
      }
      case 'slurm':
        return onSlurm().backend(wanted, wanted.site);
      case 'htcondor':
        return onHtcondor().backend(wanted, wanted.site);
      case 'gridengine':
        return onGridEngine().backend(wanted, wanted.site);
      case 'pbs':
        return onPbs().backend(wanted, wanted.site);
      case 'lsf':
        return onLsf().backend(wanted, wanted.site);
      default:
        return unreachable(wanted);
    }
  };

  return {
    for(wanted) {
      const known = bySpec.get(wanted);
      if (known !== undefined) return known;
      const key = JSON.stringify(wanted);
      const found = backends.get(key) ?? make(wanted);
      backends.set(key, found);
      bySpec.set(wanted, found);
      return found;
    },
    async close() {
      await Promise.all(closing.map((close) => close()));
    },
  };
}
