// Which edits change the code digest of a calibration, with real modules on disk.
import { createHash } from 'node:crypto';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type CodeDigest, type CodeOf, createCodeReader } from '../../src/config/code-digest.ts';
import type { Fingerprint } from '../../src/domain/journal.ts';

let root: string;
beforeEach(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), 'caf-')));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const write = (files: Readonly<Record<string, string>>) => {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
};

/** The calibration whose definition is the `nth` call of `call` in `file`, as V8 would tell its place. */
const calibrationIn = (file: string, nth = 0, call = 'defineCalibration('): CodeOf => {
  const text = readFileSync(join(root, file), 'utf8');
  let offset = text.indexOf(call, text.indexOf('\n\n') + 1);
  for (let passed = 0; passed < nth; passed++) offset = text.indexOf(call, offset + 1);
  if (offset < 0) throw new Error(`${file} has no ${call}`);
  const before = text.slice(0, offset).split('\n');
  const source = { file: join(root, file), line: before.length, column: before.at(-1)!.length + 1 };
  return { name: 'gain', source, collections: [], algorithms: [] };
};

const modulesOf = (files: Readonly<Record<string, string>>) =>
  Object.keys(files)
    .filter((path) => /\.[cm]?[jt]s$/.test(path) && !path.includes('node_modules'))
    .map((path) => join(root, path));

const digestsOf = (files: Readonly<Record<string, string>>, find: () => CodeOf): CodeDigest => {
  write(files);
  return createCodeReader({ configPath: join(root, 'caf.config.ts'), modules: modulesOf(files) }).of(find());
};

type Effect = 'nothing' | 'algorithms' | 'all';

const effectOf = (before: CodeDigest, after: CodeDigest): Effect =>
  before.collectors !== after.collectors ? 'all' : before.algorithms !== after.algorithms ? 'algorithms' : 'nothing';

const replaceOnce = (text: string, from: string, to: string): string => {
  expect(text.split(from).length).toBe(2);
  return text.replace(from, () => to);
};

/** What the edit of one file redoes of the calibration. */
const sha256Of = (path: string): string => createHash('sha256').update(readFileSync(path)).digest('hex');

const edit = (
  files: Readonly<Record<string, string>>,
  path: string,
  from: string,
  to: string,
  find = () => calibrationIn('caf.config.ts'),
) => {
  const before = digestsOf(files, find);
  const after = digestsOf({ ...files, [path]: replaceOnce(files[path]!, from, to) }, find);
  return effectOf(before, after);
};

const campaign = {
  'caf.config.ts': `import { defineCalibration, defineConfig, definePayload, sequentialRunByRun } from 'calibration-framework';
import { fit, type FitOptions } from './lib/fit.ts';
import { read as readFile } from './lib/read.ts';
import * as tables from './lib/tables.ts';
import './lib/setup.ts';

const inputs = ['data/a.csv'];
const threshold = 5;
const neighbourOnly = 7;
export const Pedestals = definePayload('Pedestals', null);
const collectGain = async ({ files, record }: { files: string[]; record: any }) => {
  for (const file of files) if (readFile(file) > threshold) record([1, 1], 'adc', 1);
};

export const gain = defineCalibration({
  name: 'gain',
  maxIterations: 5,
  collections: { random: { files: inputs, runs: /e(?<experiment>\\d+)/, collect: collectGain, retries: 2 } },
  algorithms: [
    {
      name: 'means',
      strategy: sequentialRunByRun({ stepSize: 1 }),
      executionTimeLimit: '1 h',
      run: ({ commit }) => { commit(Pedestals, fit({ order: 2 } as FitOptions)); return 'ok'; },
    },
  ],
});

export const neighbour = defineCalibration({
  name: 'neighbour',
  dependsOn: [gain],
  collections: {},
  algorithms: [{ name: 'x', run: () => tables.look(neighbourOnly) }],
});

export default defineConfig({ calibrations: [gain, neighbour] });
`,
  'lib/fit.ts': `import { solve } from './solve.ts';
export interface FitOptions { order: number }
export const fit = (options: FitOptions) => solve(options.order) + offset;
const offset = 1;
export const unrelated = () => 1;
`,
  'lib/solve.ts': `export function solve(order: number) { return order * 2; }
export function other() { return 3; }
`,
  'lib/read.ts': `export { readAll as read } from './read-all.ts';
`,
  'lib/read-all.ts': `export const readAll = (file: string) => file.length;
`,
  'lib/tables.ts': `export const look = (n: number) => n;
`,
  'lib/setup.ts': `globalThis.scale = 2;
const unused = 1;
`,
};

