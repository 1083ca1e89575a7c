// A directory appears whole or not at all, and where it cannot be made the message says so.
import { existsSync } from 'node:fs';
import { expect, test } from 'vitest';
import { placeDirectory } from '../../src/database/place.ts';

test.skipIf(!existsSync('/proc/self'))('a place whose directory takes no new entries is no bug of caf', async () => {
  const placing = placeDirectory({ directory: '/proc/caf-nothing', durable: false, existing: 'refuse', fill: async () => [] });
  await expect(placing).rejects.toMatchObject({
    code: 'CAF_RESULTS_UNWRITABLE',
    message: expect.stringContaining('/proc takes no new entries'),
  });
});
