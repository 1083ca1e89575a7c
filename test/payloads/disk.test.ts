// The errors of disks in the user's words.
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CafError } from '../../src/domain/errors.ts';
import { diskError, syncPaths } from '../../src/payloads/disk.ts';

const systemError = (code: string): Error => Object.assign(new Error(code), { code });

describe('an error of the disk', () => {
  it.each([
    ['ENOSPC', 'CAF_DISK_FULL', /disk is full at .*bytes left/],
    ['EDQUOT', 'CAF_DISK_FULL', /quota is reached/],
    ['EACCES', 'CAF_RESULTS_UNWRITABLE', /no permission for/],
    ['EROFS', 'CAF_RESULTS_UNWRITABLE', /EROFS/],
  ])('%s is told as %s', (code, expected, message) => {
    const cause = systemError(code);
    const error = diskError(cause, 'The object store cannot be written', join(tmpdir(), 'not', 'there'));
    expect(error).toBeInstanceOf(CafError);
    expect(error).toMatchObject({ code: expected, message: expect.stringMatching(message), cause });
  });

  it('that is none is passed on as it is', () => {
    const other = systemError('EIO');
    expect(diskError(other, 'x', '/')).toBe(other);
    const told = new CafError('CAF_DB_EXISTS', 'told');
    expect(diskError(told, 'x', '/')).toBe(told);
  });

  it('is not swallowed by fsync', async () => {
    await expect(syncPaths([join(tmpdir(), 'caf-not-there')])).rejects.toThrow(/ENOENT/);
  });
});
