// What an attempt on a batch engine counts as, of what it wrote itself and what the engine says.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { JobSubmission } from '../../src/backends/backend.ts';
import { STARTED_TWICE, scriptText, type TaskEnd } from '../../src/backends/batch-script.ts';
import { readOwnEnd, verdict } from '../../src/backends/batch-task.ts';
import { RESOURCES } from './support/rig.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'caf-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

const submission = (): JobSubmission => ({
  calibration: 'a',
  iteration: 0,
  collection: 'c',
  job: 0,
  attempt: 0,
  token: 'token',
  directory,
  resources: RESOURCES,
  task: { kind: 'program', argv: ['true'], env: {}, ownEnv: {}, setup: [] },
});
const own = (status: number, stopped = false): TaskEnd => ({ token: 'token', node: 'n1', seconds: 1, status, stopped });

describe('a job that the engine put back into the queue', () => {
  const again = { how: 'exited', code: STARTED_TWICE } as const;

  it('is lost, not ended by a signal, though it noted the signal that ended it', () => {
    expect(verdict(submission(), own(143, true), again, false)).toMatchObject({
      how: 'node-lost',
      detail: expect.stringContaining('second time'),
    });
    expect(verdict(submission(), null, again, false)).toMatchObject({ how: 'node-lost' });
  });

  it('is cancelled where that was the wish', () => {
    expect(verdict(submission(), own(143, true), again, true)).toMatchObject({ how: 'cancelled' });
  });

  it('is not one whose program has the same exit status', () => {
    expect(verdict(submission(), own(STARTED_TWICE), again, false)).toMatchObject({ how: 'exited', code: STARTED_TWICE });
  });
});

it('says so when the engine has seen an end, and the file system shows no note of it', () => {
  expect(verdict(submission(), null, { how: 'exited', code: 0 }, false)).toMatchObject({
    how: 'unknown',
    detail: expect.stringContaining('was not to be seen within fileDelay'),
  });
});

it.each([
  ['a directory', () => mkdirSync(join(directory, 'batch.ended'))],
  ['a pipe that nobody writes to', () => spawnSync('mkfifo', [join(directory, 'batch.ended')])],
  ['a link to an endless file', () => symlinkSync('/dev/zero', join(directory, 'batch.ended'))],
  ['noise', () => writeFileSync(join(directory, 'batch.ended'), Buffer.from(Array.from({ length: 3000 }, (_, i) => (i * 151) % 256)))],
  ['far too long', () => writeFileSync(join(directory, 'batch.ended'), `token token\nstatus 0\nstopped no\n${' '.repeat(5000)}`)],
  ["another attempt's", () => writeFileSync(join(directory, 'batch.ended'), 'token other\nnode n1\nseconds 1 2\nstatus 0\nstopped no\n')],
])('takes no note of an end from a job that made of it %s', (_, make) => {
  make();
  expect(readOwnEnd(submission())).toBeNull();
});

it('does nothing in a job whose array caf has removed', () => {
  const script = join(directory, 'script');
  const array = join(directory, 'gone');
  const parts = { header: [], array, taskNumber: '0', passes: [], environments: [], passesSignalsOn: false, scratch: null };
  writeFileSync(script, scriptText(parts));
  // It waits a minute for a file system that is late; not here.
  writeFileSync(join(directory, 'sleep'), '#!/bin/sh\n', { mode: 0o755 });
  const { status } = spawnSync('sh', [script], { cwd: directory, env: { PATH: `${directory}:/usr/bin:/bin` } });
  expect(status).toBe(1);
  expect(readdirSync(directory).sort()).toEqual(['script', 'sleep']);
});
