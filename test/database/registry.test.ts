// Branches and tags: which move, which stay, who wins, and what is left when a process is killed in between.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, cpSync, existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Journal } from '../../src/database/journal.ts';
import { listNames, nameVersion, reflogOf } from '../../src/database/names.ts';
import { findDatabase, openDatabase } from '../../src/database/open.ts';
import { readRefChanges } from '../../src/database/refs.ts';
import { currentRefs, REFS_FILE, readRefLines } from '../../src/database/refs-file.ts';
import { openRegistry } from '../../src/database/registry.ts';
import type { PublishedVersion } from '../../src/database/types.ts';
import { openForTest } from './journal-support.ts';
import { Bench, codeOf, temporaryDirectory } from './support.ts';

/** A results directory with a journal and the databases a, b, c. */
async function results(): Promise<{ readonly bench: Bench; readonly versions: readonly PublishedVersion[] }> {
  const bench = new Bench();
  openForTest(bench.root).close();
  const versions = [
    await bench.publish('a', [['A', 'a', '0,0,-1,-1']]),
    await bench.publish('b', [['A', 'b', '0,0,-1,-1']]),
    await bench.publish('c', [['A', 'c', '0,0,-1,-1']]),
  ];
  return { bench, versions };
}

const BY = { actor: 'physicist@login02', command: 'caf db tag' };
const name = (bench: Bench, kind: 'tag' | 'branch', ref: string, label: string | null, note = 'because') =>
  nameVersion(bench.root, { name: ref, kind, target: label === null ? null : join(bench.root, label), note, ...BY });
const tips = (root: string) => new Map([...currentRefs(readRefChanges(root))].map(([ref, { versionId }]) => [ref, versionId]));

/** A committed iteration, or the result, as caf run writes it down. The version id is made of the text. */
const version = (text: string) => ({
  versionId: Buffer.from(text.padEnd(32, '.')).toString('hex'),
  contentId: 'c'.repeat(64),
  viewId: 'd'.repeat(64),
});
function commit(journal: Journal, iteration: number, text: string): void {
  journal.append({ kind: 'iteration.started', calibration: 'gain', iteration, chainDigest: 'x', jobs: {} });
  journal.append({ kind: 'iteration.committed', calibration: 'gain', iteration, outcome: 'ok', ...version(text) });
}
const complete = (journal: Journal, iteration: number, text: string) =>
  journal.append({ kind: 'calibration.completed', calibration: 'gain', iteration, converged: true, payloads: 1, ...version(text) });

function begin(directory: string): Journal {
  const journal = openForTest(directory);
  journal.append({ kind: 'invocation.started', argv: [], version: '1', config: 'c', actor: 'physicist@login02' });
  const fingerprint = { collectors: {}, algorithms: {}, code: {} };
  journal.append({ kind: 'calibration.planned', calibration: 'gain', position: 0, fingerprint, reason: 'never run', redo: 'nothing' });
  return journal;
}

const moves = (root: string) =>
  readRefChanges(root).map(({ ref, old, new: now }) => {
    const text = (id: string | null) => (id === null ? '-' : Buffer.from(id, 'hex').toString().replaceAll('.', ''));
    return `${ref}: ${text(old)} > ${text(now)}`;
  });