describe('an edit of', () => {
  test.each<{ what: string; path: keyof typeof campaign; from: string; to: string; redoes: Effect }>([
    { what: 'the neighbour', path: 'caf.config.ts', from: 'tables.look(neighbourOnly)', to: 'tables.look(1)', redoes: 'nothing' },
    { what: 'what only the neighbour uses', path: 'caf.config.ts', from: 'neighbourOnly = 7', to: 'neighbourOnly = 8', redoes: 'nothing' },
    { what: 'what only the neighbour imports', path: 'lib/tables.ts', from: '=> n', to: '=> n + 1', redoes: 'nothing' },
    { what: 'the list of calibrations', path: 'caf.config.ts', from: '[gain, neighbour]', to: '[gain]', redoes: 'nothing' },
    { what: 'my algorithm', path: 'caf.config.ts', from: 'order: 2', to: 'order: 3', redoes: 'algorithms' },
    {
      what: 'the options of a strategy, which are compared one by one,',
      path: 'caf.config.ts',
      from: 'stepSize: 1',
      to: 'stepSize: 2',
      redoes: 'nothing',
    },
    { what: 'a helper of my algorithm', path: 'lib/fit.ts', from: 'offset = 1', to: 'offset = 2', redoes: 'algorithms' },
    { what: 'a helper of the helper', path: 'lib/solve.ts', from: 'order * 2', to: 'order * 3', redoes: 'algorithms' },
    { what: 'another export of a file I use', path: 'lib/fit.ts', from: '() => 1', to: '() => 2', redoes: 'nothing' },
    { what: 'another export of a helper', path: 'lib/solve.ts', from: 'return 3', to: 'return 4', redoes: 'nothing' },
    { what: 'my collector', path: 'caf.config.ts', from: "'adc', 1", to: "'adc', 2", redoes: 'all' },
    { what: 'a constant of my collector', path: 'caf.config.ts', from: 'threshold = 5', to: 'threshold = 6', redoes: 'all' },
    { what: 'a helper behind a re-export', path: 'lib/read-all.ts', from: 'file.length', to: 'file.length + 1', redoes: 'all' },
    {
      what: 'a payload I commit',
      path: 'caf.config.ts',
      from: "definePayload('Pedestals', null)",
      to: "definePayload('Pedestals', {})",
      redoes: 'algorithms',
    },
    { what: 'how files tell their runs', path: 'caf.config.ts', from: '/e(?<experiment>', to: '/x(?<experiment>', redoes: 'all' },
    {
      what: 'maxIterations, which is compared as an option',
      path: 'caf.config.ts',
      from: 'maxIterations: 5',
      to: 'maxIterations: 7',
      redoes: 'nothing',
    },
    { what: 'an option that is left out now', path: 'caf.config.ts', from: '  maxIterations: 5,\n', to: '', redoes: 'nothing' },
    {
      what: 'the list of inputs, which is compared as files',
      path: 'caf.config.ts',
      from: "['data/a.csv']",
      to: "['data/b.csv']",
      redoes: 'nothing',
    },
    { what: 'retries', path: 'caf.config.ts', from: 'retries: 2', to: 'retries: 0', redoes: 'nothing' },
    { what: 'a time limit', path: 'caf.config.ts', from: "'1 h'", to: "'2 h'", redoes: 'nothing' },
    { what: 'a side effect of a loaded module', path: 'lib/setup.ts', from: 'scale = 2', to: 'scale = 3', redoes: 'all' },
    { what: 'an unused constant of a loaded module', path: 'lib/setup.ts', from: 'unused = 1', to: 'unused = 2', redoes: 'nothing' },
    { what: 'a type', path: 'lib/fit.ts', from: 'order: number }', to: 'order: 1 | 2 }', redoes: 'nothing' },
    {
      what: 'white space',
      path: 'lib/fit.ts',
      from: 'solve(options.order) + offset;',
      to: 'solve(\n    options.order,\n  ) + offset',
      redoes: 'nothing',
    },
    { what: 'a comment', path: 'caf.config.ts', from: 'threshold = 5;', to: 'threshold = 5; // counts', redoes: 'nothing' },
  ])('$what redoes $redoes', ({ path, from, to, redoes }) => {
    expect(edit(campaign, path, from, to)).toBe(redoes);
  });

  test('a line break that changes the meaning redoes the algorithms', () => {
    expect(
      edit({ ...campaign, 'lib/solve.ts': 'export function solve(o) { return o * 2; }\n' }, 'lib/solve.ts', 'return o', 'return\no'),
    ).toBe('algorithms');
  });

  test('two imports that are exchanged redoes what uses them', () => {
    const files = {
      'caf.config.ts': `import { defineCalibration } from 'calibration-framework';
import { a as low, b as high } from './cuts.ts';

export const gain = defineCalibration({ name: 'gain', collections: {}, algorithms: [{ name: 'x', run: () => low(1) - high(2) }] });
`,
      'cuts.ts': 'export const a = (n: number) => n;\nexport const b = (n: number) => n * 2;\n',
    };
    expect(edit(files, 'caf.config.ts', 'a as low, b as high', 'b as low, a as high')).toBe('algorithms');
  });
});

