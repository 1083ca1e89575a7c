// Finding and loading config files: real files in a temporary directory, loaded by a real Node of their own.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findConfig } from '../../src/config/find-config.ts';
import { loadCampaign } from '../../src/config/load-campaign.ts';
import { loadConfig } from '../../src/config/load-config.ts';

const LOADER = join(import.meta.dirname, 'load-in-child.ts');
const GOOD = `import { command, defineCalibration, defineConfig } from 'calibration-framework';
const gain = defineCalibration({ name: 'gain', collections: { a: { files: ['x'], collect: command(['true']) } }, algorithms: [] });
export default defineConfig({ calibrations: [gain] });
`;

let directory = '';
beforeAll(() => {
  directory = realpathSync(mkdtempSync(join(tmpdir(), 'caf-')));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

function write(files: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(directory, name)), { recursive: true });
    writeFileSync(join(directory, name), text);
  }
}

/** One line per config, in order: what it exports, or its error; paths relative to the directory. */
function load(files: Readonly<Record<string, string>>, names = Object.keys(files)): unknown[] {
  write(files);
  const output = execFileSync(process.execPath, [LOADER, ...names.map((name) => join(directory, name))], {
    cwd: directory,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  return output
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
}

const message = (result: unknown): string => {
  const { code, message, at, hint } = result as {
    code: string;
    message: string;
    hint?: string;
    at?: { file: string; line: number; column: number };
  };
  const place = at === undefined ? '' : ` at ${at.file}:${at.line}:${at.column}`;
  return `${code} ${message}${place}${hint === undefined ? '' : ` | ${hint}`}`;
};

describe('finding a config', () => {
  test('the default, a directory and a path', () => {
    write({ 'found/caf.config.ts': GOOD, 'javascript/caf.config.mjs': GOOD });
    expect(findConfig(undefined, join(directory, 'found'))).toBe(join(directory, 'found/caf.config.ts'));
    expect(findConfig('found', directory)).toBe(join(directory, 'found/caf.config.ts'));
    expect(findConfig('javascript/', directory)).toBe(join(directory, 'javascript/caf.config.mjs'));
    expect(findConfig('./found/caf.config.ts', directory)).toBe(join(directory, 'found/caf.config.ts'));
  });

  test('says where it looked, and what is near', () => {
    write({ 'near/caf.confg.ts': GOOD, 'near/prompt.config.ts': GOOD });
    const refused = (argument: string | undefined, cwd: string) => {
      try {
        return findConfig(argument, cwd);
      } catch (error) {
        return message(error).replaceAll(directory, '');
      }
    };
    mkdirSync(join(directory, 'empty'));
    expect([
      refused(undefined, join(directory, 'near')),
      refused('prompt.confg.ts', join(directory, 'near')),
      refused('empty', directory),
      refused('nowhere/caf.config.ts', directory),
    ]).toMatchInlineSnapshot(`
      [
        "CAF_CONFIG_NOT_FOUND There is no caf.config.ts in /near | Did you mean /near/caf.confg.ts?",
        "CAF_CONFIG_NOT_FOUND There is no config /near/prompt.confg.ts | Did you mean /near/prompt.config.ts?",
        "CAF_CONFIG_NOT_FOUND There is no caf.config.ts in /empty | caf init makes one; or name one: caf run path/to/caf.config.ts",
        "CAF_CONFIG_NOT_FOUND There is no config /nowhere/caf.config.ts: there is no directory /nowhere | caf init makes one; or name one: caf run path/to/caf.config.ts",
      ]
    `);
  });
});

describe('loading a config', () => {
  test('works anywhere, without an installation, and lists the local modules', () => {
    const results = load(
      {
        'works/caf.config.ts': `import * as z from 'zod';\nimport { Gain } from './lib/gain.ts';\n${GOOD}export const used = [z, Gain];`,
        'works/lib/gain.ts': `import { definePayload } from 'calibration-framework';\nimport type { Run } from './unused.ts';\nexport const Gain = definePayload('Gain');`,
        'works/top-level-await.ts': `await Promise.resolve();\n${GOOD}`,
        'works/plain.mjs': 'export default { calibrations: [] };',
        'works/common.cjs':
          "const { defineConfig } = require('calibration-framework');\nmodule.exports = defineConfig({ calibrations: [] });",
        'works/typeless.js': 'export default { calibrations: [] };',
      },
      ['works/caf.config.ts', 'works/top-level-await.ts', 'works/plain.mjs', 'works/common.cjs', 'works/typeless.js'],
    );
    expect(results).toEqual([
      { names: ['calibrations'], modules: ['works/caf.config.ts', 'works/lib/gain.ts'] },
      { names: ['calibrations'], modules: ['works/top-level-await.ts'] },
      { names: ['calibrations'], modules: ['works/plain.mjs'] },
      { names: ['calibrations'], modules: ['works/common.cjs'] },
      { names: ['calibrations'], modules: ['works/typeless.js'] },
    ]);
  });

  test('a module that is already loaded is still listed', async () => {
    write({ 'again/caf.config.ts': `import './part.ts';\n${GOOD}`, 'again/part.ts': 'export {};' });
    const path = join(directory, 'again/caf.config.ts');
    const first = await loadConfig(path);
    const second = await loadConfig(path);
    expect(first.modules).toEqual([path, join(directory, 'again/part.ts')]);
    expect(second).toEqual(first);
    expect(second.raw).toBe(first.raw);
  });

  test('tells what is exported instead of a config', () => {
    const results = load({
      'exports/nothing.ts': 'const unused = 1;',
      'exports/other.ts': 'export const a = 1, b = 2;',
      'exports/calibration.ts':
        "import { defineCalibration } from 'calibration-framework';\nexport default defineCalibration({ name: 'gain', collections: {}, algorithms: [] });",
      'exports/function.ts': 'export default function make() {}',
      'exports/promise.ts': 'export default Promise.resolve({});',
      'exports/list.ts': 'export default [];',
      'exports/empty.ts': 'export default {};',
    });
    expect(results.map(message)).toMatchInlineSnapshot(`
      [
        "CAF_CONFIG_EXPORT nothing.ts has no default export: it exports nothing | Write: export default defineConfig({ calibrations: [...] });",
        "CAF_CONFIG_EXPORT other.ts has no default export: it exports a, b | Write: export default defineConfig({ calibrations: [...] });",
        "CAF_CONFIG_EXPORT The default export of calibration.ts is the calibration 'gain', not a config | Write: export default defineConfig({ calibrations: [...] });",
        "CAF_CONFIG_EXPORT The default export of function.ts is the function make, not a config | Write: export default defineConfig({ calibrations: [...] });",
        "CAF_CONFIG_EXPORT The default export of promise.ts is a promise, not a config | Write: export default defineConfig({ calibrations: [...] });",
        "CAF_CONFIG_EXPORT The default export of list.ts is [], not a config | Write: export default defineConfig({ calibrations: [...] });",
        "CAF_CONFIG_EXPORT The default export of empty.ts is {}, not a config | Write: export default defineConfig({ calibrations: [...] });",
      ]
    `);
  });

  test('tells the line of what throws, of a syntax error, and of TypeScript that cannot be stripped', () => {
    const results = load(
      {
        'wrong/throws.ts': "interface A { a: number }\nconst f = (): A => { throw new RangeError('no such run'); };\nf();",
        'wrong/deep.ts': "import './deeper.ts';",
        'wrong/deeper.ts': '\n\nundefinedName();',
        'wrong/text.ts': "throw 'a text';",
        'wrong/syntax.ts': 'export default {\n  a: ,\n};',
        'wrong/syntax.mjs': 'export default {\n  a: ,\n};',
        'wrong/enum.ts': 'enum Color { Red }\nexport default Color;',
        'wrong/property.ts': 'class A { constructor(private a: number) {} }\nexport default A;',
        'wrong/await.ts': "await 1;\nthrow new Error('after await');",
      },
      ['throws.ts', 'deep.ts', 'text.ts', 'syntax.ts', 'syntax.mjs', 'enum.ts', 'property.ts', 'await.ts'].map((name) => `wrong/${name}`),
    );
    expect(results.map(message)).toMatchInlineSnapshot(`
      [
        "CAF_CONFIG_LOAD throws.ts throws while it is loaded: RangeError: no such run at wrong/throws.ts:2:28",
        "CAF_CONFIG_LOAD deeper.ts throws while it is loaded: ReferenceError: undefinedName is not defined at wrong/deeper.ts:3:1",
        "CAF_CONFIG_LOAD text.ts throws 'a text', which is not an Error",
        "CAF_CONFIG_LOAD syntax.ts has a syntax error: Expression expected at wrong/syntax.ts:2:6",
        "CAF_CONFIG_LOAD syntax.mjs has a syntax error: Unexpected token ',' at wrong/syntax.mjs:2:6",
        "CAF_CONFIG_LOAD enum.ts uses TypeScript that Node cannot strip: TypeScript enum is not supported in strip-only mode at wrong/enum.ts:1:1 | Node only removes types: write a const object or a union of texts instead of an enum, fields instead of parameter properties, modules instead of namespaces.",
        "CAF_CONFIG_LOAD property.ts uses TypeScript that Node cannot strip: TypeScript parameter property is not supported in strip-only mode at wrong/property.ts:1:31 | Node only removes types: write a const object or a union of texts instead of an enum, fields instead of parameter properties, modules instead of namespaces.",
        "CAF_CONFIG_LOAD await.ts throws while it is loaded: after await at wrong/await.ts:2:7",
      ]
    `);
  });

  test('tells which file imports what is missing, and what was meant', () => {
    const results = load(
      {
        'missing/extension.ts': "import { a } from './part';\nexport default a;",
        'missing/javascript.ts': "import { a } from './part.js';\nexport default a;",
        'missing/file.ts': "import { a } from './nothing.ts';\nexport default a;",
        'missing/package.ts': "// first\nimport a from '@scope/nothing/sub';\nexport default a;",
        'missing/indirect.ts': "import './indirectly.ts';",
        'missing/indirectly.ts': "import './nothing.ts';",
        'missing/name.ts': "import { defineConfg } from 'calibration-framework';\nexport default defineConfg;",
        'missing/part-name.ts': "import { pedestal } from './part.ts';\nexport default pedestal;",
        'missing/part.ts': 'export const a = 1, pedestals = 2;',
      },
      ['extension', 'javascript', 'file', 'package', 'indirect', 'name', 'part-name'].map((name) => `missing/${name}.ts`),
    );
    expect(results.map((each) => message(each).replaceAll(directory, ''))).toMatchInlineSnapshot(`
      [
        "CAF_CONFIG_LOAD extension.ts imports './part', which does not exist at missing/extension.ts:1:19 | Write the name as it is: './part.ts'",
        "CAF_CONFIG_LOAD javascript.ts imports './part.js', which does not exist at missing/javascript.ts:1:19 | Write the name as it is: './part.ts'",
        "CAF_CONFIG_LOAD file.ts imports './nothing.ts', which does not exist at missing/file.ts:1:19 | There is no file missing/nothing.ts",
        "CAF_CONFIG_LOAD package.ts imports '@scope/nothing/sub', which does not exist at missing/package.ts:2:15 | Install it beside the config: npm install @scope/nothing",
        "CAF_CONFIG_LOAD indirectly.ts imports './nothing.ts', which does not exist at missing/indirectly.ts:1:8 | There is no file missing/nothing.ts",
        "CAF_CONFIG_LOAD name.ts imports defineConfg from 'calibration-framework', which does not export it at missing/name.ts:1:10 | Did you mean defineConfig?",
        "CAF_CONFIG_LOAD part-name.ts imports pedestal from './part.ts', which does not export it at missing/part-name.ts:1:10 | Did you mean pedestals?",
      ]
    `);
  });
});

describe('a config that does not end', () => {
  /** `limitMs`: short where the limit is to be reached, ample where the config ends by itself. */
  function stuck(name: string, text: string, limitMs = 300): { readonly status: number | null; readonly output: string } {
    write({ [name]: text });
    const { status, stdout, stderr } = spawnSync(process.execPath, [LOADER, join(directory, name)], {
      cwd: directory,
      encoding: 'utf8',
      env: { ...process.env, CAF_CONFIG_TIMEOUT_MS: String(limitMs) },
      timeout: 40_000,
    });
    return { status, output: `${stdout}${stderr}`.replaceAll(`${directory}/`, '') };
  }

  test('a busy loop is an error like any other, even one that catches everything', () => {
    const text = 'for (;;) { try { for (;;) {} } catch {} }';
    expect(stuck('stuck/loop.ts', text)).toMatchObject({
      status: 0,
      output: expect.stringContaining('stuck/loop.ts is still loading after 300 ms'),
    });
  });

  test('a promise that is never settled is noticed when nothing is left to do', () => {
    const text = 'await new Promise(() => {});';
    expect(stuck('stuck/await.ts', text)).toMatchObject({
      status: 0,
      output: expect.stringContaining('waits for something that never happens'),
    });
  });

  test('a top-level await that takes too long', () => {
    const text = 'const timer = setInterval(() => {}, 1000);\nsetTimeout(() => clearInterval(timer), 1500);\nawait new Promise(() => {});';
    expect(stuck('stuck/slow.ts', text)).toMatchObject({ status: 0, output: expect.stringContaining('is still loading after 300 ms') });
  });

  test('a busy loop after an await ends the process with code 2', () => {
    expect(stuck('stuck/await-loop.ts', 'await 1;\nfor (;;) {}')).toMatchInlineSnapshot(`
      {
        "output": "✖ stuck/await-loop.ts is still loading after 300 ms  CAF_CONFIG_LOAD
        hint: A config only describes calibrations: leave work to collect and run. CAF_CONFIG_TIMEOUT_MS sets another limit.
      ",
        "status": 2,
      }
    `);
  });

  test('a program it waits for is ended, and the process too, with code 2', () => {
    const text = "import { execFileSync } from 'node:child_process';\nexecFileSync('sleep', ['1000']);";
    expect(stuck('stuck/program.ts', text)).toMatchInlineSnapshot(`
      {
        "output": "✖ stuck/program.ts is still loading after 300 ms  CAF_CONFIG_LOAD
        hint: A config only describes calibrations: leave work to collect and run. CAF_CONFIG_TIMEOUT_MS sets another limit.
      ",
        "status": 2,
      }
    `);
  });

  test('process.exit is not taken for success', () => {
    expect(stuck('stuck/exit.ts', 'process.exit(0);', 30_000)).toMatchInlineSnapshot(`
      {
        "output": "✖ stuck/exit.ts ended the process with exit code 0 while it was being loaded  CAF_CONFIG_LOAD
      ",
        "status": 2,
      }
    `);
  });

  test('a config that starts itself is refused in the child', () => {
    const text = `import { spawnSync } from 'node:child_process';
      const { stdout } = spawnSync(process.execPath, [${JSON.stringify(LOADER)}, import.meta.filename], { encoding: 'utf8' });
      console.log(stdout);
      export default { calibrations: [] };`;
    const { status, output } = stuck('stuck/recursive.ts', text, 30_000);
    expect(status).toBe(0);
    expect(output).toContain('starts itself while it is being loaded');
    expect(output).toContain('"names":["calibrations"]');
  });

  test('a config that forks itself ends in the child, where the package refuses to be imported', () => {
    const path = join(directory, 'stuck/forks.mjs');
    write({ 'stuck/forks.mjs': `import ${JSON.stringify(join(import.meta.dirname, '../../src/index.ts'))};\nconsole.log('not reached');` });
    const { status, stdout, stderr } = spawnSync(process.execPath, [path], {
      encoding: 'utf8',
      env: { ...process.env, CAF_LOADING: path },
    });
    expect(status).toBe(1);
    expect(stdout).toBe('');
    expect(stderr).toContain('starts itself while it is being loaded');
  });
});

describe('a campaign', () => {
  test('is found, loaded, settled and checked', async () => {
    write({ 'campaign/caf.config.ts': GOOD });
    const { spec, settings, modules } = await loadCampaign({ config: 'campaign', flags: { output: 'here' }, env: {}, cwd: directory });
    expect(spec.output).toBe(join(directory, 'here'));
    expect(spec.calibrations[0]).toMatchObject({ name: 'gain', source: { file: join(directory, 'campaign/caf.config.ts'), line: 2 } });
    expect(settings.output.origin).toBe('flag');
    expect(modules).toHaveLength(1);
  });

  test('is refused with the problems, or the setting that is wrong', async () => {
    write({ 'refused/caf.config.ts': 'export default { calibrations: [] };' });
    const at = { config: 'refused', env: {}, cwd: directory };
    await expect(loadCampaign({ ...at, flags: {} })).rejects.toMatchObject({
      code: 'CAF_CONFIG_INVALID',
      message: 'caf.config.ts has 1 problem',
    });
    await expect(loadCampaign({ ...at, flags: { iov: '2,1,1,1' } })).rejects.toMatchObject({
      code: 'CAF_USAGE',
      message: expect.stringContaining('--iov: '),
    });
  });
});