describe('the branch of a calibration', () => {
  it('follows each iteration and the result', () => {
    const root = temporaryDirectory();
    const journal = begin(root);
    commit(journal, 0, 'g0');
    journal.commit();
    commit(journal, 1, 'g1');
    complete(journal, 1, 'result');
    journal.close();
    expect(moves(root)).toEqual(['gain: - > g0', 'gain: g0 > g1', 'gain: g1 > result']);
    expect(readRefChanges(root)[0]).toMatchObject({ kind: 'branch', directory: 'gain/0/localdb', actor: 'physicist@login02', seq: 1 });
  });

  it('goes on from a result when iterations are added, and does not move for a database that is kept', () => {
    const root = temporaryDirectory();
    const journal = begin(root);
    commit(journal, 0, 'g0');
    complete(journal, 0, 'r0');
    commit(journal, 1, 'g1');
    commit(journal, 1, 'g1');
    complete(journal, 1, 'r1');
    journal.close();
    expect(moves(root)).toEqual(['gain: - > g0', 'gain: g0 > r0', 'gain: r0 > g1', 'gain: g1 > r1']);
  });

  it('stays where it was when iteration 2 is done again: a new branch begins at iteration 1', () => {
    const root = temporaryDirectory();
    const journal = begin(root);
    for (const [iteration, text] of ['g0', 'g1', 'g2', 'g3'].entries()) commit(journal, iteration, text);
    journal.append({ kind: 'calibration.reset', calibration: 'gain', iteration: 2 });
    commit(journal, 2, 'h2');
    commit(journal, 3, 'h3');
    journal.append({ kind: 'calibration.reset', calibration: 'gain', iteration: 0 });
    commit(journal, 0, 'i0');
    journal.close();
    expect(moves(root).slice(4)).toEqual(['gain~2: - > g1', 'gain~2: g1 > h2', 'gain~2: h2 > h3', 'gain~3: - > i0']);
    const now = tips(root);
    expect([now.get('gain'), now.get('gain~2')]).toEqual([version('g3').versionId, version('h3').versionId]);
  });

  it('takes another name when somebody gave its own to a tag', async () => {
    const { bench } = await results();
    await name(bench, 'tag', 'gain', 'a');
    const journal = begin(bench.root);
    commit(journal, 0, 'g0');
    commit(journal, 1, 'g1');
    journal.close();
    expect(moves(bench.root).slice(1)).toEqual(['gain~2: - > g0', 'gain~2: g0 > g1']);
  });

  it('is seen once it is committed, without a file of its own before somebody gives a name', async () => {
    const root = temporaryDirectory();
    const journal = begin(root);
    commit(journal, 0, 'g0');
    journal.commit();
    expect(moves(root)).toEqual(['gain: - > g0']);
    commit(journal, 1, 'g1');
    expect(moves(root)).toEqual(['gain: - > g0']);
    journal.close();
    expect(existsSync(join(root, REFS_FILE))).toBe(false);
    expect(moves(root)).toEqual(['gain: - > g0', 'gain: g0 > g1']);
    (await openRegistry(root, { command: 'caf db tag' })).close();
    expect(readRefLines(root)).toEqual(readRefChanges(root));
    // Killed after the commit, within the line: the next one to open the registry adds it.
    const lines = readFileSync(join(root, REFS_FILE), 'utf8').split('\n');
    writeFileSync(join(root, REFS_FILE), `${lines[0]}\n${lines[1]?.slice(0, 40)}`);
    expect(moves(root)).toEqual(['gain: - > g0', 'gain: g0 > g1']);
    (await openRegistry(root, { command: 'caf db tag' })).close();
    expect(readRefLines(root)).toEqual(readRefChanges(root));
  });
});

