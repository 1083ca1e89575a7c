// Local databases against the bare statement, the bare disk and the bars: lookups, commits, imports of a million lines, payloads of any size.
import { mkdirSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { describeDatabase, openChain } from '../src/database/chain.ts';
import { parseDatabaseText } from '../src/database/database-text.ts';
import { RUNS_PER_EXPERIMENT, type Run } from '../src/domain/iov.ts';
import { type Benchmark, caf, megabytes, type Row, times } from './benchmark.ts';
import { commitsOnDisks } from './commit-disks.ts';
import { best, entriesFor, publish } from './commits.ts';
import { bestOf, type Cost } from './measure.ts';

const NAMES = 20;
const INTERVALS = 40;
const CHAIN = 50;
const LOOKUPS = 100_000;
const LINES = 1_000_000;
const MB = 1e6;

export const conditions: Benchmark = {
  name: 'conditions',
  run: async (directory, rounds) => [
    ...(await lookups(join(directory, 'lookups'), rounds)),
    ...commitsOnDisks(directory, rounds),
    ...(await imports(join(directory, 'imports'), rounds)),
    ...(await largePayloads(join(directory, 'large'))),
  ],
};

async function lookups(directory: string, rounds: number): Promise<readonly Row[]> {
  const objects = join(directory, 'objects');
  const entries = await entriesFor(objects, NAMES, INTERVALS, INTERVALS);
  await publish(entries, join(directory, 'base'), objects);
  for (let n = 1; n < CHAIN; n++) await publish([{ ...entries[n % 7]!, iov: [9, n, 9, n] }], join(directory, `top${n}`), objects);
  const asked = Array.from({ length: LOOKUPS }, (_, n): readonly [string, Run] => [
    `P${(n * 7) % NAMES}`,
    [7, (n * 7919) % (10 * INTERVALS)],
  ]);
  const base = describeDatabase(join(directory, 'base'));
  const above = Array.from({ length: CHAIN - 1 }, (_, n) => describeDatabase(join(directory, `top${n + 1}`)));

  const sqlite = new Database(join(directory, 'base', 'conditions.sqlite'), { readonly: true });
  const ids = new Map(sqlite.prepare('SELECT name, name_id FROM name').raw().all() as [string, number][]);
  const statement = sqlite.prepare(
    `SELECT s.lo, s.hi, p.rev, p.sha256, s.seq FROM seg s JOIN payload p USING(payload_id)
     WHERE s.name_id = CAST(? AS INTEGER) AND s.lo <= CAST(? AS INTEGER) ORDER BY s.lo DESC LIMIT 1`,
  );
  sqlite.exec('BEGIN');
  const bare = await best(rounds, () => {
    for (const [name, [experiment, run]] of asked) statement.get(ids.get(name), experiment * RUNS_PER_EXPERIMENT + run);
  });
  sqlite.close();

  const chained = async (members: readonly (typeof base)[]): Promise<Cost> => {
    const chain = openChain({ v: 1, databases: members });
    const cost = await best(rounds, () => {
      for (const [name, run] of asked) if (chain.lookup(name, run) === null) throw new Error(`no ${name} for ${run}`);
    });
    chain.close();
    return cost;
  };
  const one = await chained([base]);
  const fifty = await chained([...above, base]);
  const each = (cost: Cost) => `${((1000 * cost.cpu) / LOOKUPS).toFixed(2)} us`;
  return [
    row('100,000 lookups, one database', bare, one, one.cpu / bare.cpu, 1.3, 'the bare statement', each(one)),
    row('100,000 lookups, a chain of 50', one, fifty, fifty.cpu / one.cpu, 2, 'one database', each(fifty)),
  ];
}

async function imports(directory: string, rounds: number): Promise<readonly Row[]> {
  mkdirSync(directory);
  const names = 200;
  const revisions = 5;
  for (let n = 0; n < names * revisions; n++)
    writeFileSync(join(directory, `dbstore_P${n % names}_rev_${1 + Math.floor(n / names)}.root`), `${n}`);
  const line = (n: number, experiment: number, run: number): string =>
    `dbstore/P${n % names} ${1 + (n % revisions)} ${experiment},${run},${experiment},${n % 10 === 0 ? -1 : run + (n % 30)}\n`;
  const random = createRandom();
  const regular = Array.from({ length: LINES }, (_, n) => line(n, (n * 31) % 40, (n * 7919) % 6000)).join('');
  const shuffled = Array.from({ length: LINES }, (_, n) => line(n, Math.floor(40 * random()), Math.floor(6000 * random()))).join('');
  writeFileSync(join(directory, 'regular.txt'), regular);
  writeFileSync(join(directory, 'shuffled.txt'), shuffled);
  const parsed = await best(rounds, () => parseDatabaseText(regular));
  const imported = async (file: string): Promise<Cost> => {
    const costs: Cost[] = [];
    for (let round = 0; round < rounds; round++) costs.push(await caf(['db', 'import', file, '--into', `${file}.${round}`], directory));
    return bestOf(costs);
  };
  return [
    speed('1,000,000 lines of database.txt parsed', parsed, 400_000),
    speed('1,000,000 lines imported and published', await imported('regular.txt'), 150_000),
    speed('the same in random order of intervals', await imported('shuffled.txt'), 150_000),
  ];
}

/** The same numbers from 0 to 1 each time (xorshift). */
function createRandom(): () => number {
  let state = 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

async function largePayloads(directory: string): Promise<readonly Row[]> {
  mkdirSync(directory);
  const cost = async (bytes: number): Promise<Cost> => {
    const from = join(directory, String(bytes));
    mkdirSync(from);
    writeFileSync(join(from, 'dbstore_Map_rev_1.root'), '');
    truncateSync(join(from, 'dbstore_Map_rev_1.root'), bytes);
    writeFileSync(join(from, 'database.txt'), 'dbstore/Map 1 0,0,-1,-1\n');
    return caf(['db', 'import', 'database.txt', '--into', 'db'], from);
  };
  const small = await cost(1 * MB);
  const large = await cost(400 * MB);
  const growth = large.rssBytes - small.rssBytes;
  const bar = `${megabytes(20 * MB)} more than for 1 MB`;
  return [
    { name: 'a payload of 400 MB imported', floor: small, caf: large, figure: `${megabytes(growth)} more`, bar, holds: growth <= 20 * MB },
  ];
}

function row(name: string, floor: Cost, own: Cost, ratio: number, limit: number, than: string, each: string): Row {
  const figure = each === '' ? times(ratio) : `${times(ratio)}, ${each}`;
  return { name, floor, caf: own, figure, bar: `${limit} x ${than}`, holds: ratio <= limit };
}

function speed(name: string, own: Cost, atLeast: number): Row {
  const perSecond = (1000 * LINES) / own.cpu;
  const bar = `${Math.round((1000 * LINES) / atLeast)} ms of processor (${atLeast / 1000} k lines/s)`;
  return {
    name,
    floor: null,
    caf: own,
    figure: `${Math.round(perSecond / 1000)} k lines/s${own.rssBytes === 0 ? '' : `, ${megabytes(own.rssBytes)}`}`,
    bar,
    holds: perSecond >= atLeast,
  };
}