describe('calibrations defined in a list', () => {
  const list = (before: string, after: string) => ({
    'caf.config.ts': `import { defineCalibration, defineConfig } from 'calibration-framework';
import { register } from './register.ts';

${before}[
  defineCalibration({ name: 'a', maxIterations: 7, collections: {}, algorithms: [{ name: 'x', run: () => 1 }] }),
  defineCalibration({ name: 'b', collections: {}, algorithms: [{ name: 'x', run: () => 2 }] }),
]${after};
`,
    'register.ts': 'export const register = (list) => list;\n',
  });

  test.each([
    { before: 'export default defineConfig({ calibrations: ', after: ' })' },
    { before: 'const config = defineConfig({ calibrations: ', after: ' });\nexport default config' },
    { before: 'export const calibrations = ', after: '' },
  ])('$before... are compared one by one', ({ before, after }) => {
    const files = list(before, after);
    const second = () => calibrationIn('caf.config.ts', 1);
    expect(edit(files, 'caf.config.ts', '() => 1', '() => 3', second)).toBe('nothing');
    expect(edit(files, 'caf.config.ts', '() => 2', '() => 3', second)).toBe('algorithms');
    expect(edit(files, 'caf.config.ts', 'maxIterations: 7', 'maxIterations: 8')).toBe('nothing');
  });

  test('that is given to a function of the user are compared together', () => {
    const second = () => calibrationIn('caf.config.ts', 1);
    expect(edit(list('export const all = register(', ')'), 'caf.config.ts', '() => 1', '() => 3', second)).toBe('all');
  });
});

describe('side effects in declarations', () => {
  const files = (declaration: string) => ({
    'caf.config.ts': `import { defineCalibration } from 'calibration-framework';
import { table, add, pure, through, given } from './table.ts';
import * as z from 'zod';

${declaration}
export const gain = defineCalibration({ name: 'gain', collections: {}, algorithms: [{ name: 'x', run: () => table.length }] });
`,
    'table.ts': `export const table = [];
export const add = (n) => table.push(n);
export const pure = ({ n }) => n + 1;
export const through = (n) => add(n);
export function given(n, act) { return act(n); }
`,
  });

  test.each<{ declaration: string; redoes: Effect }>([
    { declaration: 'export const size = add(41);', redoes: 'all' },
    { declaration: 'export const size = (table.x = 41);', redoes: 'all' },
    { declaration: 'if (table.length === 0) add(41);', redoes: 'all' },
    { declaration: 'export const all = Object.assign(table, [41]);', redoes: 'all' },
    { declaration: 'export class Table { static size = add(41); }', redoes: 'all' },
    { declaration: 'export const size = z.number().max(41);', redoes: 'nothing' },
    { declaration: 'export const size = () => add(41);', redoes: 'nothing' },
    // Functions of the user's own are looked into, wherever they come from: factories of neighbours change nothing.
    { declaration: 'const make = (n) => ({ n, run: () => add(n) });\nexport const size = make(41);', redoes: 'nothing' },
    { declaration: 'export const size = pure({ n: 41 });', redoes: 'nothing' },
    { declaration: 'export const sizes = [41].map((n) => pure({ n }));', redoes: 'nothing' },
    { declaration: 'export const sizes = [41].map(pure);', redoes: 'nothing' },
    { declaration: 'export const sizes = [41].map((n) => add(n));', redoes: 'all' },
    { declaration: 'export const sizes = [41].map(add);', redoes: 'all' },
    { declaration: 'export const size = (() => add(41))();', redoes: 'all' },
    { declaration: 'export const size = through(41);', redoes: 'all' },
    { declaration: 'export const size = given(41, add);', redoes: 'all' },
    { declaration: 'let count = 0;\nconst bump = (n) => { count += n; };\nexport const size = bump(41);', redoes: 'all' },
    { declaration: 'const sum = (n) => { let total = 0; total += n; return total; };\nexport const size = sum(41);', redoes: 'nothing' },
    { declaration: 'const fill = () => { let last; [last, table.x] = [1, 41]; };\nexport const size = fill();', redoes: 'all' },
    { declaration: 'const fill = () => { for (table.x of [41]); };\nexport const size = fill();', redoes: 'all' },
    { declaration: 'const tools = { put: (n) => { table.x = n; } };\nexport const sizes = [41].map(tools.put);', redoes: 'all' },
    { declaration: 'const put = () => (n) => { table.x = n; };\nexport const sizes = [41].map(put());', redoes: 'all' },
    { declaration: 'export const size = Array.prototype.push.call(table, 41);', redoes: 'all' },
    { declaration: 'const list = () => { const all = []; all.push(41); return all; };\nexport const size = list();', redoes: 'nothing' },
    { declaration: 'const list = () => { const all = table; all.push(41); return all; };\nexport const size = list();', redoes: 'all' },
    { declaration: 'const list = () => { const all = [add(41)]; all.push(1); return all; };\nexport const size = list();', redoes: 'all' },
    {
      declaration: 'const f = (n) => (n > 0 ? g(n - 1) : add(n));\nconst g = (n) => f(n);\nexport const size = g(41);',
      redoes: 'all',
    },
  ])('$declaration: editing it redoes $redoes', ({ declaration, redoes }) => {
    expect(edit(files(declaration), 'caf.config.ts', '41', '42')).toBe(redoes);
  });
});