describe('names by hand', () => {
  it('a tag is fixed, a branch moves, both can be removed with a note, and everything is remembered', async () => {
    const { bench, versions } = await results();
    const [a, b] = versions.map(({ versionId }) => versionId);
    await name(bench, 'tag', 'v1', 'a', '');
    expect(await codeOf(() => name(bench, 'tag', 'v1', 'b'))).toBe('CAF_DB_REF');
    await name(bench, 'tag', 'v1', 'a');
    await name(bench, 'branch', 'online', 'a');
    await name(bench, 'branch', 'online', 'b', 'new magnet');
    expect(await codeOf(() => name(bench, 'branch', 'online', 'c', ''))).toBe('CAF_USAGE');
    expect(await codeOf(() => name(bench, 'branch', 'v1', 'c'))).toBe('CAF_DB_REF');
    expect(Object.fromEntries(tips(bench.root))).toEqual({ v1: a, online: b });
    await name(bench, 'tag', 'v1', null, 'mistyped');
    expect(await codeOf(() => name(bench, 'tag', 'v1', null))).toBe('CAF_DB_REF');
    expect(reflogOf(bench.root, 'online').map(({ old, new: now, reason, actor }) => [old, now, reason, actor])).toEqual([
      [a, b, 'new magnet', BY.actor],
      [null, a, 'because', BY.actor],
    ]);
    expect(reflogOf(bench.root, 'v1')[0]).toMatchObject({ old: a, new: null, reason: 'mistyped' });
    for (const bad of ['gain~2', '-x', '', 'a/b', 'a@b']) expect(await codeOf(() => name(bench, 'tag', bad, 'a'))).toBe('CAF_DB_REF');
  });

  it('are good wherever a database is asked for, also after its directory was renamed or the whole was moved', async () => {
    const { bench, versions } = await results();
    await name(bench, 'tag', 'v1', 'a');
    const content = (path: string) => {
      const database = openDatabase(path);
      database.close();
      return database.versionId;
    };
    expect(content(`${bench.root}@v1`)).toBe(versions[0]?.versionId);
    renameSync(join(bench.root, 'a'), join(bench.root, 'a.reset'));
    expect(findDatabase(`${bench.root}@v1`)).toBe(join(bench.root, 'a.reset'));
    expect(content(`${bench.root}@${versions[1]?.versionId.slice(0, 12)}`)).toBe(versions[1]?.versionId);
    const moved = join(temporaryDirectory(), 'moved');
    cpSync(bench.root, moved, { recursive: true });
    expect(findDatabase(`${moved}@v1`)).toBe(join(moved, 'a.reset'));
    rmSync(join(bench.root, 'a.reset'), { recursive: true });
    expect(await codeOf(() => content(`${bench.root}@v1`))).toBe('CAF_DB_MISSING');
    expect(await codeOf(() => content(`${bench.root}@v2`))).toBe('CAF_DB_REF');
    expect(listNames(bench.root, false).refs).toMatchObject([{ name: 'v1', state: 'missing', directory: null }]);
  });

  it('wait for no campaign: who holds the results directory is said', async () => {
    const { bench } = await results();
    const journal = openForTest(bench.root, { command: 'caf run caf.config.ts' });
    await expect(name(bench, 'tag', 'v1', 'a')).rejects.toThrow(new RegExp(`in use by .* pid ${process.pid} \\(caf run caf.config.ts\\)`));
    journal.close();
    await name(bench, 'tag', 'v1', 'a');
  });

  it('a dry run says what would be, and changes nothing', async () => {
    const { bench, versions } = await results();
    const request = { name: 'v1', kind: 'tag' as const, target: join(bench.root, 'a'), note: '', dryRun: true, ...BY };
    expect(await nameVersion(bench.root, request)).toMatchObject({ old: null, new: versions[0]?.versionId, dryRun: true });
    expect(tips(bench.root).size).toBe(0);
  });
});

