// The conditions of user functions, read from published databases.
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { describeDatabase, openChain } from '../../src/database/chain.ts';
import { publishDatabase } from '../../src/database/publish.ts';
import type { TransactionInput } from '../../src/database/types.ts';
import type { Iov } from '../../src/domain/iov.ts';
import type { StoredPayload } from '../../src/domain/payload.ts';
import { encodePayload } from '../../src/payloads/codec.ts';
import { describeParts, partsDocument } from '../../src/payloads/parts.ts';
import { putBytes, putValue } from '../../src/payloads/store.ts';
import { createConditionsReader } from '../../src/worker/conditions-reader.ts';
import type { ChainLock } from '../../src/worker/contract.ts';

const Gains = { kind: 'payload', name: 'Gains', schema: z.object({ gain: z.number() }) } as const;
const Strict = { kind: 'payload', name: 'Gains', schema: z.object({ gain: z.number().max(1.5) }) } as const;
const Model = { kind: 'payload', name: 'Model', schema: null } as const;
const TRANSACTION: TransactionInput = {
  at: '2026-01-02T03:04:05.000Z',
  actor: 'physicist@login02',
  calibration: 'gains',
  algorithm: 'fit',
  iteration: 0,
  attempt: 0,
  collectorJob: null,
  inputsDigest: null,
  codeDigest: null,
  configDigest: null,
  message: '',
};