test('a table of 200,000 numbers is read', () => {
  const table = `import { defineCalibration } from 'calibration-framework';

const table = [${'1,'.repeat(200_000)} 41];
export const gain = defineCalibration({ name: 'gain', collections: {}, algorithms: [{ name: 'x', run: () => table[0] }] });
`;
  expect(edit({ 'caf.config.ts': table }, 'caf.config.ts', '41', '42')).toBe('algorithms');
});

describe('a default config that changes its calibrations', () => {
  const files = (line: string, calibrations: string) => ({
    'caf.config.ts': `import { defineCalibration, defineConfig } from 'calibration-framework';

const gain = defineCalibration({ name: 'gain', collections: {}, algorithms: [{ name: 'x', run: () => 1 }] });
${line}
export default defineConfig({ backend: { kind: 'local', slots: 31 }, calibrations: ${calibrations} });
`,
  });

  test.each([
    { line: '', calibrations: '[Object.assign(gain, { algorithms: [41] })]' },
    { line: '', calibrations: '[gain].map((one) => { one.algorithms.push(41); return one; })' },
    { line: 'const tuned = (one) => { one.algorithms = [41]; return one; };', calibrations: '[tuned(gain)]' },
    { line: 'const tuned = (one) => { one.algorithms = [41]; return one; };', calibrations: '[gain].map(tuned)' },
  ])('counts with $line $calibrations', ({ line, calibrations }) => {
    expect(edit(files(line, calibrations), 'caf.config.ts', '41', '42')).toBe('all');
  });

  test('does not count when it only lists them, also through a function that makes the list', () => {
    const make = 'const make = () => { const all = []; for (const one of [gain]) all.push(one); return all; };';
    expect(edit(files(make, 'make()'), 'caf.config.ts', '31', '32')).toBe('nothing');
  });
});

test('lines count as V8 counts them, where text was copied from elsewhere', () => {
  const files = {
    'caf.config.ts': `import { defineCalibration } from 'calibration-framework';
// From the manual:\u2028// windows of two deviations.

export const a = defineCalibration({ name: 'a', collections: {}, algorithms: [{ name: 'x', run: () => 1 }] });
export const gain = defineCalibration({ name: 'gain', collections: {}, algorithms: [{ name: 'x', run: () => 41 }] });
`,
  };
  const find = () => {
    const { source, ...gain } = calibrationIn('caf.config.ts', 1);
    return { ...gain, source: { ...source!, line: source!.line + 1 } };
  };
  expect(edit(files, 'caf.config.ts', '41', '42', find)).toBe('algorithms');
});

describe('a calibration in a file of its own', () => {
  const files = {
    'caf.config.ts': `import { defineConfig } from 'calibration-framework';
import { gain } from './gain.ts';
import { scale } from './scale.ts';

scale.factor = 41;
const unused = 51;
export default defineConfig({ calibrations: [gain] });
`,
    'gain.ts': `import { defineCalibration } from 'calibration-framework';
import { scale } from './scale.ts';

export const gain = defineCalibration({ name: 'gain', collections: {}, algorithms: [{ name: 'x', run: () => scale.factor + 61 }] });
`,
    'scale.ts': 'export const scale = { factor: 1 };\n',
  };
  const find = () => calibrationIn('gain.ts');

  test('depends on what the config does when it is loaded, and on nothing else in it', () => {
    expect(edit(files, 'caf.config.ts', '41', '42', find)).toBe('all');
    expect(edit(files, 'caf.config.ts', '51', '52', find)).toBe('nothing');
    expect(edit(files, 'gain.ts', '61', '62', find)).toBe('algorithms');
  });

  test('names its own files first', () => {
    expect(Object.keys(digestsOf(files, find).files)[0]).toBe(join(root, 'gain.ts'));
  });
});

