// docs/database.md: every command on the page is run, and the readers for other languages give what caf gives.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { describeDatabase, openChain } from '../../src/database/chain.ts';
import { writeConditionsDirectory } from '../../src/database/flatten.ts';
import { createScene, type Scene } from '../support/scene.ts';

const ROOT = join(import.meta.dirname, '../..');
const page = readFileSync(join(ROOT, 'docs/database.md'), 'utf8');
const blocks = Array.from(page.matchAll(/^```sh\n(.*?)^```/gms), ([, block = '']) => block);

let scene: Scene;
let localdb = '';
let conditions = '';
beforeAll(async () => {
  scene = createScene();
  scene.write('data/e7r1.csv', '');
  scene.config(`
const Pedestals = definePayload('Pedestals', z.object({ mean: z.number() }));
const Beam = definePayload('Beam', z.object({ x: z.number() }));
export default defineConfig({ backend: local({ slots: 1 }), calibrations: [defineCalibration({
  name: 'pedestals',
  collections: { all: { files: ['data/*.csv'], collect: ({ record }) => { for (const run of [1, 2, 3]) record([7, run], 'n', run); } } },
  algorithms: [{ name: 'means', strategy: simpleRunByRun(), run: ({ runs, commit, commitIntraRun }) => {
    const run = runs[0]![1];
    commit(Pedestals, { mean: run });
    commitIntraRun(Beam, [{ firstEvent: 0, value: { x: run } }, { firstEvent: 10, value: { x: 10 * run } }]);
    return 'ok';
  } }],
})] });
`);
  const ended = await scene.caf(['run']);
  expect(ended, ended.stdout + ended.stderr).toMatchObject({ code: 0 });
  localdb = join(scene.results, 'pedestals/localdb');
  conditions = join(scene.directory, 'conditions');
  const chain = openChain({ v: 1, databases: [describeDatabase(localdb)] });
  await writeConditionsDirectory(chain, conditions);
  chain.close();
  symlinkSync(join(ROOT, 'docs'), join(scene.directory, 'docs'));
  scene.write('bin/caf', `#!/bin/sh\nexec ${process.execPath} ${join(ROOT, 'bin/caf.js')} "$@"\n`);
  chmodSync(join(scene.directory, 'bin/caf'), 0o755);
  writeGlobalTag(join(scene.directory, 'centraldb'));
}, 120_000);
afterAll(() => scene.close());

function writeGlobalTag(directory: string): void {
  mkdirSync(directory);
  writeFileSync(join(directory, 'dbstore_Map_rev_4.root'), 'a map');
  const sqlite = new Database(join(directory, 'metadata.sqlite'));
  sqlite.exec(`
    CREATE TABLE payloadNames (payloadNameId INTEGER PRIMARY KEY, payloadName TEXT UNIQUE);
    CREATE TABLE payloads (payloadId INTEGER PRIMARY KEY, payloadNameId INTEGER, revision INTEGER, checksum text, payloadUrl text, baseUrlId INTEGER);
    CREATE TABLE globaltags (globalTagId INTEGER PRIMARY KEY, globalTagName text UNIQUE, globalTagStatus text);
    CREATE TABLE iovs (globalTagId INTEGER, payloadId INTEGER, firstExp INTEGER, firstRun INTEGER, finalExp INTEGER, finalRun INTEGER);
    PRAGMA application_id = ${0xb2cdb}; PRAGMA user_version = 1;
    INSERT INTO payloadNames VALUES (1, 'Map'); INSERT INTO globaltags VALUES (1, 'main_2025', 'PUBLISHED');
    INSERT INTO payloads VALUES (1, 1, 4, '${createHash('md5').update('a map').digest('hex')}', NULL, 1); INSERT INTO iovs VALUES (1, 1, 0, 0, -1, -1);`);
  sqlite.close();
}

const run = (argv: readonly string[]) => {
  const [file = '', ...args] = argv;
  const { status, stdout, stderr } = spawnSync(file, args, { cwd: scene.directory, encoding: 'utf8' });
  return { status, stdout, stderr };
};

const hasSqliteShell = spawnSync('sqlite3', ['--version']).status === 0;

describe('docs/database.md', () => {
  it('shows commands that work, in the order of the page', () => {
    expect(blocks.length).toBeGreaterThan(3);
    for (const block of blocks) {
      if (block.includes('sqlite3 -readonly') && !hasSqliteShell) continue;
      const env = { ...process.env, NO_COLOR: '1', PATH: `${join(scene.directory, 'bin')}:${process.env.PATH}` };
      const ended = spawnSync('bash', ['-euo', 'pipefail', '-c', block], { cwd: scene.directory, env, encoding: 'utf8' });
      expect(ended.status, `${block}${ended.stdout}${ended.stderr}`).toBe(0);
      expect(ended.stdout).not.toBe('');
    }
    expect(readFileSync(join(scene.directory, 'for-old-basf2/database.txt'), 'utf8')).toContain('dbstore/Map 4 0,0,-1,-1');
  }, 60_000);

  it('names only files that are there', () => {
    for (const [, path = ''] of page.matchAll(/\]\((readers\/[^)]+)\)/g))
      expect(readFileSync(join(ROOT, 'docs', path), 'utf8')).not.toBe('');
  });
});

describe('the readers', () => {
  it.each(['localdb', 'conditions'])('%s.py gives the values of runs and events, or says that there is none', (reader) => {
    const directory = reader === 'localdb' ? localdb : conditions;
    const ask = (...args: string[]) => run(['python3', `docs/readers/${reader}.py`, directory, ...args]);
    expect([1, 2, 3].map((n) => JSON.parse(ask('Pedestals', '7', String(n)).stdout))).toEqual([{ mean: 1 }, { mean: 2 }, { mean: 3 }]);
    expect(['0', '9', '10'].map((event) => JSON.parse(ask('Beam', '7', '2', event).stdout))).toEqual([{ x: 2 }, { x: 2 }, { x: 20 }]);
    expect(ask('Pedestals', '7', '4')).toMatchObject({ status: 1, stderr: expect.stringContaining('no Pedestals is valid') });
  });

  const probe = spawnSync('g++', ['-fsyntax-only', '-x', 'c++', '-'], { input: '#include <sqlite3.h>\n' });
  it.skipIf(probe.status !== 0)(
    'localdb.cpp and conditions.cpp give the payload files of runs (skipped without g++ and libsqlite3-dev)',
    () => {
      for (const [reader, directory] of [
        ['localdb', localdb],
        ['conditions', conditions],
      ] as const) {
        const program = join(scene.directory, `${reader}-program`);
        const built = run(['g++', '-std=c++17', '-Wall', '-Werror', `docs/readers/${reader}.cpp`, '-lsqlite3', '-o', program]);
        expect(built.stderr).toBe('');
        expect([1, 2, 3].map((n) => run([program, directory, 'Pedestals', '7', String(n)]).stdout)).toEqual(
          [1, 2, 3].map((n) => `{"mean":${n}}\n`),
        );
        expect(run([program, directory, 'Beam', '7', '3']).stdout).toBe('{"boundaries":[10],"parts":[{"x":3},{"x":30}]}\n');
        expect(run([program, directory, 'Pedestals', '7', '4'])).toMatchObject({ status: 1, stdout: '' });
      }
    },
    120_000,
  );
});
