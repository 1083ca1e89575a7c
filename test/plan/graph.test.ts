// Order, circles, ancestors and descendants of calibrations.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { buildGraph, type Graph, type GraphNode, showCircle } from '../../src/plan/graph.ts';

const nodes = (edges: Readonly<Record<string, readonly string[]>>): readonly GraphNode[] =>
  Object.entries(edges).map(([name, dependsOn]) => ({ name, dependsOn }));

const graphOf = (list: readonly GraphNode[]): Graph => {
  const graph = buildGraph(list);
  if (!graph.ok) throw new Error(showCircle(graph.error));
  return graph.value;
};

const circleOf = (list: readonly GraphNode[]): string => {
  const graph = buildGraph(list);
  if (graph.ok) throw new Error('no circle');
  return showCircle(graph.error);
};

describe('order', () => {
  test.each([
    { what: 'a waits for b and c, b for c', edges: { c: [], a: ['c', 'b'], b: ['c'] }, order: ['c', 'b', 'a'] },
    { what: 'a diamond', edges: { 1: [], 2: ['1'], 3: ['1'], 4: ['2', '3'] }, order: ['1', '2', '3', '4'] },
    { what: 'independent calibrations', edges: { a: [], b: [], c: [] }, order: ['a', 'b', 'c'] },
    { what: 'first come, first served', edges: { z: [], y: [], fromY: ['y'], fromZ: ['z'] }, order: ['z', 'y', 'fromZ', 'fromY'] },
    { what: 'a dependency named twice', edges: { b: ['a', 'a'], a: [] }, order: ['a', 'b'] },
    { what: 'a dependency that is no node', edges: { b: ['x', 'a'], a: [] }, order: ['a', 'b'] },
    { what: 'nothing', edges: {}, order: [] },
  ])('of $what is $order', ({ edges, order }) => {
    expect(graphOf(nodes(edges as never)).order).toEqual(order);
  });

  test('of any graph without circles puts everything after what it waits for', () => {
    const edges = fc.array(fc.array(fc.nat(30), { maxLength: 4 }), { maxLength: 30 });
    fc.assert(
      fc.property(edges, fc.boolean(), (lists, isReversed) => {
        const list = lists.map((before, index) => ({ name: `c${index}`, dependsOn: before.filter((n) => n < index).map((n) => `c${n}`) }));
        const graph = graphOf(isReversed ? list.toReversed() : list);
        const at = new Map(graph.order.map((name, index) => [name, index]));
        expect(at.size).toBe(list.length);
        for (const { name, dependsOn } of list) {
          for (const dependency of dependsOn) {
            expect(at.get(dependency)!).toBeLessThan(at.get(name)!);
            expect(graph.ancestors(name)).toContain(dependency);
            expect(graph.descendants(dependency)).toContain(name);
          }
          for (const ancestor of graph.ancestors(name)) expect(graph.descendants(ancestor)).toContain(name);
        }
      }),
    );
  });
});

describe('ancestors and descendants', () => {
  test('are complete and in topological order', () => {
    const graph = graphOf(nodes({ d: ['b', 'c'], c: ['a'], b: ['a'], a: [], lone: [] }));
    expect(graph.order).toEqual(['a', 'lone', 'c', 'b', 'd']);
    expect(graph.ancestors('d')).toEqual(['a', 'c', 'b']);
    expect(graph.ancestors('a')).toEqual([]);
    expect(graph.descendants('a')).toEqual(['c', 'b', 'd']);
    expect(graph.descendants('lone')).toEqual([]);
  });

  test('of a link that is not there do not exist', () => {
    expect(graphOf(nodes({ a: [], c: ['x'] })).ancestors('c')).toEqual([]);
  });
});

describe('circles', () => {
  test.each([
    { edges: { t0: ['gain'], gain: ['t0'] }, circle: 't0 -> gain -> t0' },
    { edges: { a: ['a'] }, circle: 'a -> a' },
    { edges: { last: ['b'], free: [], a: ['c', 'free'], b: ['a'], c: ['b'] }, circle: 'a -> c -> b -> a' },
  ])('$circle is shown from its first member on, without what only hangs on it', ({ edges, circle }) => {
    expect(circleOf(nodes(edges as never))).toBe(circle);
  });

  test('of 10000 members are found and cut in the middle', () => {
    const list = Array.from({ length: 10_000 }, (_, index) => ({ name: `c${index}`, dependsOn: [`c${(index + 1) % 10_000}`] }));
    expect(circleOf(list)).toBe('c0 -> c1 -> c2 -> c3 -> c4 -> c5 -> (9990 more) -> c9996 -> c9997 -> c9998 -> c9999 -> c0');
  });
});

describe('size', () => {
  test('a chain of 10000 needs no deep stack', () => {
    const list = Array.from({ length: 10_000 }, (_, index) => ({ name: `c${index}`, dependsOn: index === 0 ? [] : [`c${index - 1}`] }));
    const graph = graphOf(list.toReversed());
    expect(graph.order[9_999]).toBe('c9999');
    expect(graph.ancestorsUpTo(3, 'c9999')).toBeNull();
    expect(graph.ancestorsUpTo(3, 'c3')).toEqual(['c0', 'c1', 'c2']);
    expect(graph.ancestors('c9999').length).toBe(9_999);
    expect(graph.descendants('c0').at(-1)).toBe('c9999');
  });

  test('100000 calibrations in layers are ordered', () => {
    const list = Array.from({ length: 100_000 }, (_, index) => ({
      name: `c${index}`,
      dependsOn: index < 1_000 ? [] : [`c${index - 1_000}`, `c${index - (index % 7) - 1}`],
    }));
    expect(graphOf(list).order.length).toBe(100_000);
  });
});
