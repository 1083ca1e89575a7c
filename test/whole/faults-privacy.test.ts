// Secrets in the environment and other users of the machine: nothing of a secret is kept unless it was named, and nobody is let in.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createScene, filesBelow, modeOf, type Scene } from '../support/scene.ts';

let scene: Scene;
beforeEach(() => {
  scene = createScene();
});
afterEach(() => scene.close());

const SECRET = 'hunter2-0123456789abcdef';
const NAMED = 'named-0123456789abcdef';

const CAMPAIGN = `
const P = definePayload('P', z.object({ n: z.number() }));
const algorithms = [{ name: 'fit', run: ({ commit }) => { commit(P, { n: 1 }); return 'ok' as const; } }];
export default defineConfig({ calibrations: [
  defineCalibration({ name: 'a', algorithms, collections: {
    f: { files: [], env: { NAMED: process.env.NAMED_VALUE }, collect: ({ record }) => { if (process.env.NAMED !== process.env.NAMED_VALUE) throw new Error('no env'); record([1, 1], 'n', 1); } },
    p: { files: [], env: { NAMED: process.env.NAMED_VALUE }, collect: command(['sh', '-c', 'test "$NAMED" = "$NAMED_VALUE" && test -n "$MY_TOKEN" || exit 1; if [ -e {config}/fail ]; then exit 3; fi']) },
  } }),
  defineCalibration({ name: 'b', collections: {}, algorithms: [{ name: 'fit', env: { NAMED: process.env.NAMED_VALUE }, run: command(['sh', '-c', 'test -n "$NAMED" && echo "{\\\\"result\\\\":\\\\"ok\\\\"}" > result.json']) }] }),
] });
`;
const env = { MY_TOKEN: SECRET, NAMED_VALUE: NAMED };

/** Files of a directory that hold the bytes. */
const holding = (directory: string, text: string) =>
  filesBelow(directory).filter((path) => readFileSync(join(directory, path)).includes(text));

test('no file of the results directory holds a secret of the environment, whether the campaign ends well or not', async () => {
  scene.config(CAMPAIGN);
  scene.write('fail', '');
  const failed = await scene.caf(['run', '--verbose'], { env });
  expect(failed.code, failed.stderr).toBe(1);
  expect(holding(scene.results, SECRET)).toEqual([]);
  expect(failed.stdout + failed.stderr).not.toContain(SECRET);
  spawnSync('rm', [join(scene.directory, 'fail')]);
  const done = await scene.caf(['run', '--json'], { env });
  expect(done.code, done.stdout + done.stderr).toBe(0);
  expect(holding(scene.results, SECRET)).toEqual([]);
  expect(done.stdout + done.stderr).not.toContain(SECRET);
});

test('values of env that a calibration names reach its jobs, and files that hold them are for their owner only', async () => {
  scene.config(CAMPAIGN);
  const { code, stderr, stdout } = await scene.caf(['run', '-q'], { env });
  expect(code, stdout + stderr).toBe(0);
  for (const path of holding(scene.results, NAMED))
    expect({ path, mode: modeOf(join(scene.results, path)) }).toEqual({ path, mode: '0600' });
  expect(holding(scene.results, NAMED).filter((path) => path.endsWith('job.json'))).toEqual([]);
});

test('the results directory follows the umask', async () => {
  scene.config(CAMPAIGN);
  const through = (umask: string) => ['sh', '-c', `umask ${umask}; exec "$@"`, 'sh'];
  expect((await scene.caf(['run', '-q', '--output', 'private'], { env, through: through('077') })).code).toBe(0);
  expect((await scene.caf(['run', '-q', '--output', 'shared'], { env, through: through('022') })).code).toBe(0);
  expect(modeOf(join(scene.directory, 'private'))).toBe('0700');
  expect(modeOf(join(scene.directory, 'shared'))).toBe('0755');
  const open = filesBelow(join(scene.directory, 'private')).filter(
    (path) => !/[4567]00$/.test(modeOf(join(scene.directory, 'private', path))),
  );
  expect(open).toEqual([]);
});

test('caf opens no port and leaves nothing in the shared temporary directory', async () => {
  const temporary = join(scene.directory, 'tmp');
  mkdirSync(temporary, { mode: 0o1777 });
  scene.config(`
    import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
    import { createServer } from 'node:net';
    import { once } from 'node:events';
    const target = (path: string) => { try { return readlinkSync(path); } catch { return ''; } };
    const listening = (pid: number) => {
      const sockets = readFileSync('/proc/net/tcp', 'latin1') + readFileSync('/proc/net/tcp6', 'latin1');
      const open = new Set([...sockets.matchAll(/ 0A .*? (\\d+) 1 /g)].map(([, inode]) => 'socket:[' + inode + ']'));
      return readdirSync('/proc/' + pid + '/fd').filter((fd) => open.has(target('/proc/' + pid + '/fd/' + fd))).length;
    };
    export default defineConfig({ calibrations: [defineCalibration({ name: 'a', algorithms: [], collections: { c: { files: [], collect: async () => {
      const server = createServer().listen(0, '127.0.0.1');
      await once(server, 'listening');
      note('caf listens on ' + listening(process.ppid) + ' ports, this job on ' + listening(process.pid));
      note('arguments ' + readFileSync('/proc/' + process.ppid + '/cmdline', 'latin1').replaceAll('\\0', ' '));
      server.close();
    } } } })] });`);
  const { code, stderr } = await scene.caf(['run'], { env: { ...env, TMPDIR: temporary } });
  expect(code, stderr).toBe(0);
  expect(scene.notes()).toContain('caf listens on 0 ports, this job on 1');
  expect(scene.notes().join('\n')).not.toContain(SECRET);
  expect(readdirSync(temporary)).toEqual([]);
});

test('the report of a bug does not follow what somebody planted in the shared temporary directory', async () => {
  const temporary = join(scene.directory, 'tmp');
  mkdirSync(temporary, { mode: 0o1777 });
  const precious = scene.write('precious', 'keep me');
  // A neighbour knows the name of the file that will be written: here of this very process.
  const plant = scene.write(
    'plant.mjs',
    `import { symlinkSync } from 'node:fs';
    symlinkSync(${JSON.stringify(precious)}, ${JSON.stringify(temporary)} + '/caf-bug-' + process.pid + '.log');
    process.cwd = () => { throw new TypeError('planted'); };`,
  );
  const { code, stderr } = await scene.caf(['status'], { env: { TMPDIR: temporary }, node: ['--import', plant] });
  expect(code).toBe(3);
  expect(stderr).toContain('This is a bug in caf: planted');
  expect(scene.read('precious')).toBe('keep me');
  const [report = ''] = filesBelow(temporary).filter((path) => path.includes('/'));
  expect(stderr.replaceAll(/\s+/g, '')).toContain(report);
  expect(modeOf(join(temporary, report))).toBe('0600');
  expect(modeOf(join(temporary, report, '..'))).toBe('0700');
});

test('files planted beside the results under names that caf uses are not followed', async () => {
  scene.config(CAMPAIGN);
  const precious = scene.write('precious', 'keep me');
  mkdirSync(scene.results);
  symlinkSync(precious, join(scene.results, 'caf.db'));
  const { code, stderr } = await scene.caf(['run'], { env });
  expect(code).toBe(3);
  expect(stderr).toMatch(/caf\.db.*CAF_JOURNAL_(FOREIGN|DAMAGED)/s);
  expect(scene.read('precious')).toBe('keep me');
});
