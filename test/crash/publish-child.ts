// Stores payloads and publishes one database of them: publish-child.ts ROOT LABEL. Says what happened in one line.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { publishDatabase } from '../../src/database/publish.ts';
import type { EntryInput } from '../../src/database/types.ts';
import { CafError } from '../../src/domain/errors.ts';
import { putBytes, putFilePayload } from '../../src/payloads/store.ts';

const [root = '', label = ''] = process.argv.slice(2);
const objects = join(root, 'objects');
const TRANSACTION = {
  at: '2026-01-02T03:04:05.000Z',
  actor: 'physicist@login02',
  calibration: 'gains',
  algorithm: 'fit',
  iteration: 0,
  attempt: 1,
  collectorJob: null,
  inputsDigest: null,
  codeDigest: null,
  configDigest: null,
  message: '',
};

try {
  const entries: EntryInput[] = [];
  for (let n = 0; n < 6; n++) {
    // The last ones are the same in every version: their objects are there already.
    const bytes = Buffer.from(JSON.stringify({ n, of: n < 4 ? label : 'all' }));
    const payload = { name: `P${n % 3}`, ...putBytes(objects, bytes), mediaType: 'application/json', extension: '.json', iov: null };
    entries.push({ payload, iov: [7, n, 7, n + 3], transaction: 0 });
  }
  const file = join(root, `${label}.bin`);
  writeFileSync(file, label.repeat(10_000));
  entries.push({ payload: { ...(await putFilePayload(objects, 'File', file)), iov: null }, iov: [0, 0, -1, -1], transaction: 0 });
  const published = await publishDatabase(
    { entries, transactions: [TRANSACTION], parents: [], chain: { v: 1, databases: [] } },
    { directory: join(root, label, 'localdb'), objects },
  );
  process.stdout.write(`published ${published.contentId}\n`);
} catch (error) {
  process.stdout.write(`failed ${error instanceof CafError ? error.code : String((error as Error).stack)}\n`);
}
