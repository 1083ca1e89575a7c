// Which files of an attempt's directory are collected, and what is refused.
import { execFileSync } from 'node:child_process';
import { linkSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { OWN_FILES } from '../../src/worker/contract.ts';
import { collectOutputs, listOutputs } from '../../src/worker/outputs.ts';

describe('outputs', () => {
  let parent: string;
  let directory: string;
  beforeEach(() => {
    parent = mkdtempSync(join(tmpdir(), 'caf-'));
    directory = join(parent, 'out');
    mkdirSync(directory);
  });
  afterEach(() => rmSync(parent, { recursive: true }));
  const write = (...names: string[]) => {
    for (const name of names) {
      mkdirSync(join(directory, name, '..'), { recursive: true });
      writeFileSync(join(directory, name), '1');
    }
  };

  it('are all files of the directory by default, sorted, without those of caf', () => {
    write(...OWN_FILES, 'z.root', 'a b\n$(x).csv', '-rf', 'sub/deep.csv', '.hidden');
    expect(collectOutputs(directory, ['*'], false)).toMatchObject({ files: ['-rf', 'a b\n$(x).csv', 'z.root'], problems: [] });
    expect(listOutputs(directory, ['*'])).toEqual(['-rf', 'a b\n$(x).csv', 'z.root']);
  });

  it('are never files of caf, even if a pattern names them', () => {
    write('result.json', 'stdout', 'a.json');
    expect(listOutputs(directory, ['*.json', 'stdout'])).toEqual(['a.json']);
  });

  it('are found in directories where a pattern goes there', () => {
    write('a.csv', 'x/b.csv', 'x/y/c.csv', 'x/d.txt');
    expect(listOutputs(directory, ['**/*.csv'])).toEqual(['a.csv', 'x/b.csv', 'x/y/c.csv']);
    expect(listOutputs(directory, ['x/*'])).toEqual(['x/b.csv', 'x/d.txt']);
    expect(listOutputs(directory, ['x/{b,e}.csv'])).toEqual(['x/b.csv']);
  });

  it('must be there for each pattern the user wrote', () => {
    write('a.csv', 'result.json');
    expect(collectOutputs(directory, ['*.csv', 'hist.root'], true).problems).toEqual(['"hist.root" matches no file: there is "a.csv"']);
    expect(collectOutputs(directory, ['hist.root'], false).problems).toEqual([]);
  });

  it.each([
    ['a symbolic link to a file outside', () => symlinkSync('/etc/passwd', join(directory, 'x')), 'outside of the output directory'],
    ['a relative one', () => symlinkSync('../secret', join(directory, 'x')), 'outside of the output directory'],
    ['a symbolic link to a directory outside', () => symlinkSync('/etc', join(directory, 'x')), 'outside of the output directory'],
    ['a symbolic link to nothing', () => symlinkSync('nothing', join(directory, 'x')), 'does not exist'],
    [
      'a symbolic link that a rename of the directory breaks',
      () => symlinkSync(join(directory, 'a'), join(directory, 'x')),
      'absolute target',
    ],
    ['a hard link to a file outside', () => linkSync(join(parent, 'secret'), join(directory, 'x')), 'hard link'],
    ['a named pipe', () => execFileSync('mkfifo', [join(directory, 'x')]), 'named pipe'],
  ])('are not %s', (_, make, message) => {
    writeFileSync(join(parent, 'secret'), 's');
    write('a');
    make();
    const { files, problems } = collectOutputs(directory, ['*'], false);
    expect(files).toEqual(['a']);
    expect(problems).toEqual([expect.stringMatching(new RegExp(`^"x" is .*${message}`))]);
  });

  it('may be links within the directory', () => {
    write('a');
    symlinkSync('a', join(directory, 'latest'));
    linkSync(join(directory, 'a'), join(directory, 'copy'));
    expect(collectOutputs(directory, ['*'], false)).toMatchObject({ files: ['a', 'copy', 'latest'], problems: [] });
  });

  it('are not looked for behind a linked directory', () => {
    symlinkSync('/etc', join(directory, 'config'));
    const { files, problems } = collectOutputs(directory, ['config/passwd'], true);
    expect(files).toEqual([]);
    expect(problems[0]).toBe('"config" is a symbolic link, and links are not followed');
  });

  it('do not include a file of caf that was replaced by something else', () => {
    symlinkSync('/etc/passwd', join(directory, 'records.ndjson'));
    expect(collectOutputs(directory, ['*'], false).problems).toEqual(['"records.ndjson" is a symbolic link, not a regular file']);
  });
});
