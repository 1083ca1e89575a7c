// A process that lets its files grow no further for a while, started by tests: `node full-disk-child.ts MODE DIRECTORY`. Tells what it met as JSON.
import { spawnSync } from 'node:child_process';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { appendLines, readLines } from '../../src/database/append-lines.ts';
import { JOURNAL_SCHEMA } from '../../src/database/journal-schema.ts';
import { REFS_FILE, readRefLines } from '../../src/database/refs-file.ts';
import { createRegistryWriter } from '../../src/database/registry-writer.ts';
import { constructorOf } from '../../src/database/sqlite.ts';

const [mode, directory = ''] = process.argv.slice(2);

/** The soft limit of this process: what goes beyond it is written in part, and what comes then is refused. */
function limitFiles(bytes: number | 'unlimited'): void {
  const { status, stderr } = spawnSync('prlimit', ['--pid', String(process.pid), `--fsize=${bytes}:`], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`prlimit: ${stderr}`);
}

function codeOf(action: () => void): string {
  try {
    action();
    return 'accepted';
  } catch (error) {
    return (error as { code?: string }).code ?? String(error);
  }
}

const tell = (answer: unknown): void => void process.stdout.write(JSON.stringify(answer));

switch (mode) {
  case 'lines': {
    const file = join(directory, 'lines');
    appendLines(file, ['one', 'two'], { durable: true });
    limitFiles(statSync(file).size + 9);
    const full = codeOf(() => appendLines(file, ['three', 'four'], { durable: true }));
    limitFiles('unlimited');
    const after = codeOf(() => appendLines(file, ['five'], { durable: true }));
    tell({ full, after, lines: readLines(file) });
    break;
  }
  case 'refs': {
    const db = new (constructorOf())(':memory:');
    db.exec(JOURNAL_SCHEMA);
    const writer = createRegistryWriter(db, directory);
    const move = (name: string, expected: string | null, to: string): void =>
      writer.move({ name, kind: 'branch', to, expected, at: '2026-01-02T03:04:05Z', actor: 'physicist@login02', reason: 'because' });
    const [a, b] = ['a'.repeat(64), 'b'.repeat(64)];
    move('online', null, a);
    writer.mirror();
    const line = statSync(join(directory, REFS_FILE)).size;
    move('other', null, a);
    move('online', a, b);
    limitFiles(line * 2 + 40);
    const full = codeOf(() => writer.mirror());
    limitFiles('unlimited');
    const after = codeOf(() => writer.mirror());
    tell({ full, after, refs: readRefLines(directory).map(({ seq, ref, new: now }) => `${seq} ${ref} ${now?.slice(0, 1)}`) });
    break;
  }
  default:
    throw new Error(`unknown mode ${mode}`);
}
