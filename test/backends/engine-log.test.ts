// What an engine appends to its own log is read once, piece by piece, however it is cut.
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createLogReader } from '../../src/backends/engine-log.ts';
import { htcondor } from '../../src/backends/htcondor.ts';
import { recordedFile } from './support/recorded.ts';
import { inWords } from './support/states.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'caf-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

const newReader = (path: string) => {
  const read = htcondor.readLog;
  if (read === undefined) throw new Error('HTCondor has a log');
  return createLogReader(path, read);
};

it('tells each event once, wherever the pieces of the log end', () => {
  // Of more bytes than characters, as reasons of holds may be.
  const log = recordedFile('htcondor', 'userlog-held-by-user.log').replace('the disk is full', 'die Platte ist voll: 0 µB');
  const bytes = Buffer.from(log);
  const whole = htcondor.readLog?.(log).tasks.map(({ state }) => inWords(state));
  for (const size of [1, 7, 64, 1000]) {
    const path = join(directory, `log-${size}`);
    writeFileSync(path, '');
    const read = newReader(path);
    const told: string[] = [];
    for (let i = 0; i < bytes.length; i += size) {
      appendFileSync(path, bytes.subarray(i, i + size));
      told.push(...read().map(({ state }) => inWords(state)));
    }
    expect(told).toEqual(whole);
  }
});

it('tells all of it where the engine writes in another encoding', () => {
  const held = recordedFile('htcondor', 'userlog-held-by-user.log').replace(
    'the disk is full',
    'die Platte f\u00fcr Gr\u00f6\u00dferes ist voll; '.repeat(9),
  );
  const log = held + recordedFile('htcondor', 'userlog-exit-3.log');
  const bytes = Buffer.from(log, 'latin1');
  const whole = htcondor.readLog?.(bytes.toString('utf8')).tasks.map(({ state }) => inWords(state));
  const path = join(directory, 'log');
  writeFileSync(path, '');
  const read = newReader(path);
  const told: string[] = [];
  for (let i = 0; i < bytes.length; i += 64) {
    appendFileSync(path, bytes.subarray(i, i + 64));
    told.push(...read().map(({ state }) => inWords(state)));
  }
  expect(told).toEqual(whole);
});

it('waits for a log that is not there yet', () => {
  const path = join(directory, 'log');
  const read = newReader(path);
  expect(read()).toEqual([]);
  writeFileSync(path, recordedFile('htcondor', 'userlog-exit-3.log'));
  expect(read().map(({ state }) => inWords(state))).toContain('ended: exited 3');
  expect(read()).toEqual([]);
});
