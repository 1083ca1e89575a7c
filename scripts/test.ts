// Runs test suites (default: unit and whole), finds the shared real data, and ends with one line `N passed, N failed, N skipped`.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';

const chosen = process.argv.slice(2);
const suites = chosen.length === 0 ? ['unit', 'whole'] : chosen;
const data = process.env.CAF_DATA ?? resolve('..', 'shared', 'data');
const env = { ...process.env, ...(existsSync(data) ? { CAF_DATA: data } : {}) };
if (!existsSync(data)) console.log(`Tests on real data are skipped: there is no ${data} (set CAF_DATA)`);

const projects = suites.flatMap((suite) => ['--project', suite]);
const { status } = spawnSync('vitest', ['run', ...projects, '--reporter=default', '--reporter=./scripts/closing-reporter.ts'], {
  stdio: 'inherit',
  env,
});
process.exitCode = status ?? 1;
