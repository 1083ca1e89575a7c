// Builds dist/: bundles with esbuild (start-up time is a feature), and with --types the declarations with tsc.
import { execFileSync } from 'node:child_process';
import { readdirSync, rmSync } from 'node:fs';
import { build } from 'esbuild';

const calibrations = readdirSync('calibrations', { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map((entry) => ({ in: `calibrations/${entry.name}/calibration.ts`, out: `calibrations/${entry.name}` }));

rmSync('dist', { recursive: true, force: true });
await build({
  entryPoints: [
    { in: 'src/index.ts', out: 'index' },
    { in: 'src/cli/main.ts', out: 'cli' },
    { in: 'src/worker/collector-child.ts', out: 'collector-child' },
    { in: 'src/worker/strategy-child.ts', out: 'strategy-child' },
    ...calibrations,
  ],
  outdir: 'dist',
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node22',
  external: ['better-sqlite3', 'calibration-framework', 'zod'],
  banner: { js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);" },
  logLevel: 'warning',
});
if (process.argv.includes('--types')) execFileSync('tsc', ['-p', 'tsconfig.build.json'], { stdio: 'inherit', shell: false });
