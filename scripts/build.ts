// Builds dist/: bundles with esbuild (start-up time is a feature), and with --types the declarations with tsc.
import { execFileSync } from 'node:child_process';
import { readdirSync, rmSync } from 'node:fs';
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
    onResolve({ filter: /./ }, ({ path, kind }) => (path === from && kind === 'dynamic-import' ? { path: to, external: true } : null));
  },
});

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
    { in: 'src/backends/launch-child.ts', out: 'launch-child' },
  ],
  plugins: [apart('winston', './winston.cjs'), withoutPrograms],
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
