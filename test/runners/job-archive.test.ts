// Finished jobs in one tar file: readable by tar, restored as they were, and never lost whatever instant caf was killed at.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ARCHIVE_FILE, archiveJobs, findArchived, restoreJobs } from '../../src/runners/job-archive.ts';

let collection: string;
beforeEach(() => {
  collection = mkdtempSync(join(tmpdir(), 'caf-'));
});
afterEach(() => rmSync(collection, { recursive: true, force: true }));

const never = new AbortController().signal;
const archive = () => join(collection, ARCHIVE_FILE);

function write(path: string, text: string | Buffer, mode = 0o644): void {
  mkdirSync(dirname(join(collection, path)), { recursive: true });
  writeFileSync(join(collection, path), text);
  chmodSync(join(collection, path), mode);
}

/** Everything below: kind, mode, time in seconds, content. */
function snapshot(directory = collection): Readonly<Record<string, string>> {
  const entries = readdirSync(directory, { recursive: true, withFileTypes: true }).map((entry) => {
    const path = join(entry.parentPath, entry.name);
    const { mode, mtimeMs } = lstatSync(path);
    const stamp = `${(mode & 0o7777).toString(8)} ${Math.floor(mtimeMs / 1000)}`;
    const content = entry.isSymbolicLink()
      ? `-> ${readlinkSync(path)}`
      : entry.isDirectory()
        ? `${stamp} directory`
        : `${stamp} ${createHash('sha256').update(readFileSync(path)).digest('hex')}`;
    return [path.slice(directory.length + 1), content] as const;
  });
  return Object.fromEntries(entries.sort());
}

/** Some jobs as they are, and one with all that can be odd about files. */
function makeJobs(): readonly number[] {
  for (const job of [0, 1, 10]) {
    write(`${job}/job.json`, JSON.stringify({ job, attempt: 0 }));
    write(`${job}/stdout`, `said by ${job}\n`);
  }
  write('2/job.json', '{"attempt":1}');
  write('2/empty', '');
  write('2/block', 'x'.repeat(512));
  write('2/big', Buffer.alloc(3_000_001, 'abc'), 0o600);
  write('2/run', '#!/bin/sh\n', 0o755);
  write('2/Größe µ 漢.txt', 'names');
  write(`2/${'long-name-'.repeat(15)}`, 'long');
  write('2/two\nlines and a space', 'odd');
  write(`2/deep/${'er/'.repeat(40)}file`, 'deep');
  mkdirSync(join(collection, '2/nothing'));
  symlinkSync('big', join(collection, '2/link'));
  symlinkSync(`${'x'.repeat(120)}`, join(collection, '2/long-link'));
  for (const path of ['2/deep', '2/nothing', '2/big', '2']) utimesSync(join(collection, path), 1_000_000_000, 1_000_000_000);
  return [0, 1, 2, 10];
}