describe('where it cannot be told, everything counts', () => {
  const files = (
    line: string,
    define = "export const gain = defineCalibration({ name: 'gain', collections: {}, algorithms: [{ name: 'x', run: act }] });",
  ) => ({
    'caf.config.ts': `import { defineCalibration } from 'calibration-framework';
import { unrelated } from './far.ts';

${line}
${define}
export const other = unrelated;
`,
    'far.ts': 'export const unrelated = () => 41;\n',
    'late.ts': 'export const late = () => 51;\n',
  });

  test.each([
    { what: 'import()', line: 'const act = async (name) => (await import(name)).default;' },
    { what: 'eval', line: 'const act = (text) => eval(text);' },
    { what: 'a function made of text', line: "const act = new Function('return 1');" },
    { what: 'require', line: 'const act = () => require("./late.ts");' },
  ])('with $what', ({ line }) => {
    expect(edit(files(line), 'far.ts', '41', '42')).toBe('algorithms');
    expect(edit(files(line), 'late.ts', '51', '52')).toBe('algorithms');
  });

  test('but not with the same names where nothing of it is used', () => {
    expect(edit(files('const act = () => 1; const elsewhere = (text) => eval(text);'), 'far.ts', '41', '42')).toBe('nothing');
  });

  test('with a calibration made by a function: its arguments come from anywhere', () => {
    const made = files(
      'const act = () => 1;',
      "const make = (run) => defineCalibration({ name: 'gain', collections: {}, algorithms: [{ name: 'x', run }] });\nexport const gain = make(unrelated);",
    );
    expect(edit(made, 'far.ts', '41', '42')).toBe('all');
  });

  test('without a place of definition', () => {
    const find = () => ({ name: 'gain', source: null, collections: [], algorithms: [] });
    expect(edit(files('const act = () => 1;'), 'far.ts', '41', '42', find)).toBe('all');
  });

  test('with a module that is none', () => {
    const broken = { ...files('const act = () => unrelated();'), 'far.ts': 'export const unrelated = 1; enum Kind { A }\n' };
    expect(edit(broken, 'far.ts', 'A }', 'B }')).toBe('all');
    expect(edit(broken, 'late.ts', '51', '52')).toBe('all');
  });
});

