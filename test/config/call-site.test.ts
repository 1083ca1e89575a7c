// Where calibrations come from, with real configs: the line a message shows, and the statement their code is read from.
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { captureCallSite, DEFINED_AT, definedAt, rootOf } from '../../src/config/call-site.ts';
import { createCodeReader } from '../../src/config/code-digest.ts';
import { loadCampaign } from '../../src/config/load-campaign.ts';

const home = realpathSync(mkdtempSync(join(tmpdir(), 'caf-')));
afterAll(() => rmSync(home, { recursive: true, force: true }));

const FACTORY = `import { defineCalibration } from 'calibration-framework';
const fit = () => 'ok';
export const make = (name) => defineCalibration({ name, collections: {}, algorithms: [{ name: 'fit', run: fit }] });
export const unrelated = () => 51;
`;

let campaigns = 0;
/** Loads a config with its factories, as caf does; each in a directory of its own, for modules are loaded once. */
async function load(lines: string, files: Readonly<Record<string, string>> = {}) {
  const directory = join(home, String(campaigns++));
  const config = join(directory, 'caf.config.ts');
  const text = `import { defineCalibration, defineConfig } from 'calibration-framework';\nimport { make } from './factory.ts';\n${lines}\n`;
  for (const [path, content] of Object.entries({ 'caf.config.ts': text, 'factory.ts': FACTORY, ...files })) {
    mkdirSync(dirname(join(directory, path)), { recursive: true });
    writeFileSync(join(directory, path), content);
  }
  const { raw, spec, modules } = await loadCampaign({ config, flags: {}, env: {}, cwd: directory });
  const reader = createCodeReader({ configPath: config, modules });
  return {
    raw,
    spec,
    digest: (name: string) => reader.of(spec.calibrations.find((calibration) => calibration.name === name)!).algorithms,
    /** The text at the root of a calibration. */
    root: (name: string): string => {
      const source = spec.calibrations.find((calibration) => calibration.name === name)?.source;
      if (source === null || source === undefined) return 'unknown';
      const line = readFileSync(source.file, 'utf8').split('\n')[source.line - 1] ?? '';
      return `${basename(source.file)}: ${line.slice(source.column - 1)}`;
    },
  };
}

describe('the root of a calibration', () => {
  test.each([
    {
      made: 'in place',
      line: "const a = defineCalibration({ name: 'a', collections: {}, algorithms: [{ name: 'x', run: () => 'ok' }] });",
      at: 'defineCalib',
    },
    { made: 'by a factory', line: "const a = make('a');", at: "make('a')" },
    { made: 'by .map', line: "const [a] = ['a'].map((name) => make(name));", at: 'map((name)' },
  ])('made $made is a top-level statement of the config', async ({ line, at }) => {
    const { root } = await load(`${line}\nexport default defineConfig({ calibrations: [a] });`);
    expect(root('a')).toContain(`caf.config.ts: ${at}`);
  });

  test('made in a module of its own is a statement of that module', async () => {
    const gain = "import { make } from './factory.ts';\nexport const gain = make('gain');\n";
    const { root } = await load("import { gain } from './gain.ts';\nexport default defineConfig({ calibrations: [gain] });", {
      'gain.ts': gain,
    });
    expect(root('gain')).toBe("gain.ts: make('gain');");
  });
});

describe('calibrations made by factories', () => {
  const config = (a: string, b: string, fit = "'ok'", unrelated = '51') =>
    load(`const a = ${a};\nconst b = ${b};\nexport default defineConfig({ calibrations: [a, b] });`, {
      'factory.ts': FACTORY.replace("'ok'", fit).replace('51', unrelated),
    });

  test('are done again when the factory reaches other code, and not for what it does not reach', async () => {
    const before = await config("make('a')", "make('b')");
    const after = await config("make('a')", "make('b')", "'iterate'");
    const elsewhere = await config("make('a')", "make('b')", "'ok'", '52');
    expect(after.digest('a')).not.toBe(before.digest('a'));
    expect(elsewhere.digest('a')).toBe(before.digest('a'));
  });

  test('are done again when their arguments change', async () => {
    const before = await config("make('a', { order: 1 })", "make('b')");
    const after = await config("make('a', { order: 2 })", "make('b')");
    expect(after.digest('a')).not.toBe(before.digest('a'));
  });
});

test('a message shows the line that called define*, not the statement behind it', async () => {
  const { raw } = await load("const a = make('a');\nexport default defineConfig({ calibrations: [a] });");
  const [a] = (raw as { calibrations: readonly object[] }).calibrations;
  expect(basename(definedAt(a)?.file ?? '')).toBe('factory.ts');
  expect(basename(rootOf(a)?.file ?? '')).toBe('caf.config.ts');
});

test("a line of a package is not the user's: the message shows the call that led there", async () => {
  const ready = `import { make } from '../../factory.ts';\nexport const ready = (name) => make(name);\n`;
  const { raw } = await load("import { ready } from 'lab';\nconst a = ready('a');\nexport default defineConfig({ calibrations: [a] });", {
    'node_modules/lab/package.json': '{ "name": "lab", "version": "1.0.0", "type": "module", "exports": "./index.js" }',
    'node_modules/lab/index.js': ready
      .replace("import { make } from '../../factory.ts';", "import { defineCalibration } from 'calibration-framework';")
      .replace('make(name)', "defineCalibration({ name, collections: {}, algorithms: [{ name: 'x', run: () => 'ok' }] })"),
  });
  const [a] = (raw as { calibrations: readonly object[] }).calibrations;
  expect(basename(definedAt(a)?.file ?? '')).toBe('caf.config.ts');
});

test('a recursion deeper than what is captured gives a place within a function, where everything counts', () => {
  const site = (depth: number): object => (depth === 0 ? { [DEFINED_AT]: captureCallSite(captureCallSite) } : site(depth - 1));
  expect(rootOf(site(500))?.file).toBe(import.meta.filename);
});
