// One flipped bit anywhere in a database: verify finds it, and no reader is ever given anything but what was committed.
import { chmodSync, cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { describeDatabase, openChain } from '../../src/database/chain.ts';
import { publishDatabase } from '../../src/database/publish.ts';
import { verifyDatabase } from '../../src/database/verify.ts';
import { CafError } from '../../src/domain/errors.ts';
import type { Iov } from '../../src/domain/iov.ts';
import { encodePayload } from '../../src/payloads/codec.ts';
import { describeParts, partsDocument } from '../../src/payloads/parts.ts';
import { putValue } from '../../src/payloads/store.ts';
import { Bench, temporaryDirectory, transaction } from './support.ts';

const RUNS = [1, 5, 11, 30].map((run) => [7, run] as const);
const NAMES = ['Gains', 'Table', 'Beam'];

async function makeDatabase(): Promise<string> {
  const bench = new Bench();
  await bench.publish('below', [['Table', 'an older table', '0,0,-1,-1']]);
  const document = partsDocument([0, 10, 50].map((firstEvent) => ({ firstEvent, value: { x: firstEvent } })));
  const payloads: [Awaited<ReturnType<typeof putValue>>, Iov][] = [
    [await putValue(bench.objects, 'Gains', encodePayload({ gain: [1, 2, 3] })), [7, 1, 7, 10]],
    [await putValue(bench.objects, 'Gains', encodePayload({ gain: [4] }), { version: 2 }), [7, 5, 7, 20]],
    [await putValue(bench.objects, 'Beam', encodePayload(document), { parts: describeParts(document) }), [7, 11, 7, 11]],
    [bench.put('Table', 'x'.repeat(5000), '.bin'), [7, 1, -1, -1]],
  ];
  const below = bench.lock('below');
  const { directory } = await publishDatabase(
    {
      entries: payloads.map(([payload, iov]) => ({ payload: { ...payload, iov: null }, iov, transaction: 0 })),
      transactions: [transaction()],
      parents: below.databases.map(({ versionId }) => ({ role: 'previous', versionId: versionId!, locator: '../below' })),
      chain: below,
    },
    { directory: join(bench.root, 'db'), objects: bench.objects },
  );
  const copy = join(temporaryDirectory(), 'db');
  cpSync(directory, copy, { recursive: true });
  return copy;
}

/** What a reader gets for some runs of each name: the bytes, or the code of the error. */
function answersOf(directory: string): readonly string[] {
  const guarded = (ask: () => string): string => {
    try {
      return ask();
    } catch (error) {
      if (error instanceof CafError) return error.code;
      throw error;
    }
  };
  const opened = guarded(() => {
    const chain = openChain({ v: 1, databases: [describeDatabase(directory, 'db')] });
    const answers = NAMES.flatMap((name) =>
      RUNS.map((run) =>
        guarded(() => {
          const answer = chain.lookup(name, run);
          return answer === null
            ? 'none'
            : `${answer.mediaType} ${answer.effective} ${answer.boundaries} ${chain.read(answer).toString('latin1')}`;
        }),
      ),
    );
    chain.close();
    return JSON.stringify(answers);
  });
  return opened.startsWith('[') ? (JSON.parse(opened) as string[]) : Array.from({ length: NAMES.length * RUNS.length }, () => opened);
}

it('is found by verify in every file, and what is damaged is never served', async () => {
  const directory = await makeDatabase();
  expect(await verifyDatabase(directory)).toMatchObject({ ok: true });
  expect(answersOf(directory).filter((answer) => /^CAF_/.test(answer))).toEqual([]);
  expect(readdirSync(directory).filter((file) => /\.(json|bin)$/.test(file))).toHaveLength(5);
  const good = answersOf(directory);
  const missed: string[] = [];
  const served: string[] = [];
  for (const file of readdirSync(directory)) {
    const path = join(directory, file);
    const original = readFileSync(path);
    chmodSync(path, 0o644);
    const regions = Math.min(48, original.length);
    for (let region = 0; region < regions; region++) {
      // Another byte of the region and another bit each time, the same in each run of this test.
      const begin = Math.floor((region * original.length) / regions);
      const end = Math.floor(((region + 1) * original.length) / regions);
      const offset = region === regions - 1 ? original.length - 1 : begin + ((region * 7919) % (end - begin));
      const damaged = Buffer.from(original);
      damaged[offset] = (damaged[offset] ?? 0) ^ (1 << (region % 8));
      writeFileSync(path, damaged);
      const { ok, problems } = await verifyDatabase(directory);
      // A wrong digest in VERSION cannot be told from a wrong file that it names.
      const isNamed = file === 'VERSION' || problems.some((problem) => problem.path.startsWith(path));
      if (ok || !isNamed) missed.push(`${file} byte ${offset} bit ${region % 8}`);
      for (const [index, answer] of answersOf(directory).entries()) {
        if (answer !== good[index] && !/^CAF_DB_(DAMAGED|NEWER|MISSING|PAYLOAD_CORRUPT)$/.test(answer)) {
          served.push(`${file} byte ${offset} bit ${region % 8}: ${answer.slice(0, 60)}`);
        }
      }
    }
    writeFileSync(path, original);
  }
  expect(missed).toEqual([]);
  expect(served).toEqual([]);
  expect(await verifyDatabase(directory)).toMatchObject({ ok: true });
}, 60_000);
