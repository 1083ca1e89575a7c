// At most four of caf's files for a job that counts, with nothing of them lost.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { keepFewFiles } from '../../src/runners/keep-few-files.ts';

const JOB = '{"v":1,"attempt":0,"token":"mine"}';
const RESULT = '{"result":"ok","token":"mine","metadata":{"chi2":1.00,"events":12345678901234567890}}\n';
const ALL = { 'job.json': JOB, 'result.json': RESULT, 'records.ndjson': '{}\n', stdout: 'out\n', stderr: 'err\n' };

describe('a job that counts', () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'caf-'));
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  const write = (files: Readonly<Record<string, string>>) => {
    for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text);
  };
  const files = () => Object.fromEntries(readdirSync(directory).map((name) => [name, readFileSync(join(directory, name), 'utf8')]));

  it('with records, a result and two logs keeps the result in its job.json, to the digit', () => {
    write({ ...ALL, 'hits.csv': '1' });
    keepFewFiles(directory, 'mine');
    const { 'result.json': _, ...others } = ALL;
    expect(files()).toEqual({ ...others, 'hits.csv': '1', 'job.json': `${JOB.slice(0, -1)},"result":${RESULT.trim()}}` });
    expect(JSON.parse(files()['job.json'] ?? '')).toMatchObject({ v: 1, attempt: 0, result: { result: 'ok', metadata: { chi2: 1 } } });
  });

  it.each(['result.json', 'records.ndjson', 'stdout', 'stderr'] as const)('without %s stays as it is', (name) => {
    const { [name]: _, ...others } = ALL;
    write(others);
    keepFewFiles(directory, 'mine');
    expect(files()).toEqual(others);
  });

  it('is the same when caf was killed at any step of it and does it again', () => {
    write(ALL);
    keepFewFiles(directory, 'mine');
    const done = files();
    keepFewFiles(directory, 'mine');
    expect(files()).toEqual(done);
    // Before result.json went, and before job.json had its place.
    write({ 'result.json': RESULT });
    keepFewFiles(directory, 'mine');
    expect(files()).toEqual(done);
    write({ 'job.json': JOB, 'result.json': RESULT, '.job.json.new': `${JOB.slice(0, -1)},"res` });
    keepFewFiles(directory, 'mine');
    expect(files()).toEqual(done);
  });

  it.each([
    ['job.json was overwritten by its program', { 'job.json': 'mine now' }],
    ['job.json was overwritten with a list', { 'job.json': '[1]' }],
    ['result.json was overwritten since it was judged', { 'result.json': 'not JSON' }],
    ['result.json belongs to another attempt', { 'result.json': '{"result":"ok","token":"theirs"}' }],
  ])('stays as it is where %s', (_, changed) => {
    write({ ...ALL, ...changed });
    keepFewFiles(directory, 'mine');
    expect(files()).toEqual({ ...ALL, ...changed });
  });
});
