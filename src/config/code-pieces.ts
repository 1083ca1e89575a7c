// Takes a module apart into its top-level statements: what each declares, mentions and does, and the module's imports and exports.
import { createHash } from 'node:crypto';
import type { SourceLocation } from '../domain/calibration.ts';
import { declaredFunctions, type Effects, effectsOf, effectsOfFunction } from './code-effects.ts';
import { childrenOf, declaredNames, FUNCTIONS, isNode, type Node, nameOf, nodesOf, parseModule, rootName, textOf } from './syntax-tree.ts';

export interface CodePiece {
  /** Names it declares at the top level; the default export declares DEFAULT. */
  readonly declares: readonly string[];
  /** Every name it uses, its own local ones among them: more than needed does no harm. */
  readonly mentions: ReadonlySet<string>;
  /** What running it does: where it changes what others see, it belongs to everything that loads the module. */
  readonly effects: Effects;
  /** It uses require, eval, or import() of what is no literal: what it reaches cannot be told. */
  readonly isOpaque: boolean;
  /** Specifiers in `import('x')` and `new URL('./x', import.meta.url)`: they count whole. */
  readonly assets: readonly string[];
  /** Of its syntax tree: blind to comments, white space and types. */
  readonly digest: string;
}

/** `name`: `default`, `*` for the whole module, else the exported name. */
export interface Binding {
  readonly from: string;
  readonly name: string;
}

export interface CodeModule {
  /** In source order. */
  readonly pieces: readonly CodePiece[];
  readonly declaredBy: ReadonlyMap<string, readonly CodePiece[]>;
  /** What a call of each of its functions does, by local name. */
  readonly functions: ReadonlyMap<string, Effects>;
  /** Local name -> what it stands for. */
  readonly imports: ReadonlyMap<string, Binding>;
  /** Every specifier it loads, in order. */
  readonly loads: readonly string[];
  /** Those it loads for their effects only: `import 'x'`. */
  readonly loadsForEffects: readonly string[];
  /** Exported name -> its local name, or what it passes on. */
  readonly exports: ReadonlyMap<string, string | Binding>;
  /** `export * from`. */
  readonly passesOn: readonly string[];
  /** What defines a calibration: the call or statement at this place; null = it is not at the top level of this module. */
  definitionAt(location: SourceLocation): Definition | null;
}

/** The call that defines a calibration, without the options that the fingerprint compares one by one; or a call that leads to it, whole. */
export interface Definition {
  /** The statement it stands for; null when it is only a part of one. */
  readonly statement: CodePiece | null;
  readonly whole: CodePiece;
  /** Without the algorithms; null = they cannot be told apart. */
  readonly collectors: CodePiece | null;
}

/** The local name of the default export. */
export const DEFAULT = '*default*';

/** Their name and options are in the fingerprint. */
const STRATEGIES: ReadonlySet<string> = new Set(['singleIov', 'simpleRunByRun', 'sequentialRunByRun', 'sequentialBoundaries']);
/** Functions that only make values, however the framework is imported. */
const OF_FRAMEWORK: ReadonlySet<string> = new Set(['defineCalibration', 'defineConfig', 'definePayload', ...STRATEGIES]);

/** Options whose values are in the fingerprint (plan/fingerprint.ts), or do not influence results. */
const DATA_OF_CALIBRATION = [
  'name',
  'dependsOn',
  'maxIterations',
  'onMaxIterations',
  'ignoredRuns',
  'databases',
  'backend',
  'quorum',
  'savePayloads',
];
const DATA_OF_COLLECTION = ['files', 'outputs', 'split', 'granularity', 'resources', 'retries', 'env', 'setup', 'container', 'site'];
/** What a factory is given to depend on: the names of all ancestors are in the fingerprint, too, and these are done again by themselves. */
const DATA_OF_FACTORY = ['dependsOn'];
const DATA_OF_ALGORITHM = ['executionTimeLimit', 'env', 'resources', 'site'];

