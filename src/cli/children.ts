// Where the programs of caf's child processes lie: bundles beside this one, or the sources when this is one.

/** `here`: import.meta.url of a module of this room. */
export const childrenOf = (here: string) =>
  here.endsWith('.ts')
    ? {
        collector: new URL('../worker/collector-child.ts', here),
        strategy: new URL('../worker/strategy-child.ts', here),
        algorithmJob: new URL('../runners/algorithm-job.ts', here),
        launcher: new URL('../backends/launch-child.ts', here),
      }
    : {
        collector: new URL('./collector-child.js', here),
        strategy: new URL('./strategy-child.js', here),
        algorithmJob: new URL('./algorithm-job.js', here),
        launcher: new URL('./launch-child.cjs', here),
      };
