// Publishing the results of a campaign under a tag, taking up a publication that was cut off, and going back.
import { chmodSync, existsSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { describeDatabase } from '../../src/database/chain.ts';
import { flattenChain } from '../../src/database/flatten.ts';
import { reflogOf } from '../../src/database/names.ts';
import { findDatabase } from '../../src/database/open.ts';
import { publishCampaign, rollBack } from '../../src/database/publish-campaign.ts';
import { diffDatabases, showDatabase } from '../../src/database/queries.ts';
import { changeState, readStates } from '../../src/database/state.ts';
import { openForTest } from './journal-support.ts';
import { Bench, codeOf } from './support.ts';

const BY = { actor: 'physicist@login02', note: 'first pass', dryRun: false };

async function campaign(): Promise<{
  readonly bench: Bench;
  publish(tag: string, labels: readonly string[], more?: object): ReturnType<typeof publishCampaign>;
}> {
  const bench = new Bench();
  openForTest(bench.root).close();
  await bench.publish('gain', [['Gain', 'g', '1,0,1,9']]);
  await bench.publish('t0', [['T0', 't', '1,0,1,9']]);
  await bench.publish('better', [
    ['Gain', 'h', '1,5,1,9'],
    ['Gain', 'g', '1,0,1,4'],
  ]);
  const publish = (tag: string, labels: readonly string[], more: object = {}) =>
    publishCampaign(bench.root, { tag, databases: labels.map((label) => join(bench.root, label)), ...BY, ...more });
  return { bench, publish };
}

describe('publishing', () => {
  it('makes one checked database of the results, tags it, and lets published follow', async () => {
    const { bench, publish } = await campaign();
    expect(await publish('v1', ['gain', 't0'], { note: '', dryRun: true })).toMatchObject({ versionId: null, previous: null });
    expect(existsSync(join(bench.root, '_published'))).toBe(false);
    const first = await publish('v1', ['gain', 't0']);
    expect(showDatabase(`${bench.root}@published`)).toMatchObject({
      versionId: first.versionId,
      state: 'published',
      entries: { length: 2 },
    });
    expect(readStates(first.directory).map(({ state, note }) => [state, note])).toEqual([
      ['validated', 'every byte verified'],
      ['published', 'first pass'],
    ]);
    const second = await publish('v2', ['better', 't0']);
    expect([second.previous, second.changes]).toEqual(['v1', 1]);
    expect(diffDatabases(`${bench.root}@v1`, `${bench.root}@v2`).changes).toMatchObject([{ name: 'Gain', iov: [1, 5, 1, 9] }]);
    expect(findDatabase(`${bench.root}@published`)).toBe(second.directory);
    expect(await codeOf(() => publish('v1', ['better']))).toBe('CAF_DB_REF');
    expect(await codeOf(() => publish('v3', ['better'], { note: '' }))).toBe('CAF_USAGE');
  });

  it('stands, whatever has become of what was in use before', async () => {
    const { publish } = await campaign();
    const { directory } = await publish('v1', ['gain']);
    const image = join(directory, 'conditions.sqlite');
    chmodSync(image, 0o644);
    truncateSync(image, 200);
    expect(await publish('v2', ['better'])).toMatchObject({ tag: 'v2', previous: 'v1', changes: null });
  });

  it('goes further back each time, not forward again to what was given up', async () => {
    const { bench, publish } = await campaign();
    await publish('v1', ['gain']);
    await publish('v2', ['better']);
    await publish('v3', ['t0']);
    const back = async (tag: string | null = null) => (await rollBack(bench.root, { tag, ...BY, note: 'worse' })).to;
    expect([await back(), await back()]).toEqual(['v2', 'v1']);
    expect(await codeOf(() => back())).toBe('CAF_DB_REF');
    expect([await back('v3'), await back()]).toEqual(['v3', 'v1']);
    await publish('v4', ['t0', 'gain']);
    expect(await back()).toBe('v1');
  });

  it('goes back and forth with a note, never to what is invalid', async () => {
    const { bench, publish } = await campaign();
    await publish('v1', ['gain']);
    const { directory } = await publish('v2', ['better']);
    const back = (tag: string | null, more: object = {}) => rollBack(bench.root, { tag, ...BY, note: 'tracking worse', ...more });
    expect(await back(null, { dryRun: true, note: '' })).toMatchObject({ from: 'v2', to: 'v1' });
    expect(findDatabase(`${bench.root}@published`)).toBe(directory);
    expect(await back(null)).toMatchObject({ from: 'v2', to: 'v1' });
    expect(findDatabase(`${bench.root}@published`)).toBe(join(bench.root, '_published', 'v1'));
    expect(await back('v2')).toMatchObject({ from: 'v1', to: 'v2' });
    expect(reflogOf(bench.root, 'published').map(({ reason }) => reason)).toEqual([
      'back to v2: tracking worse',
      'back to v1: tracking worse',
      'v2: first pass',
      'v1: first pass',
    ]);
    changeState(join(bench.root, '_published', 'v1'), { state: 'invalid', at: '2026-01-02T03:04:05Z', actor: 'me', note: 'wrong map' });
    expect(await codeOf(() => back('v1'))).toBe('CAF_DB_STATE');
    expect(await codeOf(() => back('v9'))).toBe('CAF_DB_REF');
    expect(await codeOf(() => back(null, { note: '' }))).toBe('CAF_USAGE');
  });

  it('takes up a publication that was killed before its tag was set, if it is of the same results', async () => {
    const { bench, publish } = await campaign();
    const databases = [describeDatabase(join(bench.root, 'gain'))];
    const cut = await flattenChain({ v: 1, databases }, { directory: join(bench.root, '_published', 'v1') });
    expect(await codeOf(() => publish('v1', ['better']))).toBe('CAF_DB_EXISTS');
    expect((await publish('v1', ['gain'])).versionId).toBe(cut.versionId);
  });

  it('refuses while a campaign runs, and an invalid result', async () => {
    const { bench, publish } = await campaign();
    const journal = openForTest(bench.root);
    expect(await codeOf(() => publish('v1', ['gain']))).toBe('CAF_RESULTS_LOCKED');
    journal.close();
    changeState(join(bench.root, 'gain'), { state: 'invalid', at: '2026-01-02T03:04:05Z', actor: 'me', note: 'wrong map' });
    expect(await codeOf(() => publish('v1', ['gain']))).toBe('CAF_DB_STATE');
    expect(existsSync(join(bench.root, '_published'))).toBe(false);
  });
});
