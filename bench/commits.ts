// Commits of an iteration against the bare disk: the same bytes in one file, and the same files without a database.
import { closeSync, fsyncSync, linkSync, mkdirSync, openSync, readdirSync, readFileSync, renameSync, statSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { publishDatabase } from '../src/database/publish.ts';
import type { EntryInput, TransactionInput } from '../src/database/types.ts';
import { encodePayload } from '../src/payloads/codec.ts';
import { putValue, syncObjects } from '../src/payloads/store.ts';
import { type Row, times } from './benchmark.ts';
import { bestOf, type Cost } from './measure.ts';

const NAMES = 20;
const COMMIT_BAR = 1.5;

/** Wall and processor time of this process, quickest of the rounds. */
export async function best(rounds: number, work: (round: number) => unknown): Promise<Cost> {
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
export async function entriesFor(objects: string, names: number, intervals: number, values: number, label = ''): Promise<EntryInput[]> {
  const entries: EntryInput[] = [];
  for (let name = 0; name < names; name++) {
    for (let index = 0; index < intervals; index++) {
      const value = await putValue(objects, `P${name}`, encodePayload({ name, label, value: index % values }));
      entries.push({ payload: { ...value, iov: null }, iov: [7, 10 * index, 7, 10 * index + 9], transaction: 0 });
    }
  }
  return entries;
}

export const publish = (entries: readonly EntryInput[], directory: string, objects: string) =>
  publishDatabase({ entries, transactions: [TRANSACTION], parents: [], chain: null }, { directory, objects });

/**
 * A commit is as fast as the disk: what counts is wall time, in turn with the floor. The floor puts the same bytes there as one file, in the least
 * that survives a crash: one write, fsync, rename, fsync of the directory.
 */
export async function commits(directory: string, rounds: number, disk = ''): Promise<readonly Row[]> {
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
    const name = `commit of 200 intervals, ${isNew ? 'new' : 'known'} payloads${disk}`;
    const milliseconds = `${bare.wall.toFixed(2)} and ${published.wall.toFixed(1)} ms`;
    rows.push({ name, floor: bare, caf: published, figure: `${times(ratio)}, ${milliseconds}`, bar, holds: ratio <= COMMIT_BAR });
    if (isNew) continue;
    const same = bestOf(alike);
    const figure = `${times(published.wall / same.wall)}, floor ${same.wall.toFixed(1)} ms`;
    rows.push({ name: `the same, against a copy of its files${disk}`, floor: same, caf: published, figure, bar: '', holds: true });
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