describe('imports', () => {
  const files = (importLine: string, use: string, library: Readonly<Record<string, string>>) => ({
    'caf.config.ts': `import { defineCalibration } from 'calibration-framework';
${importLine}

export const gain = defineCalibration({ name: 'gain', collections: {}, algorithms: [{ name: 'x', run: () => ${use} }] });
`,
    ...library,
  });

  test.each<{ what: string; importLine: string; use: string; library: Record<string, string>; path: string; redoes: Effect }>([
    {
      what: 'a namespace takes the whole module',
      importLine: "import * as lib from './lib.ts';",
      use: 'lib.a()',
      library: { 'lib.ts': 'export const a = () => 1;\nexport const b = () => 41;\n' },
      path: 'lib.ts',
      redoes: 'algorithms',
    },
    {
      what: 'a default export is followed',
      importLine: "import lib from './lib.ts';",
      use: 'lib()',
      library: { 'lib.ts': 'const b = 41;\nexport default () => b;\n' },
      path: 'lib.ts',
      redoes: 'algorithms',
    },
    {
      what: 'beside a default export others do not count',
      importLine: "import lib from './lib.ts';",
      use: 'lib()',
      library: { 'lib.ts': 'export const b = 41;\nexport default function lib() { return 1; }\n' },
      path: 'lib.ts',
      redoes: 'nothing',
    },
    {
      what: 'export * is followed to the module that has it',
      importLine: "import { b } from './lib.ts';",
      use: 'b()',
      library: {
        'lib.ts': "export * from './x.ts';\nexport * from './y.ts';\n",
        'x.ts': 'export const a = 1;\n',
        'y.ts': 'export const b = () => 41;\n',
      },
      path: 'y.ts',
      redoes: 'algorithms',
    },
    {
      what: 'and not into the one beside it',
      importLine: "import { a } from './lib.ts';",
      use: 'a',
      library: {
        'lib.ts': "export * from './x.ts';\nexport * from './y.ts';\n",
        'x.ts': 'export const a = 1;\n',
        'y.ts': 'export const b = () => 41;\n',
      },
      path: 'y.ts',
      redoes: 'nothing',
    },
    {
      what: 'a namespace that is passed on',
      importLine: "import { y } from './lib.ts';",
      use: 'y.b()',
      library: { 'lib.ts': "export * as y from './y.ts';\n", 'y.ts': 'export const b = () => 41;\n' },
      path: 'y.ts',
      redoes: 'algorithms',
    },
    {
      what: 'an import that is exported again',
      importLine: "import { b } from './lib.ts';",
      use: 'b()',
      library: { 'lib.ts': "import { b } from './y.ts';\nexport { b };\n", 'y.ts': 'export const b = () => 41;\n' },
      path: 'y.ts',
      redoes: 'algorithms',
    },
    {
      what: 'modules that import each other end',
      importLine: "import { a } from './x.ts';",
      use: 'a()',
      library: {
        'x.ts': "import { b } from './y.ts';\nexport const a = () => b;\n",
        'y.ts': "import { a } from './x.ts';\nexport const b = () => a(41);\n",
      },
      path: 'y.ts',
      redoes: 'algorithms',
    },
    {
      what: 'a table in JSON',
      importLine: "import table from './table.json' with { type: 'json' };",
      use: 'table',
      library: { 'table.json': '[41]' },
      path: 'table.json',
      redoes: 'all',
    },
    {
      what: 'import() of a literal takes the whole module',
      importLine: '',
      use: "import('./late.ts')",
      library: { 'late.ts': 'export const a = 41;\n' },
      path: 'late.ts',
      redoes: 'algorithms',
    },
    {
      what: 'import() of a literal does not take what is beside it',
      importLine: "import './far.ts';",
      use: "import('solver')",
      library: { 'far.ts': 'export const a = 41;\n' },
      path: 'far.ts',
      redoes: 'nothing',
    },
    {
      what: 'a file named by URL',
      importLine: '',
      use: "new URL('./worker.py', import.meta.url)",
      library: { 'worker.py': 'print(41)' },
      path: 'worker.py',
      redoes: 'algorithms',
    },
    {
      what: 'a declaration hoisted out of a block',
      importLine: "import { b } from './lib.ts';",
      use: 'b()',
      library: { 'lib.ts': 'export const b = () => c;\nfor (const n of [41]) { var c = n; }\n' },
      path: 'lib.ts',
      redoes: 'all',
    },
    {
      what: 'destructured names',
      importLine: "import { c } from './lib.ts';",
      use: 'c',
      library: { 'lib.ts': 'export const { a, b: [, c = 41], ...rest } = { a: 1, b: [] };\n' },
      path: 'lib.ts',
      redoes: 'algorithms',
    },
  ])('$what', ({ importLine, use, library, path, redoes }) => {
    expect(edit(files(importLine, use, library), path, '41', '42')).toBe(redoes);
  });

  test('a package counts by its version where it is used, not by its files', () => {
    const library = {
      'node_modules/solver/package.json': '{ "name": "solver", "version": "1.0.0" }',
      'node_modules/solver/index.js': 'export const solve = 41;',
      'node_modules/@lab/io/package.json': '{ "name": "@lab/io", "version": "3.0.0" }',
    };
    const used = files("import { solve } from 'solver';\nimport { open } from '@lab/io/fast';", 'solve', library);
    expect(edit(used, 'node_modules/solver/package.json', '1.0.0', '1.0.1')).toBe('algorithms');
    expect(edit(used, 'node_modules/solver/index.js', '41', '42')).toBe('nothing');
    expect(edit(used, 'node_modules/@lab/io/package.json', '3.0.0', '4.0.0')).toBe('nothing');
  });

  test('a package that is linked from elsewhere counts by its files', () => {
    mkdirSync(join(root, 'node_modules'), { recursive: true });
    symlinkSync(join(root, 'packages/solver'), join(root, 'node_modules/solver'));
    const library = {
      'packages/solver/package.json': '{ "name": "solver", "version": "1.0.0", "type": "module", "main": "index.js" }',
      'packages/solver/index.js': 'export const solve = () => 41;\nexport const other = () => 51;\n',
    };
    const used = files("import { solve } from 'solver';", 'solve()', library);
    expect(edit(used, 'packages/solver/index.js', '41', '42')).toBe('algorithms');
    expect(edit(used, 'packages/solver/index.js', '51', '52')).toBe('nothing');
  });
});

describe('programs', () => {
  const command = (...argv: string[]) => ({ kind: 'command' as const, argv });
  const find = (collect: readonly string[], run: readonly string[]) => (): CodeOf => ({
    ...calibrationIn('caf.config.ts'),
    collections: [{ collect: command(...collect), container: null } as never],
    algorithms: [{ run: command(...run), setup: null, findBoundaries: null, container: null } as never],
  });
  const files = { ...campaign, 'collect.py': 'print(41)', 'fit.py': 'print(41)' };

  test('count by the files named in their arguments', () => {
    const programs = find(['python3', '{config}/collect.py'], ['python3', '--script={config}/fit.py', '{config}/absent.py', '{config}']);
    expect(edit(files, 'collect.py', '41', '42', programs)).toBe('all');
    expect(edit(files, 'fit.py', '41', '42', programs)).toBe('algorithms');
    expect(digestsOf(files, programs).files[join(root, 'fit.py')]).toMatch(/^[0-9a-f]{64}$/);
  });
});

