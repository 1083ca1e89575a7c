// Which calibration waits for which: order, circles, ancestors and descendants.
import { err, ok, type Result } from '../domain/result.ts';

export interface GraphNode {
  readonly name: string;
  /** Names; those that are no node are ignored here (the config check refuses them), repeated ones count once. */
  readonly dependsOn: readonly string[];
}

export interface Graph {
  /** Kahn's algorithm: what waits for nothing first, as listed; then first come, first served. */
  readonly order: readonly string[];
  /** Everything `name` waits for, in the order above. Computed anew by each call: all of them together may be quadratically many. */
  ancestors(name: string): readonly string[];
  /** The same where these are at most `limit`; else null, found out in time that the limit bounds. */
  ancestorsUpTo(limit: number, name: string): readonly string[] | null;
  /** Everything that waits for `name`, in the order above. Computed anew by each call. */
  descendants(name: string): readonly string[];
}

/** The circle as a list that ends where it began: each waits for the next. */
export type Circle = readonly string[];

/** `t0 -> gain -> t0`; a long circle is cut in the middle. */
export function showCircle(circle: Circle): string {
  const shown = circle.length <= 12 ? circle : [...circle.slice(0, 6), `(${circle.length - 11} more)`, ...circle.slice(-5)];
  return shown.join(' -> ');
}

/** Names are unique. Linear in nodes and edges; long chains need no deep stack. */
export function buildGraph(nodes: readonly GraphNode[]): Result<Graph, Circle> {
  const dependencies = new Map<string, Set<string>>();
  const dependents = new Map<string, string[]>();
  for (const { name } of nodes) {
    dependencies.set(name, new Set());
    dependents.set(name, []);
  }
  for (const { name, dependsOn } of nodes) {
    const known = dependencies.get(name);
    for (const dependency of dependsOn) {
      if (known === undefined || !dependencies.has(dependency) || known.has(dependency)) continue;
      known.add(dependency);
      dependents.get(dependency)?.push(name);
    }
  }

  const waitsFor = new Map([...dependencies].map(([name, known]) => [name, known.size]));
  const order = nodes.filter(({ name }) => waitsFor.get(name) === 0).map(({ name }) => name);
  // The list grows while it is walked: it is the queue and the result in one.
  for (const name of order) {
    for (const dependent of dependents.get(name) ?? []) {
      const left = (waitsFor.get(dependent) ?? 0) - 1;
      waitsFor.set(dependent, left);
      if (left === 0) order.push(dependent);
    }
  }
  if (order.length < dependencies.size) return err(findCircle(dependencies, waitsFor));

  const position = new Map(order.map((name, index) => [name, index]));
  const dependenciesOf = (name: string): Iterable<string> => dependencies.get(name) ?? [];
  const reachUpTo = (limit: number, from: string, edges: (name: string) => Iterable<string>): readonly string[] | null => {
    const found = new Set<string>();
    const open = [...edges(from)];
    for (let name = open.pop(); name !== undefined; name = open.pop()) {
      if (found.has(name)) continue;
      found.add(name);
      if (found.size > limit) return null;
      for (const next of edges(name)) open.push(next);
    }
    return [...found].sort((a, b) => (position.get(a) ?? 0) - (position.get(b) ?? 0));
  };
  const reach = (from: string, edges: (name: string) => Iterable<string>): readonly string[] => reachUpTo(Infinity, from, edges) ?? [];
  return ok({
    order,
    ancestors: (name) => reach(name, dependenciesOf),
    ancestorsUpTo: (limit, name) => reachUpTo(limit, name, dependenciesOf),
    descendants: (name) => reach(name, (from) => dependents.get(from) ?? []),
  });
}

/** Every node left over waits for another one left over: following them ends in a circle, which begins at its node listed first. */
function findCircle(dependencies: ReadonlyMap<string, ReadonlySet<string>>, waitsFor: ReadonlyMap<string, number>): Circle {
  const isLeft = (name: string) => (waitsFor.get(name) ?? 0) > 0;
  const seenAt = new Map<string, number>();
  const path: string[] = [];
  let name = [...dependencies.keys()].find(isLeft);
  while (name !== undefined && !seenAt.has(name)) {
    seenAt.set(name, path.length);
    path.push(name);
    name = [...(dependencies.get(name) ?? [])].find(isLeft);
  }
  const members = path.slice(seenAt.get(name ?? '') ?? 0);
  const inCircle = new Set(members);
  const first = [...dependencies.keys()].find((candidate) => inCircle.has(candidate)) ?? '';
  const start = members.indexOf(first);
  return [...members.slice(start), ...members.slice(0, start), first];
}
