// Draws which calibration waits for which: as a tree, for mermaid, or for graphviz. Pure.
import type { CalibrationState } from '../domain/calibration.ts';
import type { Mark, Style } from './style.ts';

export interface GraphNode {
  readonly name: string;
  readonly dependsOn: readonly string[];
  readonly state?: CalibrationState;
}

/**
 * Each calibration stands once, below the last of those it depends on; the others are named beside it.
 * Nodes must be in an order in which dependencies come first.
 */
export function drawTree(title: string, nodes: readonly GraphNode[], style: Style): string[] {
  const position = new Map(nodes.map((node, i) => [node.name, i]));
  const placeOf = (name: string | null) => (name === null ? -1 : (position.get(name) ?? -1));
  const parentOf = (node: GraphNode) =>
    node.dependsOn.reduce<string | null>((last, name) => (last === null || placeOf(name) > placeOf(last) ? name : last), null);
  const children = Map.groupBy(nodes, parentOf);
  const [branch, last, down] = style.unicode ? ['├─ ', '└─ ', '│  '] : ['|- ', '`- ', '|  '];
  const lines = [title];
  // Not recursive: a chain of thousands of calibrations is legal.
  const stack: { readonly node: GraphNode; readonly indent: string; readonly isLast: boolean }[] = [];
  const push = (parent: string | null, indent: string) => {
    const own = children.get(parent) ?? [];
    for (const [i, node] of [...own.entries()].reverse()) stack.push({ node, indent, isLast: i === own.length - 1 });
  };
  push(null, '');
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    const { node, indent, isLast } = next;
    const parent = parentOf(node);
    const others = node.dependsOn.filter((name) => name !== parent);
    const also = others.length === 0 ? '' : `   ${style.paint('dim', `(also needs ${others.join(', ')})`)}`;
    const state = node.state === undefined ? '' : ` ${style.mark(markOf(node.state))}`;
    lines.push(`${indent}${isLast ? last : branch}${node.name}${state}${also}`);
    push(node.name, indent + (isLast ? '   ' : down));
  }
  return lines;
}

/** https://mermaid.js.org/syntax/flowchart.html */
export function drawMermaid(nodes: readonly GraphNode[]): string[] {
  const ids = new Map(nodes.map((node, i) => [node.name, `c${i}`]));
  return [
    'flowchart TD',
    ...nodes.map((node) => `  ${ids.get(node.name)}["${node.name}"]`),
    ...nodes.flatMap((node) => node.dependsOn.map((name) => `  ${ids.get(name)} --> ${ids.get(node.name)}`)),
  ];
}

/** https://graphviz.org/doc/info/lang.html */
export function drawDot(nodes: readonly GraphNode[]): string[] {
  const quote = (name: string) => `"${name.replace(/["\\]/g, '\\$&')}"`;
  return [
    'digraph calibrations {',
    ...nodes.map((node) => `  ${quote(node.name)};`),
    ...nodes.flatMap((node) => node.dependsOn.map((name) => `  ${quote(name)} -> ${quote(node.name)};`)),
    '}',
  ];
}

export function markOf(state: CalibrationState): Mark {
  switch (state) {
    case 'completed':
      return 'done';
    case 'failed':
    case 'collector_failed':
    case 'algorithms_failed':
      return 'failed';
    case 'init':
    case 'blocked':
      return 'waiting';
    default:
      return 'running';
  }
}
