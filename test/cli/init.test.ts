// `caf init`: what it writes works.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
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

const repository = fileURLToPath(new URL('../..', import.meta.url));

async function caf(...argv: string[]) {
  const io = createTestIo({ cwd: directory });
  await main(argv, io);
  return io;
}

test('it says what it wrote and what to type next', async () => {
  const io = await caf('init', 'my-line');
  expect(`\n${io.stdout.text}`).toMatchInlineSnapshot(`
    "
    ✔ calibrations/my-line/{calibration,collect,fit,payloads}.ts   a straight-line fit that iterates
    ✔ caf.config.ts                                                one calibration, jobs on this machine
    ✔ data/my-line-e1r{1..4}.csv                                   4 runs with outliers

      caf run --dry-run   see what would be done
      caf run             do it: 4 jobs in each iteration, a few seconds
    "
  `);
  expect(io.exitCode).toBeUndefined();
});

test('the project is a valid config with four jobs', async () => {
  await caf('init', 'my-line');
  const io = await caf('run', '--dry-run');
  expect(io.stderr.text).toBe('');
  expect(io.stdout.text).toMatch(/my-line +4 +never run/);
});

test.each(['my-line', '2nd.pass', 'T0_scan+'])('the project called %s passes the strictest type check', async (name) => {
  await caf('init', name);
  // As after npm install, with the sources in place of the built package.
  symlinkSync(join(repository, 'node_modules'), join(directory, 'node_modules'));
  const tsconfig = JSON.parse(readFileSync(join(directory, 'tsconfig.json'), 'utf8')) as { compilerOptions: object };
  const paths = { 'calibration-framework': [join(repository, 'src/index.ts')] };
  const compilerOptions = { ...tsconfig.compilerOptions, paths, resolveJsonModule: true };
  writeFileSync(join(directory, 'tsconfig.json'), JSON.stringify({ ...tsconfig, compilerOptions }));
  const run = () => execFileSync(join(repository, 'node_modules/.bin/tsc'), ['-p', directory], { encoding: 'utf8', stdio: 'pipe' });
  expect(run()).toBe('');
});

test('nothing is overwritten, and nothing is written when something is in the way', async () => {
  writeFileSync(join(directory, 'caf.config.ts'), 'mine');
  const io = await caf('init');
  expect(io.exitCode).toBe(2);
  expect(io.stderr.text).toContain('There is already caf.config.ts; nothing was written');
  expect(readFileSync(join(directory, 'caf.config.ts'), 'utf8')).toBe('mine');
  expect(() => readFileSync(join(directory, 'package.json'))).toThrow('ENOENT');
});

test('a package.json that is there is kept', async () => {
  writeFileSync(join(directory, 'package.json'), '{ "type": "module" }');
  await caf('init');
  expect(readFileSync(join(directory, 'package.json'), 'utf8')).toBe('{ "type": "module" }');
});

test.each(['../up', '-x', 'objects', 'caf.db', 'a b', '', 'x'.repeat(101)])('the name %j is refused', async (name) => {
  const io = await caf('init', '--', name);
  expect(io.exitCode).toBe(2);
});

test('a directory that cannot be written is told as such', async () => {
  writeFileSync(join(directory, 'calibrations'), 'a file');
  const io = await caf('init');
  expect(io.exitCode).toBe(2);
  expect(io.stderr.text.replaceAll(/\s+/g, ' ')).toMatch(/calibrations\S* cannot be written.*CAF_USAGE/);
  expect(io.stderr.text).not.toContain('bug');
});