describe('programs in lines of shell and images', () => {
  const command = (...argv: string[]) => ({ kind: 'command' as const, argv });
  const files = { ...campaign, 'tools/collect.py': 'print(41)' };
  const find =
    (argv: readonly string[], more: object = {}) =>
    (): CodeOf => ({
      ...calibrationIn('caf.config.ts'),
      collections: [{ collect: command(...argv), container: null, ...more } as never],
    });

  test.each([
    'python3 {config}/tools/collect.py "$@" | gzip > out.gz',
    'exec "{config}/tools/collect.py";',
    'MACRO={config}/tools/collect.py,fast root -b',
  ])('count by the files named in a line of shell: %s', (line) => {
    expect(edit(files, 'tools/collect.py', '41', '42', find(['sh', '-c', line]))).toBe('all');
  });

  test.each([
    'date >> {config}/tools/collect.py',
    'make 2>{config}/tools/collect.py',
    `make > "{config}/tools/collect.py"`,
    'date >> {config}/tools/collect.py; wc -l < {config}/tools/collect.py',
  ])('do not count by the files that they write: %s', (line) => {
    expect(edit(files, 'tools/collect.py', '41', '42', find(['sh', '-c', line]))).toBe('nothing');
  });

  test('within a line of shell count by files that have an extension or may be executed, not by notes and gates', () => {
    const line = 'while [ ! -e {config}/tools/open ]; do sleep 1; done; {config}/tools/fit';
    const own = { ...files, 'tools/open': 'no', 'tools/fit': '41' };
    const prepared = find(['sh', '-c', line]);
    expect(edit(own, 'tools/open', 'no', 'yes', prepared)).toBe('nothing');
    expect(edit(own, 'tools/fit', '41', '42', prepared)).toBe('nothing');
    const executable = () => {
      chmodSync(join(root, 'tools/fit'), 0o755);
      return prepared();
    };
    expect(edit(own, 'tools/fit', '41', '42', executable)).toBe('all');
    // As a word of its own it is what the user named.
    expect(edit(own, 'tools/open', 'no', 'yes', find(['sh', '{config}/tools/open']))).toBe('all');
  });

  test('count by the file of their image, a large one by its size and time', () => {
    const image = (runtime: string) => find(['true'], { container: { runtime, image: './tools.sif', binds: [], options: [] } });
    const small = { ...files, 'tools.sif': '41' };
    expect(edit(small, 'tools.sif', '41', '42', image('apptainer'))).toBe('all');
    expect(edit(small, 'tools.sif', '41', '42', image('podman'))).toBe('nothing');

    const path = join(root, 'tools.sif');
    const digest = () => createCodeReader({ configPath: join(root, 'caf.config.ts'), modules: [] }).of(image('apptainer')());
    truncateSync(path, 10e9);
    const before = digest();
    expect(effectOf(before, digest())).toBe('nothing');
    utimesSync(path, 1, 1);
    expect(effectOf(before, digest())).toBe('all');
  });
});

