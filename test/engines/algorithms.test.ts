// Algorithms as jobs of real engines: the same databases as beside caf, adopted after a kill, and no execution twice.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { Said } from './support/boot.ts';
import { type Engine, until, withEngine } from './support/engine.ts';

const CAF = join(import.meta.dirname, '../../bin/caf.js');

const configOf = (engine: string): string => `
import { appendFileSync, existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { command, defineCalibration, defineConfig, definePayload, ${engine}, simpleRunByRun } from 'calibration-framework';
import * as z from 'zod';
const here = import.meta.dirname;
const Value = definePayload('Value', z.number());
const Where = definePayload('Where', z.string());
const job = { cores: 1, memory: '300 MB', time: '5 min' };
export default defineConfig({
  backend: ${engine}({ pollInterval: '1 s', algorithms: { on: 'backend' }, env: { FROM_BACKEND: 'b' }, setup: ['export FROM_SETUP=s'] }),
  calibrations: [defineCalibration({
    name: 'a',
    collections: { c: { files: [], resources: job, collect: ({ record }) => { for (const run of [1, 2, 3]) record([1, run], 'n', run); } } },
    algorithms: [
      { name: 'sums', resources: job, strategy: simpleRunByRun(), env: { OWN: 'o' }, run: async ({ runs, data, commit }) => {
        const run = runs[0][1];
        appendFileSync(join(here, 'begun'), [run, process.env.FROM_BACKEND, process.env.FROM_SETUP, process.env.OWN, process.env.SECRET ?? 'clean'].join(' ') + '\\n');
        console.log('run', run, 'begins');
        if (run === 2) while (existsSync(join(here, 'gate')) && !existsSync(join(here, 'open'))) await new Promise((resolve) => setTimeout(resolve, 50));
        for await (const { value } of data.records('n')) commit(Value, value * 10);
        return 'ok';
      } },
      { name: 'program', resources: job, run: command(['/bin/sh', '-c', 'echo \\'{ "result": "ok", "payloads": [{ "name": "Where", "value": "there" }] }\\' > result.json']) },
    ],
  })],
});
void Where;
`;

interface Site {
  readonly directory: string;
  caf(...args: readonly string[]): Promise<Said>;
  start(...args: readonly string[]): ChildProcess;
  begun(): readonly string[];
}

function siteOf(engine: Engine): Site {
  const directory = mkdtempSync(join(engine.directory, 'algorithms-'));
  chmodSync(directory, 0o755);
  writeFileSync(join(directory, 'caf.config.ts'), configOf(engine.name));
  const env = { NO_COLOR: '1', SECRET: 'not for jobs' };
  const { user } = engine;
  if (user !== null) chownSync(directory, user.uid, user.gid);
  return {
    directory,
    caf: (...args) => engine.run([process.execPath, CAF, ...args], { cwd: directory, asUser: true, env, timeoutMs: 180_000 }),
    start: (...args) =>
      spawn(process.execPath, [CAF, ...args], {
        cwd: directory,
        env: { ...engine.env, ...env, ...(user === null ? {} : { HOME: user.home, USER: user.name, LOGNAME: user.name }) },
        ...(user === null ? {} : { uid: user.uid, gid: user.gid }),
        stdio: 'ignore',
      }),
    begun: () => {
      const path = join(directory, 'begun');
      return existsSync(path) ? readFileSync(path, 'utf8').trim().split('\n') : [];
    },
  };
}

const ENVIRONMENT = 'b s o clean';

for (const name of ['slurm', 'htcondor'] as const) {
  withEngine(name, (engine) => {
    const viewId = async (site: Site, results: string): Promise<string> => {
      const { stdout } = await site.caf('db', 'show', join(results, 'a/localdb'), '--json');
      return (JSON.parse(stdout) as { viewId: string }).viewId;
    };

    it('algorithms as jobs make the same database as beside caf, in a clean environment', async () => {
      const site = siteOf(engine);
      const there = await site.caf('run');
      expect(there.exitCode, there.stderr).toBe(0);
      expect(site.begun()).toEqual([1, 2, 3].map((run) => `${run} ${ENVIRONMENT}`));
      const here = await site.caf('run', '--backend', 'local', '--output', 'here');
      expect(here.exitCode, here.stderr).toBe(0);
      expect(await viewId(site, 'calibration_results')).toBe(await viewId(site, 'here'));
      const { stdout } = await site.caf('logs', 'a/0/sums');
      expect(stdout).toContain('run 3 begins');
      expect(existsSync(join(site.directory, 'calibration_results/.batch'))).toBe(false);
    });

    it('a caf that was killed takes the algorithm back, and no execution is done twice', async () => {
      const site = siteOf(engine);
      writeFileSync(join(site.directory, 'gate'), '');
      const first = site.start('run');
      await until('the second execution is at work', async () => (site.begun().length === 2 ? true : null));
      const status = await until('the status tells of it', async () => {
        const { stdout } = await site.caf('status', '--json');
        return stdout.includes('"result":"ok"') ? stdout : null;
      });
      expect(status).toContain('"running"');
      expect((await site.caf('logs', 'a/0/sums')).stdout).toContain('run 2 begins');
      first.kill('SIGKILL');
      await once(first, 'exit');
      writeFileSync(join(site.directory, 'open'), '');
      const second = await site.caf('run');
      expect(second.exitCode, second.stderr).toBe(0);
      expect(site.begun()).toEqual([1, 2, 3].map((run) => `${run} ${ENVIRONMENT}`));
    });

    it('one that was left is ended when its calibration goes on elsewhere', async () => {
      const site = siteOf(engine);
      writeFileSync(join(site.directory, 'gate'), '');
      const first = site.start('run');
      await until('the second execution is at work', async () => (site.begun().length === 2 ? true : null));
      first.kill('SIGTERM');
      expect(await once(first, 'exit')).toEqual([143, null]);
      const second = site.start('run', '--backend', 'local');
      await until('it is done again', async () => (site.begun().length > 2 ? true : null));
      writeFileSync(join(site.directory, 'open'), '');
      expect(await once(second, 'exit')).toEqual([0, null]);
      expect(site.begun().map((line) => line.slice(0, 1))).toEqual(['1', '2', '2', '3']);
    });

    it('Ctrl-C leaves the algorithm at work, and caf cancel ends it', async () => {
      const site = siteOf(engine);
      writeFileSync(join(site.directory, 'gate'), '');
      const first = site.start('run');
      await until('the second execution is at work', async () => (site.begun().length === 2 ? true : null));
      first.kill('SIGINT');
      expect(await once(first, 'exit')).toEqual([130, null]);
      const cancelled = await site.caf('cancel');
      expect(cancelled.stderr).toContain('ended 1 running job');
      writeFileSync(join(site.directory, 'open'), '');
      const again = await site.caf('run');
      expect(again.exitCode, again.stderr).toBe(0);
      // The one at work was ended; the one before it is kept.
      expect(site.begun().map((line) => line.slice(0, 1))).toEqual(['1', '2', '2', '3']);
    });
  });
}