describe('conditions', () => {
  let root: string;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'caf-'));
  });
  afterEach(() => rmSync(root, { recursive: true }));

  type Row = readonly [name: string, value: unknown, iov: Iov];
  async function publish(label: string, rows: readonly Row[]): Promise<void> {
    const entries = rows.map(([name, value, iov]) => {
      const isFile = Buffer.isBuffer(value);
      const bytes = isFile ? value : encodePayload(value);
      const mediaType = isFile ? 'application/octet-stream' : 'application/json';
      const payload = { name, ...putBytes(join(root, 'objects'), bytes), mediaType, extension: isFile ? '.bin' : '.json', iov: null };
      return { payload, iov, transaction: 0 };
    });
    const options = { directory: join(root, label), objects: join(root, 'objects') };
    await publishDatabase({ entries, transactions: [TRANSACTION], parents: [], chain: null }, options);
  }
  function readerOf(...labels: string[]) {
    const lock: ChainLock = { v: 1, databases: labels.map((label) => describeDatabase(join(root, label), label)) };
    const path = join(root, 'chain.lock.json');
    writeFileSync(path, JSON.stringify(lock));
    return { lock, reader: createConditionsReader(path) };
  }

  it.each([
    [['7', '12'], 'CAF_IOV_FORMAT'],
    [[7, 2 ** 32 + 1], 'CAF_IOV_RANGE'],
    [[7, -1], 'CAF_IOV_NEGATIVE'],
    [[7.5, 1], 'CAF_IOV_FORMAT'],
    [[7], 'CAF_IOV_FORMAT'],
    [7, 'CAF_IOV_FORMAT'],
  ])('of %j, which is no run, are refused: they would be those of another run', async (run, code) => {
    await publish('db', [['Gains', { gain: 1 }, [0, 0, -1, -1]]]);
    const { reader } = readerOf('db');
    await expect(reader.get(Gains, run as never)).rejects.toMatchObject({ code });
    await expect(reader.find(Gains, run as never)).rejects.toMatchObject({ code });
    reader.close();
  });

  it('come from the first database of the chain that has the run, each on its own interval', async () => {
    await publish('base', [['Gains', { gain: 1 }, [0, 0, -1, -1]]]);
    await publish('new', [['Gains', { gain: 2 }, [7, 10, 7, 20]]]);
    const { reader } = readerOf('new', 'base');
    const gains = [];
    for (const run of [5, 10, 20, 21, 9, 15]) gains.push((await reader.get(Gains, [7, run])).gain);
    expect(gains).toEqual([1, 2, 2, 1, 1, 2]);
    reader.close();
  });

  it('are the same object for the same payload, and cannot be changed', async () => {
    await publish('base', [['Gains', { gain: 1 }, [0, 0, -1, -1]]]);
    const { reader } = readerOf('base');
    const value = await reader.get(Gains, [7, 1]);
    expect(await reader.get(Gains, [9, 9])).toBe(value);
    expect(() => {
      value.gain = 3;
    }).toThrow(TypeError);
    reader.close();
  });

  it('that do not exist are undefined for find, and an error with the databases that were searched for get', async () => {
    await publish('base', [['Gains', { gain: 1 }, [7, 1, 7, 5]]]);
    const { reader } = readerOf('base');
    expect(await reader.find(Gains, [7, 6])).toBeUndefined();
    await expect(reader.get(Gains, [7, 6])).rejects.toMatchObject({
      code: 'CAF_DB_NOT_FOUND',
      message: expect.stringMatching(/Gains .*experiment 7, run 6.*base/),
    });
    const empty = readerOf().reader;
    expect(await empty.find(Gains, [7, 6])).toBeUndefined();
    await expect(empty.get(Gains, [7, 6])).rejects.toMatchObject({ code: 'CAF_DB_NOT_FOUND' });
    reader.close();
  });

  it('that do not match their schema are refused with the place', async () => {
    await publish('base', [['Gains', { gain: 2 }, [0, 0, -1, -1]]]);
    const { reader } = readerOf('base');
    await expect(reader.get(Strict, [7, 1])).rejects.toMatchObject({ code: 'CAF_PAYLOAD_INVALID', problems: [{ path: 'gain' }] });
    reader.close();
  });

  it('that are files are given as paths, after their bytes were checked', async () => {
    await publish('base', [['Model', Buffer.from('weights'), [0, 0, -1, -1]]]);
    const { reader, lock } = readerOf('base');
    const chain = openChain(lock);
    const { file } = chain.lookup('Model', [7, 1])!;
    chain.close();
    expect(await reader.get(Model, [7, 1])).toBe(file);
    reader.close();
    chmodSync(file, 0o644);
    writeFileSync(file, 'WEIGHTS');
    const again = readerOf('base').reader;
    await expect(again.get(Model, [7, 1])).rejects.toMatchObject({ code: 'CAF_DB_PAYLOAD_CORRUPT' });
    again.close();
  });

  async function publishOne(label: string, payload: Omit<StoredPayload, 'iov'>, iov: Iov): Promise<void> {
    const options = { directory: join(root, label), objects: join(root, 'objects') };
    const entries = [{ payload: { ...payload, iov: null }, iov, transaction: 0 }];
    await publishDatabase({ entries, transactions: [TRANSACTION], parents: [], chain: null }, options);
  }

  it('that change within a run are read by event, and never without one (T42)', async () => {
    const document = partsDocument([0, 10, 50].map((firstEvent, index) => ({ firstEvent, value: { gain: index } })));
    const bytes = encodePayload(document);
    await publishOne('base', await putValue(join(root, 'objects'), 'Gains', bytes, { parts: describeParts(document) }), [7, 1, 7, 1]);
    const { reader } = readerOf('base');
    const gains = [];
    for (const event of [0, 9, 10, 49, 50, 1000]) gains.push((await reader.get(Gains, [7, 1], { event })).gain);
    expect(gains).toEqual([0, 0, 1, 1, 2, 2]);
    expect(await reader.get(Gains, [7, 1], { event: 12 })).toBe(await reader.get(Gains, [7, 1], { event: 20 }));
    await expect(reader.get(Gains, [7, 1])).rejects.toMatchObject({ code: 'CAF_PAYLOAD_EVENT', message: expect.stringContaining('run 1') });
    await expect(reader.get(Gains, [7, 1], { event: -1 })).rejects.toMatchObject({ code: 'CAF_PAYLOAD_EVENT' });
    reader.close();
  });

  describe('of an older version of their definition', () => {
    const migrate = (old: unknown, from: number) => ({ gain: (old as { factor: number }).factor * 10 ** from });
    const Newer = { ...Gains, version: 3, migrate } as const;

    it('are migrated, each from the version it was written with, and checked', async () => {
      await publishOne('one', await putValue(join(root, 'objects'), 'Gains', encodePayload({ factor: 2 }), {}), [1, 0, 1, 9]);
      await publishOne('two', await putValue(join(root, 'objects'), 'Gains', encodePayload({ factor: 2 }), { version: 2 }), [2, 0, 2, 9]);
      await publishOne('three', await putValue(join(root, 'objects'), 'Gains', encodePayload({ gain: 7 }), { version: 3 }), [3, 0, 3, 9]);
      const { reader } = readerOf('three', 'two', 'one');
      const gains = [];
      for (const experiment of [1, 2, 3, 1]) gains.push((await reader.get(Newer, [experiment, 1])).gain);
      expect(gains).toEqual([20, 200, 7, 20]);
      const { reader: strict } = readerOf('two');
      const bad = { ...Newer, migrate: () => ({ gain: 'much' }) };
      await expect(strict.get(bad, [2, 1])).rejects.toMatchObject({ code: 'CAF_PAYLOAD_INVALID', problems: [{ path: 'gain' }] });
      const throwing = { ...Newer, migrate: (): never => raise('no factor') };
      await expect(strict.get(throwing, [2, 1])).rejects.toMatchObject({
        code: 'CAF_PAYLOAD_INVALID',
        message: expect.stringMatching(/as two has it for 2,0,2,9, was written with version 2 .*no factor/),
      });
      reader.close();
      strict.close();
    });

    it('are refused without a migrate, and newer ones always', async () => {
      await publishOne('one', await putValue(join(root, 'objects'), 'Gains', encodePayload({ gain: 2 }), {}), [1, 0, 1, 9]);
      await publishOne('four', await putValue(join(root, 'objects'), 'Gains', encodePayload({ gain: 2 }), { version: 4 }), [4, 0, 4, 9]);
      const { reader } = readerOf('four', 'one');
      const without = { ...Gains, version: 3 };
      await expect(reader.get(without, [1, 1])).rejects.toMatchObject({
        code: 'CAF_PAYLOAD_VERSION',
        message: expect.stringMatching(/written with version 1 .* version 3 and has no migrate/),
        hint: expect.stringContaining('migrate: (old, from)'),
      });
      await expect(reader.get(Newer, [4, 1])).rejects.toMatchObject({
        code: 'CAF_PAYLOAD_VERSION',
        message: expect.stringMatching(/version 4 .* version 3/),
      });
      reader.close();
    });
  });
});

function raise(message: string): never {
  throw new Error(message);
}
