// States of published databases: forward one step at a time, invalid for ever, and what chains refuse.
import { appendFileSync, cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { STATE_NAMES } from '../../src/cli/commands/db/state.ts';
import { describeDatabase, describeUsable, openChain } from '../../src/database/chain.ts';
import { exportDatabase, planExport } from '../../src/database/exchange.ts';
import { flattenChain } from '../../src/database/flatten.ts';
import { getPayload, showDatabase } from '../../src/database/queries.ts';
import { changeState, type PublishedState, readStates, STATE_FILE, STATES, stateOf } from '../../src/database/state.ts';
import { verifyDatabase } from '../../src/database/verify.ts';
import { Bench, codeOf } from './support.ts';

const change = (directory: string, state: PublishedState, note = 'because') =>
  changeState(directory, { state, at: '2026-01-02T03:04:05.000Z', actor: 'physicist@login02', note });

async function published(): Promise<{ readonly bench: Bench; readonly directory: string }> {
  const bench = new Bench();
  const { directory } = await bench.publish('db', [['A', 'x', '1,0,1,9']]);
  return { bench, directory };
}

describe('the state of a database', () => {
  it('goes forward one step at a time, with a note, and leaves the image untouched', async () => {
    const { directory } = await published();
    const image = readFileSync(join(directory, 'conditions.sqlite'));
    expect(stateOf(directory)).toBe('committed');
    expect(await codeOf(() => change(directory, 'published'))).toBe('CAF_DB_STATE');
    expect(await codeOf(() => change(directory, 'validated', '  '))).toBe('CAF_USAGE');
    change(directory, 'validated', 'checked\nby\thand');
    change(directory, 'published');
    expect(await codeOf(() => change(directory, 'validated'))).toBe('CAF_DB_STATE');
    expect(readStates(directory).map(({ state, actor, note }) => [state, actor, note])).toEqual([
      ['validated', 'physicist@login02', 'checked by hand'],
      ['published', 'physicist@login02', 'because'],
    ]);
    expect(showDatabase(directory).state).toBe('published');
    expect(readFileSync(join(directory, 'conditions.sqlite'))).toEqual(image);
    expect((await verifyDatabase(directory)).ok).toBe(true);
  });

  it('is invalid for ever, from any state, also when somebody appends another line', async () => {
    const { directory } = await published();
    change(directory, 'invalid', 'wrong field map');
    for (const state of ['validated', 'published', 'invalid'] as const) {
      expect(await codeOf(() => change(directory, state))).toBe('CAF_DB_STATE');
    }
    appendFileSync(join(directory, STATE_FILE), '2026-01-02T03:04:06.000Z\tvalidated\tsomebody@else\tno\n');
    expect(stateOf(directory)).toBe('invalid');
  });

  it('survives a line that a killed writer left half', async () => {
    const { directory } = await published();
    change(directory, 'validated');
    appendFileSync(join(directory, STATE_FILE), '2026-01-02T03:04:06.000Z\tinv');
    expect(stateOf(directory)).toBe('validated');
    change(directory, 'published');
    expect(readStates(directory).map(({ state }) => state)).toEqual(['validated', 'published']);
  });

  it('has the same names on the command line', () => {
    expect(STATE_NAMES).toEqual(STATES);
  });

  it('travels with a copy', async () => {
    const { bench, directory } = await published();
    change(directory, 'validated');
    cpSync(directory, join(bench.root, 'copy'), { recursive: true });
    expect(stateOf(join(bench.root, 'copy'))).toBe('validated');
  });

  it('keeps an invalid database out of every chain, whatever is allowed, with the reason', async () => {
    const { bench, directory } = await published();
    const lock = bench.lock('db');
    expect(describeUsable(directory)).toEqual(describeDatabase(directory));
    change(directory, 'invalid', 'wrong field map');
    const chain = openChain(lock, { usableStates: ['invalid'] });
    expect(() => chain.lookup('A', [1, 5])).toThrow(/is invalid: wrong field map \(physicist@login02/);
    for (const use of [
      () => describeUsable(directory),
      () => getPayload(directory, 'A', [1, 5]),
      () => flattenChain(lock, { directory: join(bench.root, 'flat') }),
      () => planExport(directory),
      () => exportDatabase(directory, join(bench.root, 'exported')),
    ]) {
      expect(await codeOf(use)).toBe('CAF_DB_STATE');
    }
    expect(showDatabase(directory).state).toBe('invalid');
  });

  it('keeps it out also when only its text is left', async () => {
    const { bench, directory } = await published();
    const text = join(bench.root, 'text');
    cpSync(directory, text, { recursive: true });
    rmSync(join(text, 'conditions.sqlite'));
    change(text, 'validated');
    expect(showDatabase(text).state).toBe('text');
    const lock = bench.lock('text');
    change(text, 'invalid', 'wrong field map');
    expect(showDatabase(text).state).toBe('invalid');
    expect(await verifyDatabase(text)).toMatchObject({ ok: true, problems: [] });
    expect(() => openChain(lock).lookup('A', [1, 5])).toThrow(/is invalid: wrong field map/);
  });

  it('can be asked for: a chain of validated databases refuses one that is only committed', async () => {
    const { bench, directory } = await published();
    const chain = openChain(bench.lock('db'), { usableStates: ['validated', 'published'] });
    expect(() => chain.lookup('A', [1, 5])).toThrow(/is committed; this chain takes only databases that are validated or published/);
    change(directory, 'validated');
    expect(chain.lookup('A', [1, 5])?.name).toBe('A');
    chain.close();
  });

  it('is told as damage when the file says nothing readable', async () => {
    const { directory } = await published();
    writeFileSync(join(directory, STATE_FILE), 'nonsense\n');
    expect(await codeOf(() => stateOf(directory))).toBe('CAF_DB_DAMAGED');
    expect((await verifyDatabase(directory)).problems).toMatchObject([{ level: 2, path: join(directory, STATE_FILE) }]);
  });
});
