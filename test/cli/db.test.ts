// `caf db` from the command line: the answer on stdout, exit codes, and the same shapes for machines.
import { chmodSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { main } from '../../src/cli/main.ts';
import { publishDatabase } from '../../src/database/publish.ts';
import { encodePayload } from '../../src/payloads/codec.ts';
import { putValue } from '../../src/payloads/store.ts';
import type { Io, Stream } from '../../src/report/io.ts';
import { openForTest } from '../database/journal-support.ts';
import { Bench, type Row, sha256, transaction } from '../database/support.ts';

interface Ended {
  readonly out: string;
  readonly err: string;
  readonly code: number;
}

async function caf(cwd: string, ...argv: string[]): Promise<Ended> {
  let code = 0;
  const texts = { out: '', err: '' };
  const stream = (name: 'out' | 'err'): Stream => ({
    write: (text) => {
      texts[name] += typeof text === 'string' ? text : Buffer.from(text).toString('utf8');
    },
    isTTY: false,
    columns: 120,
    rows: 24,
    isClosed: false,
    onResize: () => () => undefined,
    onClose: () => () => undefined,
  });
  const io: Io = {
    stdout: stream('out'),
    stderr: stream('err'),
    env: { LANG: 'C.UTF-8' },
    cwd,
    setExitCode: (value) => {
      code = value;
    },
  };
  await main(['db', ...argv], io);
  return { ...texts, code };
}

const ROWS: Row[] = [
  ['Alignment', 'good', '1,0,1,10'],
  ['Alignment', 'better', '1,5,-1,-1'],
];

async function bench(): Promise<Bench> {
  const made = new Bench();
  await made.publish('a', ROWS);
  await made.publish('b', [['Alignment', 'base', '0,0,-1,-1']]);
  const payload = { ...(await putValue(made.objects, 'Pedestals', encodePayload({ mean: [1.5] }))), iov: null };
  await publishDatabase(
    { entries: [{ payload, iov: [7, 12, 7, 12], transaction: 0 }], transactions: [transaction()], parents: [], chain: null },
    { directory: join(made.root, 'values'), objects: made.objects },
  );
  return made;
}

describe('caf db', () => {
  it('shows a table for people and a document for machines', async () => {
    const { root } = await bench();
    const { out, code } = await caf(root, 'show', 'a');
    expect(code).toBe(0);
    expect(out.replace(/version \w{12}/, 'version <id>')).toMatchInlineSnapshot(`
      "a   committed   version <id>   2 entries   2 payloads

      payload     valid        revision   hash       made by                size
      Alignment   1:0 – 1:10   755f85     770e6076   pedestals means it 0   4 bytes
      Alignment   1:5 – open   851800     d7d5dcc3   pedestals means it 0   6 bytes
      "
    `);
    const shown = JSON.parse((await caf(root, 'show', 'a', '--json')).out);
    expect(shown).toMatchObject({ v: 1, state: 'committed', entries: [{ seq: 1, name: 'Alignment', iov: [1, 0, 1, 10] }, { seq: 2 }] });
    expect(shown.view.map((segment: { iov: number[] }) => segment.iov)).toEqual([
      [1, 0, 1, 4],
      [1, 5, -1, -1],
    ]);
  });

  it('gets bytes and values', async () => {
    const { root } = await bench();
    expect((await caf(root, 'get', 'a', 'Alignment', '1', '4')).out).toBe('good');
    expect((await caf(root, 'get', 'values', 'Pedestals', '7', '12')).out).toBe('{"mean":[1.5]}\n');
    expect(JSON.parse((await caf(root, 'get', 'values', 'Pedestals', '7', '12', '--json')).out)).toMatchObject({
      v: 1,
      name: 'Pedestals',
      effective: [7, 12, 7, 12],
      iov: [7, 12, 7, 12],
      madeBy: { calibration: 'pedestals', algorithm: 'means', iteration: 0 },
      value: { mean: [1.5] },
    });
    const missing = await caf(root, 'get', 'a', 'Alignment', '0', '4');
    expect([missing.code, missing.out]).toEqual([1, '']);
    expect(missing.err).toMatch(/CAF_DB_NOT_FOUND/);
    expect((await caf(root, 'get', 'a', 'Alignment', 'x', '4')).code).toBe(2);
  });

  it('compares, flattens, tells the chain and the log', async () => {
    const { root } = await bench();
    expect(JSON.parse((await caf(root, 'diff', 'b', 'a', '--json')).out).changes[0]).toEqual({
      name: 'Alignment',
      iov: [0, 0, 0, -1],
      from: sha256('base'),
      to: null,
    });
    expect((await caf(root, 'diff', 'a', 'a')).out).toBe('no difference: both give the same answers\n');
    const flattened = await caf(root, 'flatten', 'a', 'b', '--into', 'flat', '--iov', '0,0,1,7', '--json');
    expect(JSON.parse(flattened.out)).toMatchObject({ v: 1, entries: 3, directory: join(root, 'flat') });
    expect((await caf(root, 'flatten', 'a', '--into', 'flat')).code).toBe(2);
    expect(JSON.parse((await caf(root, 'chain', 'flat', '--json')).out).databases).toMatchObject([
      { found: 'as locked' },
      { found: 'as locked' },
    ]);
    expect((await caf(root, 'chain', 'flat')).out).toMatch(/highest priority first/);
    expect(JSON.parse((await caf(root, 'log', 'flat', '--json')).out).parents).toHaveLength(2);
    expect((await caf(root, 'log', 'flat')).out).toMatch(/physicist@login02.*pedestals means it 0/);
  });

  it('tags, moves branches and tells who did it; a name is good where a path is', async () => {
    const { root } = await bench();
    openForTest(root).close();
    expect((await caf(root, 'tag', 'v1', 'a')).out).toMatch(/tag v1 → version \w{12}/);
    expect((await caf(root, 'show', 'v1')).out).toMatch(/Alignment/);
    expect(JSON.parse((await caf(root, 'diff', 'v1', '@v1', '--json')).out).changes).toEqual([]);
    expect((await caf(root, 'tag', 'v1', 'b')).code).toBe(2);
    expect((await caf(root, 'branch', 'online', 'v1')).code).toBe(2);
    expect((await caf(root, 'branch', 'online', 'v1', '--note', 'begin')).code).toBe(0);
    expect((await caf(root, 'state', 'v1', 'validated', '--note', 'looked at')).out).toMatch(/validated.*looked at/);
    const { refs, versions } = JSON.parse((await caf(root, 'ls', '--all', '--json')).out);
    expect(refs).toMatchObject([
      { name: 'v1', kind: 'tag', state: 'validated' },
      { name: 'online', kind: 'branch', state: 'validated' },
    ]);
    expect(versions).toHaveLength(3);
    expect((await caf(root, 'tag')).out).not.toMatch(/online/);
    expect((await caf(root, 'branch', 'online')).out).toMatch(/online/);
    expect((await caf(root, 'reflog', 'online')).out).toMatch(/online .* begin/);
    expect((await caf(root, 'tag', 'v1', '--delete', '--note', 'mistyped', '--dry-run')).out).toMatch(/would be: the tag v1 is removed/);
    expect((await caf(root, 'show', 'v7')).err).toMatch(/There is no tag or branch v7/);
    expect((await caf(root, 'reindex', '--dry-run')).out).toBe('3 versions, 2 changes of names; nothing was written\n');
    expect((await caf(root, 'reindex')).out).toMatch(/3 versions, 2 changes of names/);
  });

  it('merges, updates and repairs into new directories, with a note or as a dry run', async () => {
    const { root } = await bench();
    const dry = await caf(root, 'merge', 'a', 'b', '--base', 'none', '--dry-run');
    expect([dry.code, dry.err]).toEqual([1, '']);
    expect(dry.out).toMatch(/from no common version {3}0 conflicts decided {3}2 open/);
    const refused = await caf(root, 'merge', 'a', 'b', '--base', 'none', '--into', 'm', '--note', 'x');
    expect([refused.code, existsSync(join(root, 'm'))]).toEqual([1, false]);
    expect(refused.err).toMatch(/CAF_DB_CONFLICT[\s\S]*Alignment 1,0,1,4/);
    const { conflicts } = JSON.parse((await caf(root, 'merge', 'a', 'b', '--base', 'none', '--dry-run', '--json')).out);
    writeFileSync(join(root, 'merge.json'), JSON.stringify({ conflicts: conflicts.map((one: object) => ({ ...one, take: 'ours' })) }));
    const merged = await caf(root, 'merge', 'a', 'b', '--base', 'none', '--resolve', 'merge.json', '--into', 'm', '--note', 'x');
    expect([merged.code, merged.err]).toEqual([0, '']);
    expect(JSON.parse((await caf(root, 'diff', 'a', 'm', '--json')).out).changes.map(({ iov }: { iov: number[] }) => iov)).toEqual([
      [0, 0, 0, -1],
    ]);

    expect((await caf(root, 'fill-gaps', 'a', '--into', 'f')).err).toMatch(/needs a note/);
    expect((await caf(root, 'fill-gaps', 'values', '--open-last', '--dry-run')).out).toMatch(
      /Pedestals +7:13 – open[\s\S]*nothing was made/,
    );
    const extended = await caf(root, 'extend', 'values', 'Pedestals', '--iov', '9,0,9,-1', '--into', 'e', '--note', 'cosmics', '--json');
    expect(JSON.parse(extended.out)).toMatchObject({ changes: [{ iov: [9, 0, 9, -1], from: null }], published: { entries: 2 } });
    const update = await caf(root, 'running-update', 'b', 'values', '--allow-closed', '--run', '7', '0', '--dry-run');
    expect(update.out).toMatch(/is committed; this chain takes only[\s\S]*create +Pedestals +7:12[\s\S]*nothing was made/);
    expect((await caf(root, 'running-update', 'b', 'a', '--run', '1', '0', '--dry-run')).err).toMatch(
      /CAF_DB_UPDATE[\s\S]*Alignment 1,5,-1,-1\s+overlaps the one before/,
    );
    expect((await caf(root, 'running-update', 'b', 'a', '--run', '1,0,3', '--dry-run')).err).toMatch(/found 3 numbers/);
    expect((await caf(root, 'running-update', 'b', 'a', '--run', '1', '0', '--simple', '--fix-closed')).code).toBe(2);
  });

  it('explains, blames, finds gaps, plans uploads and says what flattening would give', async () => {
    const { root } = await bench();
    openForTest(root).close();
    const explained = await caf(root, 'lookup', 'a', 'Alignment', '0', '5', '--below', 'values', '--below', 'b', '--explain');
    expect(explained.out).toMatch(/^Alignment for run 0:5 {3}revision \w+ .* from .*b\n/);
    expect(explained.out).toMatch(
      /1 {2}not valid .*not for this run \(after: 1,0,1,4\)\n2 {2}unknown name .*\n3 {2}✔ answers .*: entry 1 of 1/,
    );
    expect((await caf(root, 'lookup', 'a', 'Alignment', '0', '5', '--explain')).code).toBe(1);
    expect(JSON.parse((await caf(root, 'lookup', 'a', 'Alignment', '1', '7', '--json')).out)).toMatchObject({
      v: 1,
      effective: [1, 5, -1, -1],
    });
    const blamed = await caf(root, 'blame', 'Alignment', '1', '7');
    expect([blamed.code, blamed.out.match(/pedestals means it 0/g)?.length]).toEqual([0, 2]);
    expect((await caf(root, 'blame', 'Alignment', '1', '7', '--in', 'a', '--json')).out).toMatch(/"iov":\[1,5,-1,-1\].*"iov":\[1,0,1,10\]/);
    writeFileSync(join(root, 'runs.txt'), '7 12\n7 13\n');
    expect((await caf(root, 'gaps', 'values', '--runs', 'runs.txt')).out).toBe('Pedestals has no answer for 1 run: 7:13\n');
    const plan = await caf(root, 'upload', 'values', '--plan');
    expect([plan.code, plan.out]).toEqual([1, expect.stringMatching(/NEW-PAYLOAD +Pedestals[\s\S]*state is committed, not validated/)]);
    expect((await caf(root, 'upload', 'values')).code).toBe(2);
    expect((await caf(root, 'diff', 'a', 'b', '--values')).out).toMatch(/Alignment {3}1:0 – 1:4 .*\n {2}no values to compare/);
    const dry = await caf(root, 'flatten', 'a', 'b', '--range', '0,0,1,7', '--dry-run');
    expect([dry.code, dry.out]).toEqual([0, expect.stringMatching(/Alignment +0:0 – 0:end .*\n.*\n.*\n\n3 intervals; nothing was made/)]);
    expect((await caf(root, 'flatten', 'a')).err).toMatch(/needs a directory/);
    expect((await caf(root, 'gc', '--dry-run', '--delete')).code).toBe(2);
    const garbage = await caf(root, 'gc', '--dry-run', '--grace', '0');
    expect(garbage.out).toMatch(/0 objects not needed \(0 bytes\)/);
  });

  it('lists the entries of a database with where each answers', async () => {
    const { root } = await bench();
    expect((await caf(root, 'iovs', 'a')).out).toMatchInlineSnapshot(`
      "    payload     committed for   answers      revision   hash       made by
      1   Alignment   1:0 – 1:10      1:0 – 1:4    755f85     770e6076   pedestals means it 0
      2   Alignment   1:5 – open      everywhere   851800     d7d5dcc3   pedestals means it 0

      2 entries
      "
    `);
    const iovs = async (...argv: string[]) => JSON.parse((await caf(root, 'iovs', 'a', ...argv, '--json')).out);
    expect(await iovs('--name', 'Alignment', '--run', '1', '4')).toEqual({
      v: 1,
      entries: [
        {
          seq: 1,
          name: 'Alignment',
          iov: [1, 0, 1, 10],
          answers: [[1, 0, 1, 4]],
          revision: '755f85',
          sha256: sha256('good'),
          size: 4,
          madeBy: { calibration: 'pedestals', algorithm: 'means', iteration: 0 },
        },
      ],
    });
    expect((await iovs('--range', '1,11,1,12')).entries.map(({ seq }: { seq: number }) => seq)).toEqual([2]);
    expect(await iovs('--shadowed')).toEqual({ v: 1, entries: [] });
    expect((await caf(root, 'iovs', 'a', '--shadowed')).out).toBe('no such entry\n');
    expect((await caf(root, 'iovs', 'a', '--name', 'Alignmnet')).err).toMatch(/CAF_DB_NOT_FOUND[\s\S]*Did you mean Alignment/);
  });

  it('lists the view of a chain, also by the database that answers', async () => {
    const { root } = await bench();
    expect(
      (await caf(root, 'view', 'a', '--below', 'b', '--by-source')).out
        .replaceAll(/version \w{12}/g, 'version <id>')
        .replaceAll(/caf-\w{6}/g, '<dir>'),
    ).toMatchInlineSnapshot(`
      "<dir>/a   version <id>   2 intervals   a
        Alignment   1:0 – 1:4    755f85   770e6076
        Alignment   1:5 – open   851800   d7d5dcc3

      <dir>/b   version <id>   1 interval   b
        Alignment   0:0 – 0:end   593616   cae66217
      "
    `);
    const view = async (...argv: string[]) => JSON.parse((await caf(root, 'view', ...argv, '--json')).out);
    const both = await view('a', '--below', 'b');
    expect(both.segments.map(({ iov, sha256: hash }: { iov: number[]; sha256: string }) => [iov.join(), hash])).toEqual([
      ['0,0,0,-1', sha256('base')],
      ['1,0,1,4', sha256('good')],
      ['1,5,-1,-1', sha256('better')],
    ]);
    const { sources } = await view('b', '--below', 'a', '--by-source', '--range', '1,0,1,7');
    expect(sources).toMatchObject([
      { path: join(root, 'b'), segments: [{ name: 'Alignment', iov: [1, 0, 1, 7], sha256: sha256('base') }] },
      { path: join(root, 'a'), segments: [] },
    ]);
    expect((await caf(root, 'view', 'a', '--range', '9,0,8,0')).code).toBe(2);
  });

  it('tells in the log from which jobs, inputs, code and options entries were made', async () => {
    const made = new Bench();
    const origin = { collectorJob: '3 of 4 jobs', inputsDigest: 'a'.repeat(64), codeDigest: 'b'.repeat(64), configDigest: 'c'.repeat(64) };
    const input = made.input(ROWS, { transactions: [transaction(origin)] });
    await publishDatabase(input, { directory: join(made.root, 'a'), objects: made.objects });
    const { out } = await caf(made.root, 'log', 'a');
    expect(out).toMatch(/entries +from +inputs +code +options +message\n.*2 entries +3 of 4 jobs +a{8} +b{8} +c{8}/);
  });

  it('verifies, and ends with 1 when something is wrong', async () => {
    const { root } = await bench();
    const sound = await caf(root, 'verify', 'a');
    expect(sound.out).toMatch(/is sound {3}2 entries, 2 payloads, 2 read/);
    expect(sound.code).toBe(0);
    const file = join(root, 'a', readdirSync(join(root, 'a')).find((name) => name.startsWith('Alignment_rev_755f85'))!);
    chmodSync(file, 0o644);
    writeFileSync(file, 'gOod');
    const damaged = await caf(root, 'verify', 'a');
    expect(damaged.code).toBe(1);
    expect(damaged.out).toContain(`expected ${sha256('good')}\n    found    ${sha256('gOod')}`);
    expect((await caf(root, 'verify', 'a', '--no-read-data')).code).toBe(0);
    expect(
      (await caf(root, 'verify', 'a', '--read-data-subset', '1/2')).code +
        (await caf(root, 'verify', 'a', '--read-data-subset', '2/2')).code,
    ).toBe(1);
    expect(JSON.parse((await caf(root, 'verify', 'a', '--json')).out)).toMatchObject({ v: 1, ok: false, problems: [{ level: 6 }] });
    expect((await caf(root, 'verify', 'nothing')).code).toBe(2);
    expect((await caf(root, 'verify', 'a', '--read-data-subset', '3/2')).code).toBe(2);
  });

  it('imports what it exports, and lists every bad line', async () => {
    const { root } = await bench();
    const planned = await caf(root, 'export', 'a', '--dry-run');
    expect(planned.out).toMatch(
      /^dbstore_Alignment_rev_755f85\.root\ndbstore_Alignment_rev_851800\.root\n\n2 entries and 2 payload files; nothing was written\n$/,
    );
    expect((await caf(root, 'export', 'a')).err).toMatch(/CAF_USAGE[\s\S]*--into DIR/);
    expect((await caf(root, 'export', 'a', '--into', 'out')).out).toBe('2 entries and 2 payload files written to out\n');
    const dry = await caf(root, 'import', 'out/database.txt', '--dry-run', '--json');
    const plan = JSON.parse(dry.out);
    expect(plan).toMatchObject({ v: 1, entries: 2, payloads: 2, warnings: [] });
    expect((await caf(root, 'import', 'out', '--dry-run')).out).toMatch(
      /^2 entries, 2 payloads; nothing was made\ncontent {3}[0-9a-f]{64}\nview/,
    );
    expect((await caf(root, 'import', 'out')).code).toBe(2);
    const imported = await caf(root, 'import', 'out/database.txt', '--into', 'back', '--message', 'from a colleague');
    expect(imported.out).toMatch(/back {3}2 entries {3}version/);
    const { contentId, viewId } = JSON.parse((await caf(root, 'show', 'back', '--json')).out);
    expect([contentId, viewId]).toEqual([plan.contentId, plan.viewId]);
    expect(JSON.parse((await caf(root, 'log', 'back', '--json')).out).transactions).toMatchObject([
      { message: 'from a colleague', entries: 2 },
    ]);
    const text = join(root, 'out', 'database.txt');
    const lines = readFileSync(text, 'utf8');
    chmodSync(text, 0o644);
    writeFileSync(text, `${lines}dbstore/Alignment 755f85 -1,-1,3,4\n`);
    expect((await caf(root, 'import', 'out/database.txt', '--dry-run')).err).toMatch(/CAF_IOV_NEGATIVE/);
    const strict = await caf(root, 'import', 'out/database.txt', '--into', 'again');
    expect([strict.code, existsSync(join(root, 'again'))]).toEqual([2, false]);
    expect(strict.err).toMatch(/CAF_IOV_NEGATIVE/);
    const lenient = await caf(root, 'import', 'out/database.txt', '--into', 'again', '--lenient');
    expect(lenient.out).toMatch(/line \d+: the lower bound -1 in -1,-1,3,4 is read as 0/);
  });

  it('dumps one payload: a file, one of a database, or what else there is', async () => {
    const { root } = await bench();
    const { out, code } = await caf(root, 'dump', 'values/Pedestals_rev_e7bb73.json');
    const [file = ''] = readdirSync(join(root, 'values')).filter((name) => name.startsWith('Pedestals'));
    expect(file).not.toBe('');
    const byFile = await caf(root, 'dump', join('values', file));
    expect(byFile.out).toContain(`file     values/${file}`);
    expect(byFile.out).toContain('valid    7,12,7,12');
    expect(byFile.out).toContain('"mean": [\n    1.5\n  ]');
    const document = JSON.parse((await caf(root, 'dump', sha256('{"mean":[1.5]}').slice(0, 8), '--in', 'values', '--json')).out);
    expect(document).toMatchObject({
      v: 1,
      name: 'Pedestals',
      version: 1,
      boundaries: null,
      iovs: [[7, 12, 7, 12]],
      value: { mean: [1.5] },
    });
    expect((await caf(root, 'dump', 'ffff', '--in', 'a')).err).toMatch(/no payload ffff; it has Alignment \w+, Alignment\s+\w+/);
    expect([out, code]).toEqual(['', 1]);
    writeFileSync(join(root, 'alone.txt'), 'x');
    expect((await caf(root, 'dump', 'alone.txt')).out).toContain('file   text/plain   1 byte');
  });
});
