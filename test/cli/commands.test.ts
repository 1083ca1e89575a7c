// The smaller commands: completion, doctor, graph, filemap, and what they say where there is nothing.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { main } from '../../src/cli/main.ts';
import { createTestIo } from '../support/io.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'caf-'));
});
afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

async function caf(...argv: string[]) {
  const io = createTestIo({ cwd: directory, env: { LANG: 'C.UTF-8', PATH: directory } });
  await main(argv, io);
  return io;
}

test.each(['bash', 'zsh', 'fish'])('completion %s is a script that asks caf', async (shell) => {
  expect((await caf('completion', shell)).stdout.text).toContain('caf __complete --');
});

test.each([
  [['st'], ['status']],
  [
    ['run', '--o'],
    ['--only', '--output'],
  ],
  [
    ['run', '--d'],
    ['--dry-run', '--detach'],
  ],
  [['run', '--in'], []],
  [['run', '--backend', 'lo'], ['local']],
  [['submit', '--backend', 'lo'], []],
  [
    ['cancel', '--'],
    ['--drain', '--keep-jobs', '--reason', '--help'],
  ],
  [['graph', '--machine', 'j'], ['job']],
  [['run', '--iov', ''], []],
  [
    ['completion', ''],
    ['bash', 'zsh', 'fish'],
  ],
  [['logs', ''], []],
])('__complete %j', async (words, candidates) => {
  const io = await caf('__complete', '--', ...words);
  expect(io.stdout.text.split('\n').filter((line) => line !== '')).toEqual(candidates);
  expect(io.stderr.text).toBe('');
});

test('doctor: what works, and what to do about the rest', async () => {
  const io = await caf('doctor');
  expect(io.stdout.text).toMatch(/✔ Node /);
  expect(io.stdout.text).toMatch(/✔ SQLite +a journal can be made/);
  expect(io.stdout.text).toMatch(/▲ python3 +not found on PATH\n {4}hint: /);
  expect(io.exitCode).toBeUndefined();
});

test('doctor tells what an engine has, what the limit of its arrays is, and does not take its commands for those of another', async () => {
  const qstat = `#!/bin/sh
case "$1" in
  -help) echo 'SGE 8.1.9';;
  -g) printf 'CLUSTER QUEUE CQLOAD USED RES AVAIL TOTAL aoACDS cdsuE\\nlong.q 0.50 3 0 5 8 0 0\\n';;
  *) echo "invalid option argument $1" >&2; exit 1;;
esac
`;
  writeFileSync(join(directory, 'qstat'), qstat, { mode: 0o755 });
  writeFileSync(join(directory, 'qconf'), '#!/bin/sh\necho "max_aj_tasks 75000"\n', { mode: 0o755 });
  const { text } = (await caf('doctor')).stdout;
  expect(text).toMatch(
    /✔ gridengine +SGE 8\.1\.9; queue long\.q \(5 of 8 slots free\); at most 75000 jobs in an array\n {4}hint: in the config: backend: gridEngine\(\)\n/,
  );
  expect(text).toMatch(/✔ pbs +not here \(qstat is that of gridengine\)\n/);
});

test('doctor --json', async () => {
  const document = JSON.parse((await caf('doctor', '--json')).stdout.text) as { v: number; findings: { status: string }[] };
  expect(document.v).toBe(1);
  for (const finding of document.findings) {
    expect(finding).toMatchObject({
      check: expect.any(String),
      status: expect.stringMatching(/^(ok|warn|fail)$/),
      text: expect.any(String),
    });
  }
});

test('doctor of a directory below a file fails with exit code 3', async () => {
  writeFileSync(join(directory, 'file'), '');
  const io = await caf('doctor', 'file/results');
  expect(io.stdout.text).toMatch(/✖ results directory/);
  expect(io.exitCode).toBe(3);
});

test('graph --machine draws a statechart without a config', async () => {
  expect((await caf('graph', '--machine', 'job')).stdout.text).toMatch(/^stateDiagram-v2\n/);
});

test('graph of the starter, as a tree and for other programs', async () => {
  await caf('init', 'line');
  expect((await caf('graph')).stdout.text).toBe('caf.config.ts\n└─ line\n');
  expect((await caf('graph', '--mermaid')).stdout.text).toBe('flowchart TD\n  c0["line"]\n');
  expect((await caf('graph', '--dot')).stdout.text).toBe('digraph calibrations {\n  "line";\n}\n');
});

test('filemap of 150,000 files, and of names that would steer a terminal', async () => {
  const config = (files: string) =>
    `export default { calibrations: [{ name: 'line', collections: { points: { files: ${files}, collect: () => undefined } }, algorithms: [] }] };`;
  writeFileSync(join(directory, 'caf.config.ts'), config("Array.from({ length: 150_000 }, (_, i) => 'root://host//' + i)"));
  expect(JSON.parse((await caf('filemap', '--json')).stdout.text)).toMatchObject({ files: { length: 150_000 } });

  const name = 'a\u001b[2J\u001b]0;title\u0007.csv';
  writeFileSync(join(directory, name), '');
  mkdirSync(join(directory, 'b'));
  writeFileSync(join(directory, 'b/caf.config.ts'), config("['../*.csv']"));
  const shown = (isTTY: boolean) => {
    const io = createTestIo({ cwd: directory, isTTY });
    return main(['filemap', 'b'], io).then(() => io.stdout.text);
  };
  expect(await shown(true)).toContain('line/points   ../a.csv   -');
  expect(await shown(false)).toContain(name);
});

test('filemap says which file holds which run, and which files are not used', async () => {
  writeFileSync(
    join(directory, 'caf.config.ts'),
    `export default {
      calibrations: [{
        name: 'line',
        collections: { points: { files: ['e*.csv'], runs: /e(?<experiment>\\d+)r(?<run>\\d+)/, collect: () => undefined } },
        algorithms: [],
        ignoredRuns: [[1, 2]],
      }],
    };`,
  );
  for (const run of [1, 2, 3]) writeFileSync(join(directory, `e1r${run}.csv`), '');
  const shown = await caf('filemap');
  expect(shown.stderr.text).toBe('\n3 files, 1 not used\n');
  expect(`\n${shown.stdout.text}`).toMatchInlineSnapshot(`
    "
    collection    file       runs
    line/points   e1r1.csv   1,1
    line/points   e1r2.csv   1,2    only ignored runs
    line/points   e1r3.csv   1,3
    "
  `);
  const { files } = JSON.parse((await caf('filemap', '--json')).stdout.text) as { files: object[] };
  expect(files[1]).toEqual({ calibration: 'line', collection: 'points', file: 'e1r2.csv', runs: [1, 2], dropped: 'only ignored runs' });
  const io = await caf('filemap', '--only', 'lien');
  expect(io.exitCode).toBe(2);
  expect(io.stderr.text).toContain("did you mean 'line'?");
});

test.each([['status'], ['logs'], ['cancel'], ['reset', 'x']])('%s without a results directory is exit 2', async (...argv) => {
  const io = await caf(...argv);
  expect(io.exitCode).toBe(2);
  expect(io.stderr.text).toContain('CAF_RESULTS_NOT_FOUND');
});

test('a directory that is not of caf is said to be so', async () => {
  mkdirSync(join(directory, 'other'));
  expect((await caf('status', 'other')).stderr.text).toContain('other has no caf.db');
});
