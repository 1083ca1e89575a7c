// The cache of compiled code, seen from outside: where it lies, and that nobody else gets it.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

const CAF = fileURLToPath(new URL('../../bin/caf.js', import.meta.url));

const CONFIG = `import { spawnSync } from 'node:child_process';
import { command, defineCalibration, defineConfig } from 'calibration-framework';

const said = ['sh', '-c', 'echo "cache=$NODE_COMPILE_CACHE"'] as const;

export default defineConfig({
  calibrations: [
    defineCalibration({
      name: 'jobs',
      collections: {
        program: { files: [], collect: command([...said]) },
        function: { files: [], collect: () => void spawnSync(said[0], said.slice(1), { stdio: 'inherit' }) },
      },
      algorithms: [],
    }),
  ],
});
`;

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'caf-cache-'));
  writeFileSync(join(directory, 'caf.config.ts'), CONFIG);
});
afterEach(() => rmSync(directory, { recursive: true }));

const caf = (env: NodeJS.ProcessEnv, ...args: string[]) =>
  execFileSync(process.execPath, [CAF, ...args], { cwd: directory, env: { ...process.env, ...env }, stdio: 'pipe' }).toString();

describe('the cache of compiled code', () => {
  test('is where the environment says, and nothing lies in the temporary directory', () => {
    const temporary = join(directory, 'tmp');
    const cache = join(directory, 'cache');
    caf({ NODE_COMPILE_CACHE: cache, TMPDIR: temporary }, 'run', '--dry-run');
    expect(readdirSync(cache)).not.toEqual([]);
    expect(existsSync(temporary)).toBe(false);
  });

  test('is not used when the environment forbids it, and everything works', () => {
    const cache = join(directory, 'cache');
    expect(caf({ NODE_COMPILE_CACHE: cache, NODE_DISABLE_COMPILE_CACHE: '1' }, 'run', '--dry-run')).toContain('jobs');
    expect(existsSync(cache)).toBe(false);
  });

  test('is not passed on to jobs, nor to the programs that functions start', () => {
    caf({ NODE_COMPILE_CACHE: undefined }, 'run', '--quiet');
    const collector = join(directory, 'calibration_results/jobs/0/collector');
    for (const collection of ['program', 'function'])
      expect(readFileSync(join(collector, collection, '0/stdout'), 'utf8')).toBe('cache=\n');
  });
});