/** Throws a SyntaxError for what is no module, and an Error for TypeScript that Node itself could not load. */
export function readPieces(path: string, source: string): CodeModule {
  const program = parseModule(path, source);
  const imports = new Map<string, Binding>();
  const exports = new Map<string, string | Binding>();
  const loads: string[] = [];
  const loadsForEffects: string[] = [];
  const passesOn: string[] = [];
  const statements: { readonly node: Node; readonly declares: readonly string[] }[] = [];

  for (const statement of nodesOf(program.body)) {
    const from = textOf(statement.source);
    if (from !== null) loads.push(from);
    switch (statement.type) {
      case 'ImportDeclaration': {
        const specifiers = nodesOf(statement.specifiers);
        if (specifiers.length === 0 && from !== null) loadsForEffects.push(from);
        for (const specifier of specifiers) {
          const name = specifier.type === 'ImportNamespaceSpecifier' ? '*' : specifier.type === 'ImportDefaultSpecifier' ? 'default' : null;
          imports.set(nameOf(specifier.local), { from: from ?? '', name: name ?? nameOf(specifier.imported) });
        }
        break;
      }
      case 'ExportAllDeclaration':
        if (isNode(statement.exported)) exports.set(nameOf(statement.exported), { from: from ?? '', name: '*' });
        else passesOn.push(from ?? '');
        break;
      case 'ExportNamedDeclaration': {
        for (const specifier of nodesOf(statement.specifiers)) {
          const local = nameOf(specifier.local);
          exports.set(nameOf(specifier.exported), from === null ? local : { from, name: local });
        }
        if (isNode(statement.declaration)) {
          const declares = declaredNames(statement.declaration);
          for (const name of declares) exports.set(name, name);
          statements.push({ node: statement.declaration, declares });
        }
        break;
      }
      case 'ExportDefaultDeclaration': {
        exports.set('default', DEFAULT);
        const declaration = isNode(statement.declaration) ? statement.declaration : statement;
        statements.push({ node: declaration, declares: [DEFAULT, ...declaredNames(declaration)] });
        break;
      }
      default:
        statements.push({ node: statement, declares: declaredNames(statement) });
    }
  }

  const declared = new Set(statements.flatMap(({ declares }) => declares));
  const isOwn = (name: string) => {
    const binding = imports.get(name);
    return declared.has(name) || (binding !== undefined && isLocal(binding.from) && !OF_FRAMEWORK.has(binding.name));
  };
  const isStrategy = (node: unknown) => {
    const binding = isNode(node) && node.type === 'CallExpression' ? imports.get(nameOf(node.callee)) : undefined;
    return binding !== undefined && !isLocal(binding.from) && STRATEGIES.has(binding.name);
  };
  const pieces = statements.map(({ node, declares }) => readPiece(node, declares, isOwn));
  const declaredBy = Map.groupBy(
    pieces.flatMap((piece) => piece.declares.map((name) => ({ name, piece }))),
    ({ name }) => name,
  );
  return {
    pieces,
    functions: new Map(
      statements.flatMap(({ node }) => declaredFunctions(node).map(([name, body]) => [name, effectsOfFunction(body, isOwn)] as const)),
    ),
    declaredBy: new Map([...declaredBy].map(([name, list]) => [name, list.map(({ piece }) => piece)])),
    imports,
    loads,
    loadsForEffects,
    exports,
    passesOn,
    definitionAt(location) {
      const offset = offsetOf(source, location);
      const index = statements.findIndex(({ node }) => node.start <= offset && offset < node.end);
      const [statement, piece] = [statements[index], pieces[index]];
      const place = statement === undefined ? null : topLevelCallAt(statement.node, offset);
      if (statement === undefined || piece === undefined || place === null) return null;
      const { call, isListed } = place;
      // What is awaited at the top level goes on at the await, which is no call: the whole statement counts.
      if (call === null) return { statement: null, whole: piece, collectors: null };
      const callee = call.callee as Node;
      const name = nameOf(callee.type === 'MemberExpression' ? callee.property : callee);
      const isDefinition = (imports.get(name)?.name ?? name) === 'defineCalibration';
      const blanks = isDefinition ? blanksOf(call, isStrategy) : null;
      const data = blanks?.data ?? new Set(nodesOf(call.arguments).flatMap((options) => membersOf(options, DATA_OF_FACTORY)));
      const node = isListed ? call : statement.node;
      const declares = isListed ? [] : statement.declares;
      return {
        statement: isListed ? null : piece,
        whole: readPiece(node, declares, isOwn, data),
        collectors: blanks === null ? null : readPiece(node, declares, isOwn, new Set([...blanks.data, ...blanks.algorithms])),
      };
    },
  };
}

