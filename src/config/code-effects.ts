// What evaluating code may do to others: whether it changes what they see, by itself or through the functions it calls.
import { boundNames, childrenOf, declaredNames, FUNCTIONS, isNode, type Node, nameOf, nodesOf, rootName } from './syntax-tree.ts';

export interface Effects {
  /** It may change what other pieces see. */
  readonly acts: boolean;
  /** The module's own functions that it calls: what they do, it does. */
  readonly calls: readonly string[];
}

/** Built-in functions that change what they are given. */
const CHANGES_ARGUMENTS: ReadonlySet<string> = new Set(['Object', 'Reflect', 'Atomics', 'globalThis', 'process']);

/** Methods that by convention change nothing, whatever they are called on; `takes` = they call the functions they are given. */
const QUIET_METHODS: ReadonlyMap<string, 'takes' | 'alone'> = new Map([
  ...(
    [
      'map',
      'flatMap',
      'filter',
      'find',
      'findIndex',
      'findLast',
      'some',
      'every',
      'reduce',
      'forEach',
      'from',
      'toSorted',
      'replace',
    ] as const
  ).map((name) => [name, 'takes'] as const),
  ...(
    [
      'entries',
      'keys',
      'values',
      'fromEntries',
      'includes',
      'indexOf',
      'at',
      'slice',
      'concat',
      'join',
      'flat',
      'toReversed',
      'split',
    ] as const
  ).map((name) => [name, 'alone'] as const),
  ...(
    ['trim', 'padStart', 'padEnd', 'repeat', 'startsWith', 'endsWith', 'toLowerCase', 'toUpperCase', 'toFixed', 'toString', 'test'] as const
  ).map((name) => [name, 'alone'] as const),
]);

/** They change only the list, map or set they are called on. */
const FILLING_METHODS: ReadonlySet<string> = new Set(['push', 'unshift', 'add', 'set']);

/** `isOwn`: names of the module, declared in it or imported from local files. */
export function effectsOf(root: Node, isOwn: (name: string) => boolean): Effects {
  const found = { acts: false, calls: new Set<string>() };
  evaluate([root], NO_LOCALS, isOwn, found);
  return { acts: found.acts, calls: [...found.calls] };
}

/** What a call of the function does. */
export function effectsOfFunction(node: Node, isOwn: (name: string) => boolean): Effects {
  const found = { acts: false, calls: new Set<string>() };
  call(node, NO_LOCALS, isOwn, found);
  return { acts: found.acts, calls: [...found.calls] };
}

/** The functions a statement declares by name: those that can be called elsewhere. */
export function declaredFunctions(statement: Node): readonly (readonly [name: string, node: Node])[] {
  if (statement.type === 'FunctionDeclaration') return [[nameOf(statement.id), statement]];
  if (statement.type !== 'VariableDeclaration' || statement.kind !== 'const') return [];
  return nodesOf(statement.declarations).flatMap(({ id, init }) =>
    isNode(init) && FUNCTIONS.has(init.type) && nameOf(id) !== '' ? [[nameOf(id), init] as const] : [],
  );
}

/** Names of the functions that are being called. */
interface Locals {
  readonly names: ReadonlySet<string>;
  /** Constants that hold a list, map or set made by the function itself: filling them changes nothing for others. */
  readonly fresh: ReadonlySet<string>;
}

const NO_LOCALS: Locals = { names: new Set(), fresh: new Set() };

interface Found {
  acts: boolean;
  readonly calls: Set<string>;
}

/** Evaluates as the engine would, but for the bodies of functions that are only made. */
function evaluate(roots: readonly Node[], locals: Locals, isOwn: (name: string) => boolean, found: Found): void {
  // A stack of its own: a long sum of strings is a deep tree.
  const open = [...roots];
  for (let node = open.pop(); node !== undefined && !found.acts; node = open.pop()) {
    if (FUNCTIONS.has(node.type)) continue;
    if (changes(node, locals)) found.acts = true;
    const callee = node.callee ?? node.tag;
    if (isNode(callee)) {
      judgeCall(node, callee, locals, isOwn, found);
      // Functions written as arguments are called, for all one can tell.
      for (const part of [callee, ...nodesOf(node.arguments)]) if (FUNCTIONS.has(part.type)) call(part, locals, isOwn, found);
    }
    for (const child of childrenOf(node)) open.push(child);
  }
}