describe('files', () => {
  const fingerprintOf = (code: CodeDigest): Fingerprint => ({
    collectors: { code: code.collectors },
    algorithms: { code: code.algorithms },
    code: code.files,
  });

  test('name every local file that was looked at', () => {
    const { files } = digestsOf(campaign, () => calibrationIn('caf.config.ts'));
    expect(Object.keys(files).sort()).toEqual(
      Object.keys(campaign)
        .map((path) => join(root, path))
        .sort(),
    );
    const hashes = Object.entries(files).map(([path, state]) => [path, state.split(' ')[0]]);
    expect(Object.fromEntries(hashes)).toEqual(Object.fromEntries(Object.keys(files).map((path) => [path, sha256Of(path)])));
  });

  test('that are as recorded make the recorded digests stand, whoever made them', () => {
    const recorded = fingerprintOf({
      ...digestsOf(campaign, () => calibrationIn('caf.config.ts')),
      collectors: 'then',
      algorithms: 'then, too',
    });
    utimesSync(join(root, 'lib/fit.ts'), 1, 1);
    const reader = () => createCodeReader({ configPath: join(root, 'caf.config.ts'), modules: modulesOf(campaign) });
    expect(reader().of(calibrationIn('caf.config.ts'), recorded)).toMatchObject({ collectors: 'then', algorithms: 'then, too' });
    write({ 'lib/tables.ts': 'export const look = 1;' });
    expect(reader().of(calibrationIn('caf.config.ts'), recorded).collectors).toMatch(/^[0-9a-f]{64}$/);
  });

  describe('that are all as recorded do not count as unchanged', () => {
    const files = (importLine: string, use: string) => ({
      'caf.config.ts': `import { defineCalibration } from 'calibration-framework';
${importLine}

export const gain = defineCalibration({ name: 'gain', collections: {}, algorithms: [{ name: 'x', run: () => ${use} }] });
`,
    });
    const effectOfNextTime = (before: CodeDigest, find = () => calibrationIn('caf.config.ts'), config = 'caf.config.ts') => {
      const reader = createCodeReader({ configPath: join(root, config), modules: [join(root, config)] });
      return effectOf(before, reader.of(find(), fingerprintOf(before)));
    };

    test('when a link leads to another directory', () => {
      write({ 'v1/fit.ts': 'export const fit = () => 1;', 'v2/fit.ts': 'export const fit = () => 2;' });
      symlinkSync('v1', join(root, 'current'));
      const before = digestsOf(files("import { fit } from './current/fit.ts';", 'fit()'), () => calibrationIn('caf.config.ts'));
      expect(effectOfNextTime(before)).toBe('nothing');
      rmSync(join(root, 'current'));
      symlinkSync('v2', join(root, 'current'));
      expect(effectOfNextTime(before)).toBe('algorithms');
    });

    test('when a link leads to a copy beside another helper', () => {
      for (const [version, number] of Object.entries({ v1: 1, v2: 2 }))
        write({ [`${version}/fit.ts`]: "export { n } from './n.ts';", [`${version}/n.ts`]: `export const n = ${number};` });
      symlinkSync('v1', join(root, 'current'));
      const before = digestsOf(files("import { n } from './current/fit.ts';", 'n'), () => calibrationIn('caf.config.ts'));
      rmSync(join(root, 'current'));
      symlinkSync('v2', join(root, 'current'));
      expect(effectOfNextTime(before)).toBe('algorithms');
    });

    test('when the link of a package leads to another version', () => {
      for (const version of [1, 2])
        write({ [`store/node_modules/solver@${version}/package.json`]: `{ "name": "solver", "version": "${version}.0.0" }` });
      mkdirSync(join(root, 'node_modules'));
      const link = join(root, 'node_modules/solver');
      symlinkSync('../store/node_modules/solver@1', link);
      const before = digestsOf(files("import { solve } from 'solver';", 'solve()'), () => calibrationIn('caf.config.ts'));
      rmSync(link);
      symlinkSync('../store/node_modules/solver@2', link);
      expect(effectOfNextTime(before)).toBe('algorithms');
    });

    test('when another version of a package is installed nearer', () => {
      write({ 'node_modules/solver/package.json': '{ "name": "solver", "version": "1.0.0" }' });
      write({ 'lib/fit.ts': "import { solve } from 'solver';\nexport const fit = () => solve();" });
      const before = digestsOf(files("import { fit } from './lib/fit.ts';", 'fit()'), () => calibrationIn('caf.config.ts'));
      expect(effectOfNextTime(before)).toBe('nothing');
      write({ 'lib/node_modules/solver/package.json': '{ "name": "solver", "version": "2.0.0" }' });
      expect(effectOfNextTime(before)).toBe('algorithms');
    });

    test('when package.json says that a name stands for another file', () => {
      write({ 'package.json': '{ "imports": { "#fit": "./v1.js" } }', 'v1.js': 'export const fit = 1;' });
      const before = digestsOf(files("import { fit } from '#fit';", 'fit'), () => calibrationIn('caf.config.ts'));
      // Node remembers each package.json for the life of a process: here only the file that decides can be compared.
      expect(before.files).toHaveProperty([join(root, 'package.json')], sha256Of(join(root, 'package.json')));
    });

    test('when another of two definitions in one file is chosen', () => {
      const two = `import { defineCalibration } from 'calibration-framework';

const [quick, full] = [defineCalibration({ name: 'gain', algorithms: [{ run: () => 1 }] }), defineCalibration({ name: 'gain', algorithms: [{ run: () => 2 }] })];
`;
      const before = digestsOf({ 'caf.config.ts': two }, () => calibrationIn('caf.config.ts'));
      expect(effectOfNextTime(before)).toBe('nothing');
      expect(effectOfNextTime(before, () => calibrationIn('caf.config.ts', 1))).toBe('algorithms');
    });

    test('when another of two configs is run', () => {
      const before = digestsOf(
        {
          'gain.ts': files('export const scale = { factor: 1 };', 'scale.factor')['caf.config.ts'],
          'b.config.ts': "import { scale } from './gain.ts';\nexport default 1;",
          'caf.config.ts': "import { scale } from './gain.ts';\nimport './b.config.ts';\nscale.factor = 2;",
        },
        () => calibrationIn('gain.ts'),
      );
      expect(effectOfNextTime(before, () => calibrationIn('gain.ts'), 'b.config.ts')).toBe('all');
    });
  });

  test('a copy of the whole tree has the same digests', () => {
    const here = digestsOf(campaign, () => calibrationIn('caf.config.ts'));
    const before = root;
    root = realpathSync(mkdtempSync(join(tmpdir(), 'caf-')));
    const there = digestsOf(campaign, () => calibrationIn('caf.config.ts'));
    rmSync(before, { recursive: true });
    expect(effectOf(here, there)).toBe('nothing');
  });
});