const isLocal = (specifier: string): boolean => /^(?:\.{1,2}\/|\/|file:|#)/.test(specifier);

// ------------------------------------------------------------------------------------------------------------ one piece

const DECLARATIONS = new Set(['FunctionDeclaration', 'ClassDeclaration', 'VariableDeclaration', 'EmptyStatement']);
const ACTS: Effects = { acts: true, calls: [] };
const POSITIONS = new Set(['type', 'start', 'end', 'raw']);
/** Nodes in `blanks` count as not there. */
function readPiece(
  root: Node,
  declares: readonly string[],
  isOwn: (name: string) => boolean,
  blanks: ReadonlySet<unknown> = new Set(),
): CodePiece {
  const hash = createHash('sha256');
  const mentions = new Set<string>();
  const assets: string[] = [];
  const isExpression = root.type.endsWith('Expression') || root.type === 'Identifier' || root.type === 'Literal';
  const isStatement = !DECLARATIONS.has(root.type) && !isExpression;
  let isOpaque = false;

  // A stack of its own: a long sum of strings is a deep tree.
  const stack: (Node | string)[] = [root];
  for (let item = stack.pop(); item !== undefined; item = stack.pop()) {
    if (typeof item === 'string') {
      hash.update(item);
      continue;
    }
    const node = item;
    if (blanks.has(node)) continue;
    if (node.type === 'Identifier') mentions.add(nameOf(node));
    if (isOpaqueNode(node)) isOpaque = true;
    const asset = assetOf(node);
    if (asset !== null) assets.push(asset);

    const parts: (Node | string)[] = [`(${node.type}`];
    for (const key of Object.keys(node).sort()) {
      if (POSITIONS.has(key)) continue;
      const value = node[key];
      if (isNode(value)) {
        parts.push(` ${key}:`, isPlainName(node, key) ? `name ${JSON.stringify(nameOf(value))}` : value);
      } else if (Array.isArray(value)) {
        parts.push(` ${key}:[`);
        for (const member of value) parts.push(isNode(member) ? member : `${JSON.stringify(member)},`);
        parts.push(']');
      } else {
        parts.push(` ${key}=${typeof value === 'bigint' ? `${value}n` : (JSON.stringify(value) ?? '')}`);
      }
    }
    parts.push(')');
    // One by one: a table of 200,000 numbers is more than a call takes arguments.
    for (const part of parts.reverse()) stack.push(part);
  }
  const effects = isStatement ? ACTS : effectsOf(root, isOwn);
  return { declares, mentions, effects, isOpaque, assets, digest: hash.digest('hex') };
}

/** Names of members and labels: not names of the module. */
const isPlainName = (parent: Node, key: string): boolean =>
  (key === 'property' &&
    parent.type === 'MemberExpression' &&
    parent.computed === false &&
    (parent.property as Node).type === 'Identifier') ||
  (key === 'key' && parent.computed === false && parent.shorthand !== true && (parent.key as Node).type === 'Identifier') ||
  key === 'label' ||
  parent.type === 'MetaProperty';

const isOpaqueNode = (node: Node): boolean => {
  switch (node.type) {
    case 'Identifier':
      return ['eval', 'require', 'createRequire'].includes(nameOf(node));
    case 'ImportExpression':
      return textOf(node.source) === null;
    case 'CallExpression':
    case 'NewExpression':
      return rootName(node.callee) === 'Function';
    default:
      return false;
  }
};

function assetOf(node: Node): string | null {
  if (node.type === 'ImportExpression') return textOf(node.source);
  if (node.type !== 'NewExpression' || rootName(node.callee) !== 'URL') return null;
  const text = textOf(nodesOf(node.arguments)[0]);
  return text !== null && /^\.{1,2}\//.test(text) ? text : null;
}

// ------------------------------------------------------------------------------------------------------- one definition

/** What ends a line in JavaScript, also within a comment: text that was copied from elsewhere may hold the last two. */
const LINE_END = /\r\n|[\n\r\u2028\u2029]/g;

/** From line and column as V8 counts them, both from 1. */
function offsetOf(source: string, { line, column }: SourceLocation): number {
  let start = 0;
  for (let passed = 1; passed < line; passed++) {
    LINE_END.lastIndex = start;
    if (!LINE_END.test(source)) return source.length;
    start = LINE_END.lastIndex;
  }
  return start + column - 1;
}

interface CallPlace {
  /** Null: no call is made exactly there, but it is at the top level. */
  readonly call: Node | null;
  /** It is a member of a list of calibrations: of that statement only the call counts. */
  readonly isListed: boolean;
}

/** What only passes a value on. */
const LISTS: ReadonlySet<string> = new Set([
  'ArrayExpression',
  'ObjectExpression',
  'Property',
  'VariableDeclaration',
  'VariableDeclarator',
]);

/** The innermost call that is made at `offset`; null where it is made within a function: then what leads to it is not known. */
function topLevelCallAt(root: Node, offset: number): CallPlace | null {
  const path: Node[] = [];
  let found: CallPlace = { call: null, isListed: false };
  let node: Node | undefined = root;
  while (node !== undefined) {
    if (FUNCTIONS.has(node.type)) return null;
    const callee = node.callee;
    if (node.type === 'CallExpression' && isNode(callee) && callee.start <= offset && offset < callee.end) {
      const onlyLists = path.every((above) => LISTS.has(above.type) || nameOf(above.callee) === 'defineConfig');
      const isListed = onlyLists && path.some((above) => above.type === 'ArrayExpression');
      found = { call: node, isListed };
    }
    path.push(node);
    node = childrenOf(node).find((child) => child.start <= offset && offset < child.end);
  }
  return found;
}

interface Blanks {
  readonly data: ReadonlySet<unknown>;
  readonly algorithms: ReadonlySet<unknown>;
}

/** Null where the argument is not written out as one object. Whole properties: whether an option is given does not count either. */
function blanksOf(call: Node, isStrategy: (node: unknown) => boolean): Blanks | null {
  const [options, ...others] = nodesOf(call.arguments);
  if (options?.type !== 'ObjectExpression' || others.length > 0) return null;
  const algorithms = membersOf(options, ['algorithms']);
  const collections = membersOf(options, ['collections']).flatMap(({ value }) => (isNode(value) ? nodesOf(value.properties) : []));
  const data = [
    ...membersOf(options, DATA_OF_CALIBRATION),
    ...collections.flatMap(({ value }) => membersOf(value, DATA_OF_COLLECTION)),
    ...algorithms
      .flatMap(({ value }) => (isNode(value) ? nodesOf(value.elements) : []))
      .flatMap((one) => [...membersOf(one, DATA_OF_ALGORITHM), ...membersOf(one, ['strategy']).filter(({ value }) => isStrategy(value))]),
  ];
  return { data: new Set(data), algorithms: new Set(algorithms) };
}

const membersOf = (object: unknown, names: readonly string[]): readonly Node[] =>
  isNode(object) && object.type === 'ObjectExpression'
    ? nodesOf(object.properties).filter(
        ({ type, computed, key }) => type === 'Property' && computed === false && names.includes(nameOf(key)),
      )
    : [];
