// Local databases against the bare statement, the bare disk and the bars: lookups, commits, imports of a million lines, payloads of any size.
import {
  closeSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import Database from 'better-sqlite3';
import { describeDatabase, openChain } from '../src/database/chain.ts';
import { parseDatabaseText } from '../src/database/database-text.ts';
import { publishDatabase } from '../src/database/publish.ts';
import type { EntryInput, TransactionInput } from '../src/database/types.ts';
import { RUNS_PER_EXPERIMENT, type Run } from '../src/domain/iov.ts';
import { encodePayload } from '../src/payloads/codec.ts';
import { putValue, syncObjects } from '../src/payloads/store.ts';
import { type Benchmark, caf, megabytes, type Row, times } from './benchmark.ts';
import { bestOf, type Cost } from './measure.ts';

const NAMES = 20;
const INTERVALS = 40;
const CHAIN = 50;
const LOOKUPS = 100_000;
const LINES = 1_000_000;
/** Rounds of a commit, for one of anything else: each takes some milliseconds, and the first ones run code that is not yet compiled. */
const COMMITS = 20;
const COMMIT_BAR = 1.5;
const MB = 1e6;

export const conditions: Benchmark = {
  name: 'conditions',
  run: async (directory, rounds) => [
    ...(await lookups(join(directory, 'lookups'), rounds)),
    ...(await commits(join(directory, 'commits'), COMMITS * rounds)),
    ...(await imports(join(directory, 'imports'), rounds)),
    ...(await largePayloads(join(directory, 'large'))),
  ],
};

/** Wall and processor time of this process, quickest of the rounds. */
async function best(rounds: number, work: (round: number) => unknown): Promise<Cost> {
  const costs: Cost[] = [];
  for (let round = 0; round < rounds; round++) {
    const [cpu, start] = [process.cpuUsage(), performance.now()];
    await work(round);
    const { user, system } = process.cpuUsage(cpu);
    costs.push({ wall: performance.now() - start, cpu: (user + system) / 1000, rssBytes: 0, stdout: '' });
  }
  return bestOf(costs);
}

const TRANSACTION: TransactionInput = {
  at: '2026-01-02T03:04:05.000Z',
  actor: 'bench@here',
  calibration: 'bench',
  algorithm: 'bench',
  iteration: 0,
  attempt: 1,
  collectorJob: null,
  inputsDigest: null,
  codeDigest: null,
  configDigest: null,
  message: '',
};

/** `intervals` entries for each of `names` names, of `values` payloads each; other payloads for another label. */
async function entriesFor(objects: string, names: number, intervals: number, values: number, label = ''): Promise<EntryInput[]> {
  const entries: EntryInput[] = [];
  for (let name = 0; name < names; name++) {
    for (let index = 0; index < intervals; index++) {
      const value = await putValue(objects, `P${name}`, encodePayload({ name, label, value: index % values }));
      entries.push({ payload: { ...value, iov: null }, iov: [7, 10 * index, 7, 10 * index + 9], transaction: 0 });
    }
  }
  return entries;
}

const publish = (entries: readonly EntryInput[], directory: string, objects: string) =>
  publishDatabase({ entries, transactions: [TRANSACTION], parents: [], chain: null }, { directory, objects });

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

/**
 * A commit is as fast as the disk: what counts is wall time, in turn with the floor. The floor puts the same bytes there as one file, in the least
 * that survives a crash: one write, fsync, rename, fsync of the directory.
 */
async function commits(directory: string, rounds: number): Promise<readonly Row[]> {
  const objects = join(directory, 'objects');
  const bar = `${COMMIT_BAR} x one write and two fsyncs`;
  const known = await entriesFor(objects, NAMES, 10, 2);
  await syncObjects(objects, new Set(known.map(({ payload }) => payload.sha256)));
  const rows: Row[] = [];
  for (const isNew of [false, true]) {
    const floors: Cost[] = [];
    const alike: Cost[] = [];
    const own: Cost[] = [];
    for (let round = 0; round < rounds; round++) {
      const entries = isNew ? await entriesFor(objects, NAMES, 10, 2, `round ${round}`) : known;
      const at = join(directory, `${isNew ? 'new' : 'known'}${round}`);
      own.push(await best(1, () => publish(entries, at, objects)));
      const bytes = Buffer.alloc(bytesWritten(at, isNew), 1);
      floors.push(await best(1, () => writeAndSync(`${at}.floor`, bytes)));
      const files = filesOf(at);
      if (!isNew) alike.push(await best(1, () => placeAlike(files, `${at}.alike`)));
    }
    const [bare, published] = [bestOf(floors), bestOf(own)];
    const ratio = published.wall / bare.wall;
    const name = `commit of 200 intervals, ${isNew ? 'new' : 'known'} payloads`;
    const milliseconds = `${bare.wall.toFixed(2)} and ${published.wall.toFixed(1)} ms`;
    rows.push({ name, floor: bare, caf: published, figure: `${times(ratio)}, ${milliseconds}`, bar, holds: ratio <= COMMIT_BAR });
    if (isNew) continue;
    const same = bestOf(alike);
    const figure = `${times(published.wall / same.wall)}, floor ${same.wall.toFixed(1)} ms`;
    rows.push({ name: 'the same, against a copy of its files', floor: same, caf: published, figure, bar: '', holds: true });
  }
  return rows;
}

/** The files of a database; `bytes` of those that are its own, null for linked payloads. */
const filesOf = (directory: string): readonly { readonly name: string; readonly path: string; readonly bytes: Buffer | null }[] =>
  readdirSync(directory).map((name) => {
    const path = join(directory, name);
    return { name, path, bytes: statSync(path).nlink === 1 ? readFileSync(path) : null };
  });

/** What any program pays for such a directory: its links, its files, an fsync of each, of the directory, and of the parent after the rename. */
function placeAlike(files: ReturnType<typeof filesOf>, to: string): void {
  mkdirSync(`${to}.tmp`);
  for (const { name, path, bytes } of files) {
    const target = join(`${to}.tmp`, name);
    if (bytes === null) {
      linkSync(path, target);
      continue;
    }
    const file = openSync(target, 'wx');
    writeSync(file, bytes);
    fsyncSync(file);
    closeSync(file);
  }
  syncDirectory(`${to}.tmp`);
  renameSync(`${to}.tmp`, to);
  syncDirectory(dirname(to));
}

/** Payloads that were there before are linked. */
const bytesWritten = (directory: string, areNew: boolean): number =>
  readdirSync(directory)
    .map((file) => statSync(join(directory, file)))
    .filter(({ nlink }) => areNew || nlink === 1)
    .reduce((sum, { size }) => sum + size, 0);

function writeAndSync(path: string, bytes: Buffer): void {
  const file = openSync(`${path}.tmp`, 'wx');
  writeSync(file, bytes);
  fsyncSync(file);
  closeSync(file);
  renameSync(`${path}.tmp`, path);
  syncDirectory(dirname(path));
}

function syncDirectory(path: string): void {
  const directory = openSync(path, 'r');
  fsyncSync(directory);
  closeSync(directory);
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
