// Publishing a database is killed, or finds the disk full, at every single thing it does to the disk: old databases stay whole, new ones appear whole or not at all.
import { spawn } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { verifyDatabase } from '../../src/database/verify.ts';

/** CAF_KILLS: how many kills; each operation is reached once before any is reached twice. */
const KILLS = Number(process.env.CAF_KILLS ?? 200);

let home = '';
beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), 'caf-publish-'));
});
afterAll(() => rmSync(home, { recursive: true, force: true }));

interface Outcome {
  readonly signal: NodeJS.Signals | null;
  /** `published <content id>`, `failed <code>`, or nothing. */
  readonly said: string;
  readonly operations: number;
}

function publish(root: string, label: string, fault?: 'kill' | 'tear' | 'full', at?: number): Promise<Outcome> {
  const env = { ...process.env, ...(fault === undefined ? {} : { FAULT: fault, FAULT_AT: String(at) }) };
  const args = ['--import', join(import.meta.dirname, 'faulty-disk.ts'), join(import.meta.dirname, 'publish-child.ts'), root, label];
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'inherit'] });
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (piece: string) => {
      text += piece;
    });
    child.once('error', reject);
    child.once('close', (_code, signal) => {
      const operations = Number(/^operations (\d+)$/m.exec(text)?.[1] ?? 0);
      resolve({ signal, said: /^(?:published|failed) .*$/m.exec(text)?.[0] ?? '', operations });
    });
  });
}

/** A results directory with one published database, made anew for each fault. */
async function prepare(): Promise<{ readonly operations: number; fresh(): string }> {
  const template = join(home, 'template');
  if (!existsSync(template)) expect((await publish(template, 'old')).said).toMatch(/^published/);
  const counted = join(home, 'counted');
  rmSync(counted, { recursive: true, force: true });
  cpSync(template, counted, { recursive: true });
  const { operations } = await publish(counted, 'new');
  return {
    operations,
    fresh() {
      const root = join(home, 'root');
      rmSync(root, { recursive: true, force: true });
      cpSync(template, root, { recursive: true });
      return root;
    },
  };
}

const isSound = async (root: string, label: string): Promise<boolean> => (await verifyDatabase(join(root, label, 'localdb'))).ok;
const isThere = (root: string, label: string): boolean => existsSync(join(root, label, 'localdb'));

/** Nothing else may have appeared: what is unfinished is called so. */
const strangers = (root: string): string[] =>
  ['new', 'objects']
    .map((part) => join(root, part))
    .filter((directory) => existsSync(directory))
    .flatMap((directory) => readdirSync(directory))
    .filter((name) => !/^(localdb|localdb\.tmp-[0-9a-f]+|tmp-[0-9a-f]+|[0-9a-f]{2})$/.test(name));

test(`a publish killed ${KILLS} times, at every operation on the disk, leaves whole databases or none`, async () => {
  const { operations, fresh } = await prepare();
  expect(operations).toBeGreaterThan(40);
  const outcomes = { there: 0, absent: 0 };
  for (let kill = 0; kill < KILLS; kill++) {
    const root = fresh();
    const at = 1 + (KILLS < operations ? Math.floor((kill * operations) / KILLS) : kill % operations);
    const fault = Math.floor(kill / operations) % 2 === 0 ? 'tear' : 'kill';
    const where = `${fault} at operation ${at} of ${operations}`;
    expect(await publish(root, 'new', fault, at), where).toMatchObject({ signal: 'SIGKILL' });
    expect(await isSound(root, 'old'), where).toBe(true);
    expect(strangers(root), where).toEqual([]);
    if (isThere(root, 'new')) {
      outcomes.there += 1;
      expect(await isSound(root, 'new'), where).toBe(true);
    } else {
      outcomes.absent += 1;
      expect((await publish(root, 'new')).said, where).toMatch(/^published/);
      expect(await isSound(root, 'new'), where).toBe(true);
    }
  }
  expect(outcomes.absent).toBeGreaterThan(0);
  if (KILLS >= operations) expect(outcomes.there).toBeGreaterThan(0);
});

test('a disk that is full from any operation on is told as that, and leaves the old database, nothing half-visible and no litter', async () => {
  const { operations, fresh } = await prepare();
  const step = Math.max(1, Math.floor((2 * operations) / KILLS));
  for (let at = 1; at <= operations; at += step) {
    const root = fresh();
    const where = `full from operation ${at} of ${operations}`;
    const { said } = await publish(root, 'new', 'full', at);
    expect(await isSound(root, 'old'), where).toBe(true);
    if (isThere(root, 'new')) {
      // Only the last fsync of the parent directory comes after the rename.
      expect(await isSound(root, 'new'), where).toBe(true);
    } else {
      expect(said, where).toMatch(/^failed (CAF_DISK_FULL|Error: ENOSPC: no space left on device, writeFileSync)/);
      expect(existsSync(join(root, 'new')) ? readdirSync(join(root, 'new')) : [], where).toEqual([]);
      expect(
        readdirSync(join(root, 'objects')).filter((name) => name.startsWith('tmp-')),
        where,
      ).toEqual([]);
      expect((await publish(root, 'new')).said, where).toMatch(/^published/);
      expect(await isSound(root, 'new'), where).toBe(true);
    }
  }
});
