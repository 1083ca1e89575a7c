// On network file systems (CAF_FILESYSTEM says so here) payloads are copied, never linked; elsewhere they are links to the object store.
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, it, vi } from 'vitest';
import { flattenChain, writeConditionsDirectory } from '../../src/database/flatten.ts';
import { publishDatabase } from '../../src/database/publish.ts';
import { verifyDatabase } from '../../src/database/verify.ts';
import { Bench, transaction } from './support.ts';

afterEach(() => vi.unstubAllEnvs());

const linksOf = (directory: string): number[] =>
  readdirSync(directory)
    .filter((file) => file.startsWith('A_rev'))
    .map((file) => statSync(join(directory, file)).nlink);

it.each([
  ['network', [1, 1]],
  ['local', [3, 3]],
])('on a %s file system each payload file has %j links', async (kind, links) => {
  vi.stubEnv('CAF_FILESYSTEM', kind);
  const bench = new Bench();
  const { directory } = await bench.publish('db', [
    ['A', 'one', '1,0,1,9'],
    ['A', 'two', '2,0,2,9'],
  ]);
  const chain = bench.chain('db');
  const conditions = join(bench.root, 'conditions');
  await writeConditionsDirectory(chain, conditions);
  chain.close();
  expect([linksOf(directory), linksOf(conditions)]).toEqual([links, links]);
  const flat = await flattenChain(bench.lock('db'), { directory: join(bench.root, 'flat'), objects: bench.objects });
  expect(linksOf(flat.directory).every((count) => (kind === 'network' ? count === 1 : count === 4))).toBe(true);
  expect(await verifyDatabase(flat.directory)).toMatchObject({ ok: true });
});

it('the order of entries is that of the commits, also when the clock went backwards', async () => {
  const bench = new Bench();
  const later = transaction({ at: '2026-01-02T03:04:05.000Z' });
  const earlier = transaction({ at: '2026-01-01T00:00:00.000Z', algorithm: 'second' });
  const input = bench.input([
    ['A', 'first', '1,0,1,9'],
    ['A', 'second', '1,0,1,9'],
  ]);
  const entries = input.entries.map((entry, index) => ({ ...entry, transaction: index }));
  await publishDatabase(
    { ...input, entries, transactions: [later, earlier] },
    { directory: join(bench.root, 'db'), objects: bench.objects },
  );
  const chain = bench.chain('db');
  expect(chain.read(chain.lookup('A', [1, 5])!).toString()).toBe('second');
  chain.close();
});
