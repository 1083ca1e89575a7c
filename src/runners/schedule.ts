// Which calibrations may start now: counts of unmet dependencies, kept up to date in time linear in the edges.

export interface Schedule {
  /** Names that may start now, at most as many as there is room for; each is given once. */
  takeReady(): readonly string[];
  complete(name: string): void;
  /** Returns the descendants that will not run, each with the failed calibrations it waits for. */
  fail(name: string): readonly { readonly name: string; readonly by: readonly string[] }[];
}

/** Dependencies that are not among the nodes count as met (they are complete already). Nodes come in topological order. */
export function createSchedule(
  nodes: readonly { readonly name: string; readonly dependsOn: readonly string[] }[],
  maxParallel: number,
): Schedule {
  const unmet = new Map<string, number>();
  const dependants = new Map<string, string[]>();
  const blocked = new Set<string>();
  const known = new Set(nodes.map(({ name }) => name));
  const ready: string[] = [];
  let taken = 0;
  let running = 0;

  for (const { name, dependsOn } of nodes) {
    const open = [...new Set(dependsOn)].filter((dependency) => known.has(dependency));
    unmet.set(name, open.length);
    if (open.length === 0) ready.push(name);
    for (const dependency of open) {
      const list = dependants.get(dependency);
      if (list === undefined) dependants.set(dependency, [name]);
      else list.push(name);
    }
  }

  return {
    takeReady: () => {
      const room = Math.max(0, maxParallel - running);
      const names = ready.slice(taken, taken + room);
      taken += names.length;
      running += names.length;
      return names;
    },
    complete: (name) => {
      running -= 1;
      for (const dependant of dependants.get(name) ?? []) {
        const left = (unmet.get(dependant) ?? 1) - 1;
        unmet.set(dependant, left);
        if (left === 0 && !blocked.has(dependant)) ready.push(dependant);
      }
    },
    fail: (name) => {
      running -= 1;
      const found: { name: string; by: readonly string[] }[] = [];
      const queue = [...(dependants.get(name) ?? [])];
      for (const next of queue) {
        if (blocked.has(next)) continue;
        blocked.add(next);
        found.push({ name: next, by: [name] });
        queue.push(...(dependants.get(next) ?? []));
      }
      return found;
    },
  };
}
