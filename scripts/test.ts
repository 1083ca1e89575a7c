// Runs test suites (default: unit and whole), finds the shared real data, and ends with one line `N passed, N failed`.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';

interface Report {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly testResults: readonly FileReport[];
}

interface FileReport {
  readonly name: string;
  readonly status: string;
  readonly message: string;
  readonly assertionResults: readonly { readonly fullName: string; readonly status: string; readonly failureMessages: readonly string[] }[];
}

/** Each failed test by file and title with the first lines of its message; of a file that could not be loaded, its own. */
function failuresOf({ testResults }: Report): readonly string[] {
  const told = (what: string, message = '') => [`FAILED ${what}`, ...message.split('\n').slice(0, LINES_OF_FAILURE)].join('\n    ');
  return testResults.flatMap(({ name, status, message, assertionResults }) => {
    const file = relative('.', name);
    const failed = assertionResults.filter((test) => test.status === 'failed');
    if (failed.length === 0) return status === 'failed' ? [told(file, message)] : [];
    return failed.map(({ fullName, failureMessages }) => told(`${file} > ${fullName}`, failureMessages[0]));
  });
}

const LINES_OF_FAILURE = 12;

const chosen = process.argv.slice(2);
const suites = chosen.length === 0 ? ['unit', 'whole'] : chosen;
const data = process.env.CAF_DATA ?? resolve('..', 'shared', 'data');
const env = { ...process.env, ...(existsSync(data) ? { CAF_DATA: data } : {}) };
if (!existsSync(data)) console.log(`Tests on real data are skipped: there is no ${data} (set CAF_DATA)`);

const directory = mkdtempSync(join(tmpdir(), 'caf-test-'));
const report = join(directory, 'report.json');
const { status } = spawnSync(
  'vitest',
  ['run', ...suites.flatMap((suite) => ['--project', suite]), '--reporter=default', '--reporter=json', `--outputFile.json=${report}`],
  { stdio: 'inherit', env },
);
let failed = status !== 0;
if (existsSync(report)) {
  const counts = JSON.parse(readFileSync(report, 'utf8')) as Report;
  for (const failure of failuresOf(counts)) console.log(failure);
  // A file that cannot be loaded fails without a failed test of its own.
  const failures = Math.max(counts.numFailedTests, failed ? 1 : 0);
  console.log(`${counts.numPassedTests} passed, ${failures} failed, ${counts.numPendingTests} skipped`);
} else {
  failed = true;
  console.log('0 passed, 1 failed');
}
rmSync(directory, { recursive: true, force: true });
process.exitCode = failed ? 1 : 0;
