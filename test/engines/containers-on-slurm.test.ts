// Containers inside jobs of a real Slurm: collectors and algorithms run in their image, and what ends the job ends the container.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { commandsOf, ENGINE_ROOT } from './support/boot.ts';
import { until, withEngine } from './support/engine.ts';

const CAF = join(import.meta.dirname, '../../bin/caf.js');
const IMAGES = {
  podman: `'tiny:1'`,
  apptainer: `{ image: '${ENGINE_ROOT}/apptainer/tiny', runtime: 'apptainer' }`,
  charliecloud: `{ image: '${ENGINE_ROOT}/charliecloud/tiny', runtime: 'charliecloud' }`,
} as const;
type Runtime = keyof typeof IMAGES;
type Part = 'collector' | 'algorithm';

/** Each program says that it is inside: busybox is in the image only. `asleep` stays at work for `seconds`. */
const configOf = (runtime: Runtime, asleep: Part | null, seconds: number): string => `
import { command, defineCalibration, defineConfig, definePayload, slurm } from 'calibration-framework';
import * as z from 'zod';
const Value = definePayload('Value', z.number());
void Value;
const job = { memory: '500 MB', time: '5 min' };
const inside = (part, then) => command(['sh', '-c', '[ -e /bin/busybox ] || exit 40; ' + (part === '${asleep}' ? ': > started; sleep ${seconds}; ' : '') + then]);
export default defineConfig({
  backend: slurm({ pollInterval: '1 s', algorithms: { on: 'backend' }, env: { PATH: '${commandsOf(runtime)}:/usr/local/bin:/usr/bin:/bin' } }),
  calibrations: [defineCalibration({
    name: 'inside-${seconds}',
    collections: { c: { files: [], resources: job, retries: 0, container: ${IMAGES[runtime]},
      collect: inside('collector', ${JSON.stringify(`echo '{"run":[1,1],"name":"n","value":1}' > records.ndjson`)}) } },
    algorithms: [{ name: 'x', resources: job, container: ${IMAGES[runtime]},
      run: inside('algorithm', ${JSON.stringify(`echo '{"result":"ok","payloads":[{"name":"Value","value":7}]}' > result.json`)}) }],
  })],
});
`;

const AT_WORK: Readonly<Record<Part, string>> = {
  collector: 'collector/c/0.attempt-0/started',
  algorithm: 'algorithms/x/.attempt-0/work/execution-0/started',
};

withEngine('slurm', (slurm) => {
  for (const [number, runtime] of (['podman', 'apptainer', 'charliecloud'] as const).entries()) {
    withEngine(runtime, (box) => {
      // caf looks for the runtime where it starts, too.
      const env = { ...slurm.env, PATH: `${commandsOf(runtime)}:${slurm.env.PATH}`, NO_COLOR: '1' };
      const caf = (cwd: string, ...args: readonly string[]) =>
        slurm.run([process.execPath, CAF, ...args], { cwd, env, timeoutMs: 120_000 });
      const project = (asleep: Part | null, seconds: number): string => {
        const directory = mkdtempSync(join(slurm.directory, 'inside-'));
        writeFileSync(join(directory, 'caf.config.ts'), configOf(runtime, asleep, seconds));
        return directory;
      };

      it(`a collector and an algorithm run in ${runtime}, each as a job`, async () => {
        const directory = project(null, 0);
        const { exitCode, stdout, stderr } = await caf(directory, 'run');
        expect(exitCode, stdout + stderr).toBe(0);
        const value = await caf(directory, 'db', 'get', 'calibration_results/inside-0/localdb', 'Value', '1', '1');
        expect(value.stdout.trim()).toBe('7');
      });

      const ENDED: readonly { readonly asleep: Part; readonly by: 'caf cancel' | 'scancel' }[] = [
        { asleep: 'collector', by: 'caf cancel' },
        { asleep: 'collector', by: 'scancel' },
        { asleep: 'algorithm', by: 'caf cancel' },
        { asleep: 'algorithm', by: 'scancel' },
      ];
      it.each(ENDED)('$by ends the container of the $asleep', async ({ asleep, by }) => {
        // Nobody else sleeps exactly as long.
        const seconds = 100_000 + process.pid * 100 + number * 10 + ENDED.findIndex((each) => each.asleep === asleep && each.by === by);
        const directory = project(asleep, seconds);
        const running: ChildProcess = spawn(process.execPath, [CAF, 'run'], { cwd: directory, env, stdio: 'ignore' });
        const isAsleep = async () => (await box.run(['pgrep', '-f', `sleep ${seconds}`])).exitCode === 0;
        await until('it is at work', async () =>
          existsSync(join(directory, `calibration_results/inside-${seconds}/0`, AT_WORK[asleep])) && (await isAsleep()) ? true : null,
        );
        if (by === 'caf cancel') expect(await caf(directory, 'cancel')).toMatchObject({ exitCode: 0 });
        else {
          const jobs = (await slurm.ask(['squeue', '-h', '-r', '-o', '%i %j']))
            .split('\n')
            .flatMap((line) => (line.split(' ')[1]?.startsWith(`inside-${seconds}.`) ? [line.split(' ')[0] ?? ''] : []));
          await slurm.ask(['scancel', ...jobs]);
        }
        if (running.exitCode === null) await once(running, 'exit');
        await until('nothing of it runs any more', async () => ((await isAsleep()) ? null : true), 30_000);
      });
    });
  }
});
