// Programs inside containers of each runtime, as a user runs them: collectors and algorithms, what they see, and how they are ended.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createRig, type Rig } from '../support/rig.ts';
import { ENGINE_ROOT, type EngineName } from './support/boot.ts';
import { type Engine, until, withEngine } from './support/engine.ts';

const IMAGES: Readonly<Partial<Record<EngineName, string>>> = {
  podman: `'tiny:1'`,
  apptainer: `{ image: '${ENGINE_ROOT}/apptainer/tiny', runtime: 'apptainer' }`,
  charliecloud: `{ image: '${ENGINE_ROOT}/charliecloud/tiny', runtime: 'charliecloud' }`,
};

/** `busybox` is in the image and nowhere on PATH of this machine: what runs it runs inside. */
const config = (name: string, container: string) => `
import { command, defineCalibration, defineConfig, definePayload, local, singleIov } from 'calibration-framework';
import * as z from 'zod';
const Sum = definePayload('Sum', z.object({ sum: z.number() }));
export default defineConfig({ backend: local({ slots: 2 }), calibrations: [defineCalibration({
  name: 'inside',
  collections: { c: {
    files: ['../outside/*.csv'], runs: /e(?<experiment>\\d+)r(?<run>\\d+)/, split: { maxFilesPerJob: 1 }, retries: 0, env: { WEIGHT: '2', SPACED: 'a  b', RUNTIME: '${name}' }, container: ${container},
    collect: command(['sh', '{config}/collect.sh', '{files}']),
  } },
  algorithms: [{ name: 'sum', container: ${container}, run: command(['sh', '{config}/sum.sh']) }],
})] });
`;

const COLLECT = `
[ -e /bin/busybox ] || exit 40
env | cut -d= -f1 | sort > variables
[ "$SPACED" = 'a  b' ] || exit 41
[ $RUNTIME = charliecloud ] || ! (: > "$(dirname "$0")/written") 2>/dev/null || exit 42
read value < "$1"
run=$(echo "$1" | sed 's/.*e1r\\([0-9]*\\).*/\\1/')
echo "{\\"run\\":[1,$run],\\"name\\":\\"v\\",\\"value\\":$((value * WEIGHT))}" > records.ndjson
`;
const SUM = `
token=$(sed -n 's/.*"token": *"\\([^"]*\\)".*/\\1/p' "$CAF_JOB")
sum=0
for file in $(sed -n '/"records"/,/]/s/.*"\\(\\/[^"]*\\)".*/\\1/p' "$CAF_JOB"); do
  for value in $(sed 's/.*"value":\\([0-9]*\\).*/\\1/' "$file"); do sum=$((sum + value)); done
done
echo "{\\"v\\":1,\\"token\\":\\"$token\\",\\"result\\":\\"ok\\",\\"payloads\\":[{\\"name\\":\\"Sum\\",\\"value\\":{\\"sum\\":$sum}}]}" > result.new
mv result.new result.json
`;

for (const name of ['podman', 'apptainer', 'charliecloud'] as const) {
  withEngine(name, (engine: Engine) => {
    let rig: Rig;
    const image = IMAGES[name] ?? '';
    const caf = (...args: readonly string[]) => rig.run(args, { PATH: engine.env.PATH ?? '', CAF_TEST_SECRET: 'hunter2' });
    beforeEach(() => {
      rig = createRig('');
      mkdirSync(join(rig.directory, 'project'));
    });
    afterEach(() => rig.remove());
    const project = (text: string) => {
      writeFileSync(join(rig.directory, 'project', 'caf.config.ts'), text);
      return join(rig.directory, 'project');
    };

    it('runs collectors and algorithms: the same paths, their own variables, one place to write to', async () => {
      for (const run of [1, 2, 3]) rig.write(`outside/e1r${run}.csv`, `${run}\n`);
      const directory = project(config(name, image));
      writeFileSync(join(directory, 'collect.sh'), COLLECT);
      writeFileSync(join(directory, 'sum.sh'), SUM);
      const { code, stdout, stderr } = await caf('run', directory);
      expect(code, stdout + stderr).toBe(0);
      const { stdout: value } = await caf('db', 'get', join(directory, 'calibration_results/inside/localdb'), 'Sum', '1', '1');
      expect(value).toContain('"sum":12');
      const seen = readFileSync(join(directory, 'calibration_results/inside/0/collector/c/0/variables'), 'utf8').split('\n');
      expect(seen).toEqual(expect.arrayContaining(['CAF_JOB', 'SPACED', 'WEIGHT']));
      expect(seen).not.toContain('CAF_TEST_SECRET');
    });

    it('ends a container at its time limit, and tells the exit status of a program', async () => {
      const directory = project(`
import { command, defineCalibration, defineConfig } from 'calibration-framework';
const c = (script, resources = {}) => ({ files: [], retries: 0, resources, container: ${image}, collect: command(['sh', '-c', script]) });
export default defineConfig({ calibrations: [
  defineCalibration({ name: 'slow', algorithms: [], collections: { c: c('echo $$ > started; sleep 4321', { time: '5 s' }) } }),
  defineCalibration({ name: 'bad', algorithms: [], collections: { c: c('echo no beam >&2; exit 7') } }),
] });`);
      const { code, stderr, stdout } = await caf('run', directory);
      expect(code, stdout + stderr).toBe(1);
      expect(stdout + stderr).toMatch(/exited with status 7: no beam/);
      expect(stdout + stderr).toMatch(/longer than its time limit of 5 s/);
      expect(existsSync(join(directory, 'calibration_results/slow/0/collector/c/0.attempt-0/started'))).toBe(true);
      await until('nothing of it runs any more', async () =>
        (await engine.run(['pgrep', '-f', 'sleep 4321'])).exitCode === 1 ? true : null,
      );
    });

    it('refuses an image that is not there before anything starts, where that can be known', async () => {
      const absent = name === 'podman' ? `'./absent.sif'` : `{ image: './absent', runtime: '${name}' }`;
      const directory = project(config(name, absent));
      rig.write('outside/e1r1.csv', '1\n');
      const { code, stderr } = await caf('run', directory);
      expect(code).toBe(2);
      expect(stderr).toContain(`there is no image ${join(directory, 'absent')}`);
      expect(existsSync(join(directory, 'calibration_results'))).toBe(false);
    });
  });
}
