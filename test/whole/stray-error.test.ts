// An error that the config throws after it was loaded, where nobody waits for it: told with its place, and nothing that was finished is lost.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { createRig, type Rig, readJournal, statusOf } from '../support/rig.ts';

const CONFIG = `
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { command, defineCalibration, defineConfig, local } from 'calibration-framework';

const there = (name) => existsSync(join(import.meta.dirname, name));
setInterval(() => { if (there('boom') && !there('mended')) throw new Error('from a timer'); }, 5).unref();

export default defineConfig({ backend: local({ slots: 1 }), calibrations: [defineCalibration({ name: 'slow', algorithms: [],
  collections: { all: { files: [], split: { arguments: [['0'], ['1']] }, collect: command(['sh', '{config}/job.sh', '{config}']) } } })] });
`;

/** The second one waits to be left by the first caf. */
const JOB = `echo $2 >> $1/begun
[ $2 = 0 ] || while [ ! -e $1/mended ]; do sleep 0.05; done
printf '{"result":"ok"}' > result.json.new && mv result.json.new result.json
`;

let rig: Rig | null = null;
afterEach(() => {
  rig?.remove();
  rig = null;
});

test('ends caf run with the place of the error, and the next one continues', async () => {
  const campaign = createRig(CONFIG);
  rig = campaign;
  campaign.write('job.sh', JOB);
  const caf = campaign.start(['run', '--verbose']);
  await caf.says('slow/0/all/1 started');
  campaign.write('boom', '');
  const { code, stderr } = await caf.ended;
  expect(code, stderr).toBe(1);
  expect(stderr).toMatch(/The config has left an error uncaught, after it was\s+loaded: from a timer/);
  expect(stderr).toContain('CAF_STRAY_ERROR');
  expect(stderr).toMatch(/caf\.config\.ts:7:\d+/);
  expect(stderr).not.toMatch(/^ +at /m);

  campaign.write('mended', '');
  const again = await campaign.run(['run']);
  expect(again.code, again.stderr).toBe(0);
  expect((await statusOf(campaign.results)).state).toBe('completed');
  expect(readJournal(campaign.results, (journal) => journal.jobCounts('slow', 0))).toMatchObject({ total: 2, succeeded: 2 });
  expect(readFileSync(join(campaign.directory, 'begun'), 'utf8')).toBe('0\n1\n');
});
