// Small text files on a disk that fills up in the middle of a write: nothing is taken for written that is not.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { temporaryDirectory } from './support.ts';

const canLimit = spawnSync('prlimit', ['--version']).status === 0;

function inChild(mode: string): unknown {
  const child = join(import.meta.dirname, 'full-disk-child.ts');
  const { stdout, stderr } = spawnSync(process.execPath, [child, mode, temporaryDirectory()], { encoding: 'utf8' });
  return stdout === '' ? stderr : JSON.parse(stdout);
}

describe.skipIf(!canLimit)('a line that the disk takes only in part', () => {
  it('is an error, is not read, and is gone when the next one is added', () => {
    expect(inChild('lines')).toEqual({ full: 'EFBIG', after: 'accepted', lines: ['one', 'two', 'three', 'five'] });
  });

  it('of the history of names is written again, and no line twice', () => {
    expect(inChild('refs')).toEqual({ full: 'EFBIG', after: 'accepted', refs: ['1 online a', '2 other a', '3 online b'] });
  });
});
