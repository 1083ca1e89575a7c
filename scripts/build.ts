// Builds dist/: bundles with esbuild (start-up time is a feature), and with --types the declarations with tsc.
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { type BuildOptions, build, type Plugin } from 'esbuild';

const calibrations = readdirSync('calibrations', { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map((entry) => ({ in: `calibrations/${entry.name}/calibration.ts`, out: `calibrations/${entry.name}` }));

const common: BuildOptions = {
  outdir: 'dist',
  bundle: true,
  platform: 'node',
  target: 'node22',
  external: ['better-sqlite3', 'calibration-framework', 'zod'],
  logLevel: 'warning',
};

/** An import of `from` becomes a require of a file of its own beside the bundle: an import() of CommonJS would read it twice. */
const apart = (from: string, to: string): Plugin => ({
  name: `${from} apart`,
  setup: ({ onResolve }) => {
    onResolve({ filter: /./ }, ({ path, kind }) => (path === from && kind !== 'entry-point' ? { path: to, external: true } : null));
  },
});

/** Of these modules of Node, caf's own code loads functions with their first call: crypto with its streams takes as long as all of that code. */
const whenCalled: Plugin = {
  name: 'modules of Node that are loaded when called',
  setup: ({ onResolve, onLoad }) => {
    onResolve({ filter: /^node:(crypto|fs\/promises|v8)$/ }, ({ path, importer }) =>
      /\/src\/[^/]+\/[^/]+\.ts$/.test(importer) ? { path, namespace: 'when-called' } : null,
    );
    onLoad({ filter: /./, namespace: 'when-called' }, async ({ path }) => {
      const functions = Object.entries(await import(path)).filter(([name, value]) => typeof value === 'function' && name !== 'default');
      const lines = functions.map(([name]) => `export const ${name} = (...values) => (loaded ??= require('${path}')).${name}(...values);`);
      return { contents: ['let loaded;', ...lines].join('\n') };
    });
  },
};

/**
 * The JavaScript of better-sqlite3, 14 small files, goes into the bundle. It still looks for its compiled part where it is installed, in its own way.
 * From sources and in ES modules it is required when it is first needed, which the bundle does with all modules.
 */
const withSqlite: Plugin = {
  name: 'better-sqlite3 within',
  setup: ({ onLoad }) => {
    onLoad({ filter: /\/src\/database\/sqlite\.ts$/ }, ({ path }) => ({
      contents: replaced(path, "requireHere('better-sqlite3')", "require('better-sqlite3')"),
      loader: 'ts',
    }));
    onLoad({ filter: /\/better-sqlite3\/lib\/binding\.js$/ }, ({ path }) => ({
      contents: replaced(
        path,
        'let DEFAULT_ADDON;',
        "let DEFAULT_ADDON;\nconst __dirname = path.dirname(require.resolve('better-sqlite3'));",
      ),
    }));
  },
};

function replaced(path: string, from: string, to: string): string {
  const text = readFileSync(path, 'utf8');
  if (!text.includes(from)) throw new Error(`${path} does not contain ${from}`);
  return text.replace(from, to);
}

/** commander loads child_process for commands that are programs of their own. caf has none, and it takes as long as commander itself. */
const withoutPrograms: Plugin = {
  name: 'commander without programs',
  setup: ({ onResolve, onLoad }) => {
    onResolve({ filter: /^node:child_process$/ }, ({ importer }) =>
      importer.includes('/node_modules/commander/') ? { path: 'child_process', namespace: 'nothing' } : null,
    );
    onLoad({ filter: /./, namespace: 'nothing' }, () => ({ contents: 'module.exports = {};' }));
  },
};

rmSync('dist', { recursive: true, force: true });
// caf itself: one file for all but --version, because each file costs half a millisecond at every start. As CommonJS, in which an import
// is carried out when the module that has it is first needed: a command loads of Node and SQLite only what it uses.
const commonJs: BuildOptions = {
  ...common,
  format: 'cjs',
  outExtension: { '.js': '.cjs' },
  banner: { js: "const __url = require('node:url').pathToFileURL(__filename).href;" },
  define: { 'import.meta.url': '__url', 'import.meta.dirname': '__dirname' },
};
await build({
  ...commonJs,
  entryPoints: [{ in: 'src/cli/main.ts', out: 'cli' }],
  plugins: [apart('./program.ts', './program.cjs')],
  supported: { 'dynamic-import': false },
});
await build({
  ...commonJs,
  entryPoints: [
    { in: 'src/cli/program.ts', out: 'program' },
    { in: 'winston', out: 'winston' },
    { in: 'execa', out: 'execa' },
    { in: 'src/backends/launch-child.ts', out: 'launch-child' },
  ],
  external: ['calibration-framework', 'zod'],
  logOverride: { 'require-resolve-not-external': 'silent' },
  plugins: [apart('winston', './winston.cjs'), apart('execa', './execa.cjs'), withoutPrograms, withSqlite, whenCalled],
  minifyWhitespace: true,
});
// What configs import, and the children that load them.
await build({
  ...common,
  format: 'esm',
  splitting: true,
  entryPoints: [
    { in: 'src/index.ts', out: 'index' },
    { in: 'src/worker/collector-child.ts', out: 'collector-child' },
    { in: 'src/worker/strategy-child.ts', out: 'strategy-child' },
    { in: 'src/runners/algorithm-job.ts', out: 'algorithm-job' },
    ...calibrations,
  ],
  banner: { js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);" },
});
if (process.argv.includes('--types')) execFileSync('tsc', ['-p', 'tsconfig.build.json'], { stdio: 'inherit', shell: false });