function changes(node: Node, { names }: Locals): boolean {
  switch (node.type) {
    case 'AssignmentExpression':
    case 'UpdateExpression':
      return !isLocalTarget(node.left ?? node.argument, names);
    case 'ForOfStatement':
    case 'ForInStatement':
      return isNode(node.left) && node.left.type !== 'VariableDeclaration' && !isLocalTarget(node.left, names);
    case 'StaticBlock':
      return true;
    case 'UnaryExpression':
      return node.operator === 'delete';
    default:
      return false;
  }
}

/** A pattern may assign members of objects, too: `[a, table.b] = ...`. */
function isLocalTarget(target: unknown, names: ReadonlySet<string>): boolean {
  const bound = boundNames(target);
  return bound.length > 0 && !hasMember(target) && bound.every((name) => names.has(name));
}

const hasMember = (pattern: unknown): boolean =>
  isNode(pattern) && (pattern.type === 'MemberExpression' || childrenOf(pattern).some(hasMember));

function judgeCall(node: Node, callee: Node, locals: Locals, isOwn: (name: string) => boolean, found: Found): void {
  if (FUNCTIONS.has(callee.type)) return;
  if (callee.type === 'MemberExpression' && callee.computed === false) {
    const method = nameOf(callee.property);
    const quiet = QUIET_METHODS.get(method);
    if (quiet === 'takes') for (const argument of nodesOf(node.arguments)) judgeCallback(argument, locals, isOwn, found);
    if (quiet !== undefined) return;
    if (FILLING_METHODS.has(method) && locals.fresh.has(nameOf(callee.object))) return;
    // `Array.prototype.push.call(table, 1)`
    if (method === 'call' || method === 'apply') found.acts = true;
  }
  if (callee.type === 'Identifier' && node.type === 'CallExpression') {
    callByName(nameOf(callee), locals, isOwn, found);
    return;
  }
  const root = rootName(callee);
  if (root === null || locals.names.has(root) || isOwn(root) || CHANGES_ARGUMENTS.has(root)) found.acts = true;
}

/** A function that is given to be called: by name, as a member of an object, or as another function makes it. */
function judgeCallback(argument: Node, locals: Locals, isOwn: (name: string) => boolean, found: Found): void {
  if (argument.type === 'Identifier') callByName(nameOf(argument), locals, isOwn, found);
  if (argument.type !== 'MemberExpression' && argument.type !== 'CallExpression') return;
  const root = rootName(argument);
  if (root === null || locals.names.has(root) || isOwn(root)) found.acts = true;
}

function callByName(name: string, locals: Locals, isOwn: (name: string) => boolean, found: Found): void {
  // What a parameter or local variable holds is not followed.
  if (locals.names.has(name) || CHANGES_ARGUMENTS.has(name)) found.acts = true;
  else if (isOwn(name)) found.calls.add(name);
}

function call(node: Node, outer: Locals, isOwn: (name: string) => boolean, found: Found): void {
  const parts = [...nodesOf(node.params), ...(isNode(node.body) ? [node.body] : [])];
  const own = [...nodesOf(node.params).flatMap(boundNames), ...namesWithin(node.body)];
  const fresh = freshWithin(node.body).filter((name) => own.indexOf(name) === own.lastIndexOf(name));
  const locals: Locals = {
    names: new Set([...outer.names, ...own]),
    fresh: new Set([...[...outer.fresh].filter((name) => !own.includes(name)), ...fresh]),
  };
  evaluate(parts, locals, isOwn, found);
}

/** `const list = []` */
function freshWithin(body: unknown): readonly string[] {
  const names: string[] = [];
  const open = isNode(body) ? [body] : [];
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    if (node.type === 'VariableDeclaration' && node.kind === 'const')
      for (const { id, init } of nodesOf(node.declarations))
        if (isNode(id) && id.type === 'Identifier' && isFresh(init)) names.push(nameOf(id));
    if (!FUNCTIONS.has(node.type)) for (const child of childrenOf(node)) open.push(child);
  }
  return names;
}

const isFresh = (value: unknown): boolean =>
  isNode(value) &&
  (value.type === 'ArrayExpression' ||
    (value.type === 'NewExpression' && isNode(value.callee) && ['Array', 'Map', 'Set'].includes(nameOf(value.callee))));

function namesWithin(body: unknown): readonly string[] {
  const names: string[] = [];
  const open = isNode(body) ? [body] : [];
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    if (/^(?:Variable|Function|Class)Declaration$/.test(node.type)) names.push(...declaredNames(node));
    if (node.type === 'CatchClause') names.push(...boundNames(node.param));
    if (!FUNCTIONS.has(node.type)) for (const child of childrenOf(node)) open.push(child);
  }
  return names;
}
