// The syntax tree of a user's module: parsing TypeScript or JavaScript, and small questions to its nodes.
import { createRequire, stripTypeScriptTypes } from 'node:module';

/** A node of ESTree, as acorn makes it. */
export interface Node {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [key: string]: unknown;
}

const require = createRequire(import.meta.url);

/** The module as a tree; positions are those of the source. Throws for what is no module, and for TypeScript that Node cannot load either. */
export function parseModule(path: string, source: string): Node {
  // Loaded only when something must be parsed: an unchanged campaign never does.
  const acorn = require('acorn') as typeof import('acorn');
  const script = /\.m?ts$/.test(path) ? stripTypes(source) : source;
  return acorn.parse(script, { ecmaVersion: 'latest', sourceType: 'module', allowHashBang: true }) as unknown as Node;
}

/** Node warns that this function is experimental; the user of a config can do nothing about that. */
function stripTypes(source: string): string {
  const { emitWarning } = process;
  process.emitWarning = () => undefined;
  try {
    return stripTypeScriptTypes(source);
  } finally {
    process.emitWarning = emitWarning;
  }
}

export const isNode = (value: unknown): value is Node =>
  typeof value === 'object' && value !== null && typeof (value as { type?: unknown }).type === 'string';

/** The nodes of a list; none for anything else. Holes in arrays are left out. */
export const nodesOf = (value: unknown): readonly Node[] => (Array.isArray(value) ? value.filter(isNode) : []);

export const childrenOf = (node: Node): readonly Node[] =>
  Object.values(node).flatMap((value) => (isNode(value) ? [value] : nodesOf(value)));

/** The value of a string literal; null for anything else. */
export const textOf = (value: unknown): string | null =>
  isNode(value) && value.type === 'Literal' && typeof value.value === 'string' ? value.value : null;

/** The name of an identifier, or a string where one stands for a name; empty for anything else. */
export const nameOf = (value: unknown): string =>
  isNode(value) && (value.type === 'Identifier' || value.type === 'PrivateIdentifier') ? String(value.name) : (textOf(value) ?? '');

export const FUNCTIONS: ReadonlySet<string> = new Set(['FunctionDeclaration', 'FunctionExpression', 'ArrowFunctionExpression']);

/** `z` of `z.object(...).min`; null for what does not begin with a name. */
export function rootName(expression: unknown): string | null {
  let node = expression;
  while (isNode(node)) {
    if (node.type === 'Identifier') return nameOf(node);
    if (node.type === 'MemberExpression') node = node.object;
    else if (node.type === 'CallExpression' || node.type === 'NewExpression') node = node.callee;
    else if (node.type === 'ChainExpression') node = node.expression;
    else return null;
  }
  return null;
}

/** The names a statement declares. */
export function declaredNames(statement: Node): readonly string[] {
  switch (statement.type) {
    case 'FunctionDeclaration':
    case 'ClassDeclaration':
      return isNode(statement.id) ? [nameOf(statement.id)] : [];
    case 'VariableDeclaration':
      return nodesOf(statement.declarations).flatMap(({ id }) => boundNames(id));
    default:
      return hoistedNames(statement);
  }
}

/** The names a pattern binds or assigns; none for members of objects. */
export function boundNames(pattern: unknown): readonly string[] {
  if (!isNode(pattern)) return [];
  switch (pattern.type) {
    case 'Identifier':
      return [nameOf(pattern)];
    case 'ObjectPattern':
      return nodesOf(pattern.properties).flatMap((property) => boundNames(property.type === 'RestElement' ? property : property.value));
    case 'ArrayPattern':
      return nodesOf(pattern.elements).flatMap(boundNames);
    case 'AssignmentPattern':
      return boundNames(pattern.left);
    case 'RestElement':
      return boundNames(pattern.argument);
    default:
      return [];
  }
}

/** `if (x) { var y = 1 }` declares y for the whole module. */
function hoistedNames(statement: Node): readonly string[] {
  const names: string[] = [];
  const open: Node[] = [statement];
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    if (FUNCTIONS.has(node.type)) continue;
    if (node.type === 'VariableDeclaration' && node.kind === 'var') names.push(...declaredNames(node));
    for (const child of childrenOf(node)) open.push(child);
  }
  return names;
}
