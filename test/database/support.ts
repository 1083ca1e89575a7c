// Temporary databases for the tests of this room: entries written as `name "content" e,r,e,r`.
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach } from 'vitest';
import { describeDatabase, type OpenChain, openChain } from '../../src/database/chain.ts';
import { publishDatabase } from '../../src/database/publish.ts';
import type { DatabaseInput, ParentInput, PublishedVersion, TransactionInput } from '../../src/database/types.ts';
import { CafError } from '../../src/domain/errors.ts';
import { formatIov, type Iov, keysToIov, parseIov } from '../../src/domain/iov.ts';
import type { StoredPayload } from '../../src/domain/payload.ts';
import { putBytes } from '../../src/payloads/store.ts';
import type { ChainLock } from '../../src/worker/contract.ts';

const made: string[] = [];
afterEach(() => {
  for (const directory of made.splice(0)) rmSync(directory, { recursive: true, force: true });
});

export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'caf-'));
  made.push(directory);
  return directory;
}

export const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

export const transaction = (changes: Partial<TransactionInput> = {}): TransactionInput => ({
  at: '2026-01-02T03:04:05.000Z',
  actor: 'physicist@login02',
  calibration: 'pedestals',
  algorithm: 'means',
  iteration: 0,
  attempt: 1,
  collectorJob: null,
  inputsDigest: null,
  codeDigest: null,
  configDigest: null,
  message: '',
  ...changes,
});

/** `[name, content, interval]` */
export type Row = readonly [name: string, content: string, iov: string | Iov];

/** A directory with an object store, where databases are published by name. */
export class Bench {
  readonly root = temporaryDirectory();
  readonly objects = join(this.root, 'objects');

  put(name: string, content: string, extension = '.txt'): StoredPayload {
    return { name, ...putBytes(this.objects, Buffer.from(content)), mediaType: 'text/plain', extension, iov: null };
  }

  input(rows: readonly Row[], more: Partial<DatabaseInput> = {}): DatabaseInput {
    const entries = rows.map(([name, content, iov]) => ({
      payload: this.put(name, content),
      iov: typeof iov === 'string' ? parseIov(iov) : iov,
      transaction: 0,
    }));
    return { entries, transactions: [transaction()], parents: [], chain: null, ...more };
  }

  publish(label: string, rows: readonly Row[], parents: readonly ParentInput[] = []): Promise<PublishedVersion> {
    return publishDatabase(this.input(rows, { parents }), { directory: join(this.root, label), objects: this.objects });
  }

  lock(...labels: string[]): ChainLock {
    return { v: 1, databases: labels.map((label) => describeDatabase(join(this.root, label), label)) };
  }

  chain(...labels: string[]): OpenChain {
    return openChain(this.lock(...labels));
  }

  /** The materialised view as text: `e,r,e,r content label`. */
  view(labels: readonly string[], contents: readonly string[], range?: string): string[] {
    const chain = this.chain(...labels);
    const byHash = new Map(contents.map((content) => [sha256(content), content]));
    const lines = chain
      .materialise(range === undefined ? undefined : parseIov(range))
      .map(
        ({ name, lo, hi, payload, member }) => `${name} ${formatIov(keysToIov(lo, hi))} ${byHash.get(payload.sha256)} ${labels[member]}`,
      );
    chain.close();
    return lines;
  }
}

/** The code of the CafError an action throws or rejects with. */
export async function codeOf(action: () => unknown): Promise<string> {
  try {
    await action();
  } catch (error) {
    return error instanceof CafError ? error.code : String(error);
  }
  return 'accepted';
}