describe('an archive', () => {
  it('gives back what was put in: contents, modes, times, links, and names of every kind', async () => {
    const jobs = makeJobs();
    const before = snapshot();
    const size = await archiveJobs(collection, jobs, never);
    expect(readdirSync(collection)).toEqual([ARCHIVE_FILE]);
    expect(size).toEqual({ jobs: 4, entries: Object.keys(before).length, bytes: lstatSync(archive()).size });
    await restoreJobs(collection, jobs, never);
    expect(snapshot()).toEqual(before);
  });

  it('is a tar file that tar reads', async () => {
    const jobs = makeJobs();
    const before = snapshot();
    await archiveJobs(collection, jobs, never);
    const place = join(collection, 'unpacked');
    mkdirSync(place);
    execFileSync('tar', ['-xpf', archive(), '-C', place]);
    expect(snapshot(place)).toEqual(before);
  });

  it('tells where the files of a job lie in it', async () => {
    await archiveJobs(collection, makeJobs(), never);
    const files = findArchived(collection, '1');
    expect([...(files?.keys() ?? [])]).toEqual(['job.json', 'stdout']);
    const { offset = 0, size = 0 } = files?.get('stdout') ?? {};
    expect(readFileSync(archive()).toString('utf8', offset, offset + size)).toBe('said by 1\n');
    expect(findArchived(collection, '3')).toBeNull();
  });

  it('leaves alone what is no finished job, and a job that has more than files', async () => {
    makeJobs();
    write('3.attempt-0/stderr', 'failed');
    execFileSync('mkfifo', [join(collection, '1/pipe')]);
    expect(await archiveJobs(collection, [0, 1, 2], never)).toMatchObject({ jobs: 2 });
    expect(readdirSync(collection).sort()).toEqual(['1', '10', '3.attempt-0', ARCHIVE_FILE]);
  });

  it('is not made again when there is nothing to put in', async () => {
    await archiveJobs(collection, makeJobs(), never);
    const { mtimeMs } = lstatSync(archive());
    expect(await archiveJobs(collection, [0, 1, 2, 10], never)).toBeNull();
    expect(lstatSync(archive()).mtimeMs).toBe(mtimeMs);
  });

  it('gives way to what lies in directories: that was done since', async () => {
    await archiveJobs(collection, makeJobs(), never);
    write('1/stdout', 'done again\n');
    await archiveJobs(collection, [0, 1, 2, 10], never);
    await restoreJobs(collection, [0, 1, 10], never);
    expect(readdirSync(collection).sort()).toEqual(['0', '1', '10']);
    expect(readFileSync(join(collection, '1/stdout'), 'utf8')).toBe('done again\n');
  });

  it.each([
    ['cut off', (bytes: Buffer) => bytes.subarray(0, 1500)],
    ['empty', () => Buffer.alloc(0)],
    ['changed in a header', (bytes: Buffer) => Buffer.concat([Buffer.from('9'), bytes.subarray(1)])],
  ])('that is %s is told of, and left as it is', async (_, damage) => {
    await archiveJobs(collection, makeJobs(), never);
    writeFileSync(archive(), damage(readFileSync(archive())));
    await expect(restoreJobs(collection, [0, 1, 2, 10], never)).rejects.toMatchObject({ code: 'CAF_ARCHIVE_DAMAGED' });
    expect(existsSync(archive())).toBe(true);
  });

  it('never writes outside of its collection', async () => {
    write('0/../0/file', 'x');
    await archiveJobs(collection, [0], never);
    const inside = join(collection, 'inside');
    mkdirSync(inside);
    mkdirSync(join(collection, 'victim'));
    execFileSync('tar', ['-cPf', join(inside, ARCHIVE_FILE), '--transform=s,victim,0/../../stolen,', '--format=ustar', 'victim'], {
      cwd: collection,
    });
    await expect(restoreJobs(inside, [0], never)).rejects.toMatchObject({ code: 'CAF_ARCHIVE_DAMAGED' });
    expect(existsSync(join(collection, 'stolen'))).toBe(false);
  });
});

describe('a caf that was killed', () => {
  /** What each kill leaves: jobs as directories, the finished archive, both. */
  async function states(): Promise<{ readonly whole: string; readonly packed: string; readonly before: ReturnType<typeof snapshot> }> {
    makeJobs();
    const before = snapshot();
    const whole = mkdtempSync(join(tmpdir(), 'caf-'));
    execFileSync('cp', ['-a', `${collection}/.`, whole]);
    await archiveJobs(collection, [0, 1, 2, 10], never);
    const packed = join(whole, 'packed');
    copyFileSync(archive(), packed);
    return { whole, packed, before };
  }
  const finish = async (before: ReturnType<typeof snapshot>) => {
    await archiveJobs(collection, [0, 1, 2, 10], never);
    expect(readdirSync(collection)).toEqual([ARCHIVE_FILE]);
    await restoreJobs(collection, [0, 1, 2, 10], never);
    expect(snapshot()).toEqual(before);
  };

  it('while it wrote the archive', async () => {
    const { whole, packed, before } = await states();
    for (const job of ['0', '1', '2', '10']) renameSync(join(whole, job), join(collection, job));
    rmSync(archive());
    writeFileSync(`${archive()}.tmp-0123456789ab`, readFileSync(packed).subarray(0, 4000));
    await finish(before);
    rmSync(whole, { recursive: true });
  });

  it('before it removed the directories', async () => {
    const { whole, before } = await states();
    for (const job of ['0', '1', '2', '10']) renameSync(join(whole, job), join(collection, job));
    await finish(before);
    rmSync(whole, { recursive: true });
  });

  it('in the midst of removing them', async () => {
    const { whole, before } = await states();
    renameSync(join(whole, '10'), join(collection, '10'));
    mkdirSync(join(collection, '2.tmp-0123456789ab'));
    writeFileSync(join(collection, '2.tmp-0123456789ab/big'), 'half');
    await finish(before);
    rmSync(whole, { recursive: true });
  });

  it('while it restored them', async () => {
    const { whole, before } = await states();
    renameSync(join(whole, '0'), join(collection, '0'));
    mkdirSync(join(collection, '1.tmp-0123456789ab'));
    await restoreJobs(collection, [0, 1, 2, 10], never);
    const { '1.tmp-0123456789ab': _, ...found } = snapshot();
    expect(found).toEqual(before);
    rmSync(whole, { recursive: true });
  });

  it('leaves everything as it was when it is told to stop', async () => {
    makeJobs();
    const before = snapshot();
    await expect(archiveJobs(collection, [0, 1, 2, 10], AbortSignal.abort())).rejects.toThrow();
    expect(snapshot()).toEqual(before);
  });
});