describe('the registry', () => {
  it('is rebuilt from the directories and caf.refs, and tells what cannot be read', async () => {
    const { bench, versions } = await results();
    await name(bench, 'tag', 'v1', 'a');
    const before = listNames(bench.root, true);
    for (const file of ['caf.db', 'caf.db-wal', 'caf.db-shm']) rmSync(join(bench.root, file), { force: true });
    openForTest(bench.root).close();
    const registry = await openRegistry(bench.root, { command: 'caf db reindex' });
    onTestFinished(() => registry.close());
    const report = registry.reindex();
    expect(report.versions.map(({ versionId, directory }) => [versionId, directory])).toEqual(
      versions.map(({ versionId }, index) => [versionId, 'abc'[index]]),
    );
    expect(report.refs).toBe(1);
    expect(listNames(bench.root, true)).toEqual(before);
    rmSync(join(bench.root, 'b', 'conditions.sqlite'));
    rmSync(join(bench.root, 'b', 'database.txt'));
    expect(registry.reindex()).toMatchObject({ versions: { length: 2 }, problems: [{ directory: join(bench.root, 'b') }] });
  });

  it('follows caf.refs where an older caf.db was put back', async () => {
    const { bench } = await results();
    await name(bench, 'tag', 'v1', 'a');
    cpSync(join(bench.root, 'caf.db'), join(bench.root, 'caf.db.backup'));
    await name(bench, 'tag', 'v2', 'b');
    cpSync(join(bench.root, 'caf.db.backup'), join(bench.root, 'caf.db'));
    await name(bench, 'tag', 'v3', 'c');
    expect([...tips(bench.root).keys()]).toEqual(['v1', 'v2', 'v3']);
    expect(readRefChanges(bench.root).map(({ seq }) => seq)).toEqual([1, 2, 3]);
    expect(await codeOf(() => name(bench, 'tag', 'v2', 'c'))).toBe('CAF_DB_REF');
  });

  it('names the line of caf.refs that cannot be read', async () => {
    const { bench } = await results();
    await name(bench, 'tag', 'v1', 'a');
    appendFileSync(join(bench.root, REFS_FILE), '{"seq":2}\n');
    await expect(name(bench, 'tag', 'v2', 'b')).rejects.toThrow(/caf\.refs:2: not change 2/);
  });
});

const CHILD = join(import.meta.dirname, 'registry-child.ts');

function start(...args: readonly string[]): { readonly child: ChildProcess; readonly lines: AsyncIterator<string> } {
  const child = spawn(process.execPath, [CHILD, ...args], { stdio: ['pipe', 'pipe', 'inherit'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  return { child, lines: createInterface({ input: child.stdout as NodeJS.ReadableStream })[Symbol.asyncIterator]() };
}
const next = async (lines: AsyncIterator<string>): Promise<string> => String((await lines.next()).value);

describe('several processes', () => {
  it('of those that race for one ref exactly one wins; the others are told that it moved', async () => {
    const { bench, versions } = await results();
    await name(bench, 'branch', 'online', 'a');
    const from = versions[0]?.versionId ?? '';
    const racers = ['b', 'c', 'b', 'c'].map((label) => start('race', bench.root, from, join(bench.root, label)));
    for (const { lines } of racers) expect(await next(lines)).toBe('ready');
    for (const { child } of racers) child.stdin?.write('go\n');
    const outcomes = await Promise.all(racers.map(({ lines }) => next(lines)));
    const winner = readRefChanges(bench.root)[1]?.actor.endsWith('/b') ? 'b' : 'c';
    // Those who wanted the very version that it has now got what they asked for.
    const [wanted, other] = [outcomes.filter((_, i) => 'bcbc'[i] === winner), outcomes.filter((_, i) => 'bcbc'[i] !== winner)];
    expect(wanted).toEqual(['won', 'won']);
    expect(other).toEqual(['CAF_DB_REF_MOVED', 'CAF_DB_REF_MOVED']);
    expect(readRefChanges(bench.root)).toHaveLength(2);
  });

  it('one that is killed while it moves a ref leaves it old or new, whole, and the next one goes on', async () => {
    const { bench, versions } = await results();
    const ids = versions.map(({ versionId }) => versionId);
    for (let round = 0; round < 5; round += 1) {
      const { child, lines } = start('to-and-fro', bench.root, join(bench.root, 'a'), join(bench.root, 'b'));
      for (let moved = 0; moved <= round * 2; moved += 1) await next(lines);
      const last = await next(lines);
      child.kill('SIGKILL');
      await once(child, 'exit');
      const told = readRefChanges(bench.root);
      expect(told.map(({ seq }) => seq)).toEqual(told.map((_, index) => index + 1));
      expect(told.some(({ new: now }) => now === last)).toBe(true);
      await name(bench, 'branch', 'online', 'c');
      const after = readRefChanges(bench.root);
      expect(after.every(({ old }, index) => index === 0 || old === after[index - 1]?.new)).toBe(true);
      expect(after.at(-1)?.new).toBe(ids[2]);
    }
  });
});
