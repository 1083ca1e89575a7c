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

/** `isOwn`: names of the module, declared in it or imported from local files. */
export function effectsOf(root: Node, isOwn: (name: string) => boolean): Effects {
  const found = { acts: false, calls: new Set<string>() };
  evaluate([root], new Set(), isOwn, found);
  return { acts: found.acts, calls: [...found.calls] };
}

/** What a call of the function does. */
export function effectsOfFunction(node: Node, isOwn: (name: string) => boolean): Effects {
  const found = { acts: false, calls: new Set<string>() };
  call(node, new Set(), isOwn, found);
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

interface Found {
  acts: boolean;
  readonly calls: Set<string>;
}

/** Evaluates as the engine would, but for the bodies of functions that are only made. `locals`: names of the functions being called. */
function evaluate(roots: readonly Node[], locals: ReadonlySet<string>, isOwn: (name: string) => boolean, found: Found): void {
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

function changes(node: Node, locals: ReadonlySet<string>): boolean {
  switch (node.type) {
    case 'AssignmentExpression':
    case 'UpdateExpression': {
      const target = node.left ?? node.argument;
      const names = boundNames(target);
      return names.length === 0 || !names.every((name) => locals.has(name));
    }
    case 'StaticBlock':
      return true;
    case 'UnaryExpression':
      return node.operator === 'delete';
    default:
      return false;
  }
}

function judgeCall(node: Node, callee: Node, locals: ReadonlySet<string>, isOwn: (name: string) => boolean, found: Found): void {
  if (FUNCTIONS.has(callee.type)) return;
  if (callee.type === 'MemberExpression' && callee.computed === false) {
    const quiet = QUIET_METHODS.get(nameOf(callee.property));
    if (quiet === 'takes')
      for (const argument of nodesOf(node.arguments))
        if (argument.type === 'Identifier') callByName(nameOf(argument), locals, isOwn, found);
    if (quiet !== undefined) return;
  }
  if (callee.type === 'Identifier' && node.type === 'CallExpression') {
    callByName(nameOf(callee), locals, isOwn, found);
    return;
  }
  const root = rootName(callee);
  if (root === null || locals.has(root) || isOwn(root) || CHANGES_ARGUMENTS.has(root)) found.acts = true;
}

function callByName(name: string, locals: ReadonlySet<string>, isOwn: (name: string) => boolean, found: Found): void {
  // What a parameter or local variable holds is not followed.
  if (locals.has(name) || CHANGES_ARGUMENTS.has(name)) found.acts = true;
  else if (isOwn(name)) found.calls.add(name);
}

function call(node: Node, outer: ReadonlySet<string>, isOwn: (name: string) => boolean, found: Found): void {
  const parts = [...nodesOf(node.params), ...(isNode(node.body) ? [node.body] : [])];
  evaluate(parts, new Set([...outer, ...nodesOf(node.params).flatMap(boundNames), ...namesWithin(node.body)]), isOwn, found);
}

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
