// caf submit on real engines: a whole campaign as one job, followed, cancelled and continued from outside of it.
import { chmodSync, chownSync, existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { Said } from './support/boot.ts';
import { type Engine, until, withEngine } from './support/engine.ts';

const CAF = join(import.meta.dirname, '../../bin/caf.js');

const CONFIG = `
import { appendFileSync, existsSync, watch } from 'node:fs';
import { join } from 'node:path';
import { defineCalibration, defineConfig, definePayload } from 'calibration-framework';
import * as z from 'zod';
const here = import.meta.dirname;
const Value = definePayload('Value', z.number());
const open = () => new Promise((resolve) => {
  const look = () => { if (existsSync(join(here, 'open'))) { watcher.close(); resolve(undefined); } };
  const watcher = watch(here, look);
  look();
});
export default defineConfig({ calibrations: [defineCalibration({
  name: 'a',
  collections: { c: { files: [], collect: async ({ record }) => {
    appendFileSync(join(here, 'begun'), process.env.CAF_SLOTS + ' ' + (process.env.SECRET ?? 'no secret') + '\\n');
    await open();
    record([1, 1], 'n', 1);
  } } },
  algorithms: [{ name: 'x', run: ({ commit }) => { commit(Value, 1); return 'ok'; } }],
})] });
`;

interface Site {
  readonly directory: string;
  caf(...args: readonly string[]): Promise<Said>;
  /** Lines that the job has written when it began. */
  begun(): readonly string[];
  has(name: string): Promise<true>;
  out(text: RegExp): Promise<true>;
}

function siteOf(engine: Engine): Site {
  const directory = mkdtempSync(join(engine.directory, 'campaign-'));
  chmodSync(directory, 0o755);
  writeFileSync(join(directory, 'caf.config.ts'), CONFIG);
  if (engine.user !== null) chownSync(directory, engine.user.uid, engine.user.gid);
  const read = (name: string) => (existsSync(join(directory, name)) ? readFileSync(join(directory, name), 'utf8') : '');
  return {
    directory,
    caf: (...args) =>
      engine.run([process.execPath, CAF, ...args], { cwd: directory, asUser: true, env: { NO_COLOR: '1', SECRET: 'not for jobs' } }),
    begun: () =>
      read('begun')
        .split('\n')
        .filter((line) => line !== ''),
    has: (name) => until(`${name} is there`, async () => (existsSync(join(directory, name)) ? true : null)),
    out: (text) => until(`caf.out says ${text}`, async () => (text.test(read('calibration_results/caf.out')) ? true : null)),
  };
}

/** What keeps a job in the queue, in the words of the engine. */
const HOLD = { slurm: '--hold', htcondor: 'hold = true' } as const;

/** What no engine takes. */
const NONSENSE = { slurm: '--no-such-option', htcondor: 'universe = nosuch' } as const;

for (const name of ['slurm', 'htcondor'] as const) {
  withEngine(name, (engine) => {
    const submit = async (site: Site, ...args: readonly string[]): Promise<string> => {
      const said = await site.caf('submit', '--backend', name, ...args);
      expect(said.exitCode, said.stderr).toBe(0);
      return new RegExp(`submitted to ${name} as (\\S+)`).exec(said.stdout)?.[1] ?? '';
    };

    it('a campaign runs as one job; from outside it is followed to its end, and not submitted twice', async () => {
      const site = siteOf(engine);
      expect(await submit(site, '--cores', '2', '--time', '10 min')).not.toBe('');
      const following = Promise.all([site.caf('status', '--watch'), site.caf('logs', '-f')]);
      await site.has('begun');
      const twice = await site.caf('submit', '--backend', name);
      expect(twice.exitCode).toBe(3);
      expect(twice.stderr).toContain('CAF_RESULTS_LOCKED');
      writeFileSync(join(site.directory, 'open'), '');
      const [watched, followed] = await following;
      expect(watched.exitCode, watched.stderr).toBe(0);
      expect(watched.stdout).toMatch(/completed[\s\S]*caf db show/);
      expect(followed.exitCode, followed.stderr).toBe(0);
      expect(followed.stdout).toContain('campaign completed');
      expect(site.begun()).toEqual(['2 no secret']);
      await site.out(/1 calibration, 1 payload in/);
      expect((await site.caf('submit', '--backend', name)).stdout).toContain('nothing to do');
    });

    it('caf cancel ends it from outside, and submitted again it continues', async () => {
      const site = siteOf(engine);
      await submit(site, '--time', '10 min');
      await site.has('begun');
      const cancelled = await site.caf('cancel', '--reason', 'enough');
      expect(cancelled.exitCode, cancelled.stderr).toBe(0);
      expect(cancelled.stderr).toContain('has ended');
      await site.out(/interrupted by caf cancel \(\S+: enough\)/);
      writeFileSync(join(site.directory, 'open'), '');
      await submit(site, '--time', '10 min');
      await site.out(/1 calibration, 1 payload in/);
      expect(site.begun()).toHaveLength(2);
    });

    it('while it is held in the queue it is not submitted twice, and caf cancel takes it out', async () => {
      const site = siteOf(engine);
      const id = await submit(site, '--time', '10 min', `--directive=${HOLD[name]}`);
      const twice = await site.caf('submit', '--backend', name);
      expect(twice.exitCode).toBe(3);
      expect(twice.stderr.replace(/\s+/g, ' ')).toMatch(new RegExp(`has a job already: ${name} ${id} \\((?:held|queued)\\)`));
      const cancelled = await site.caf('cancel');
      expect(cancelled.exitCode, cancelled.stderr).toBe(0);
      expect(cancelled.stderr).toContain(`cancelled ${name} ${id}`);
      expect(site.begun()).toEqual([]);
      writeFileSync(join(site.directory, 'open'), '');
      await submit(site, '--time', '10 min');
      await site.out(/1 calibration, 1 payload in/);
    });

    it('an option that the engine does not take is refused with its words, and nothing is kept', async () => {
      const site = siteOf(engine);
      const { exitCode, stderr } = await site.caf('submit', '--backend', name, `--directive=${NONSENSE[name]}`);
      expect(exitCode, stderr).toBe(2);
      expect(stderr).toContain('CAF_SUBMIT_REFUSED');
      expect(existsSync(join(site.directory, 'calibration_results/.submit'))).toBe(false);
    });
  });
}
