// The package as it is published: packed, unpacked under node_modules, with nothing but its declared dependencies beside it.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';

const repository = join(import.meta.dirname, '../..');
const installed = join(repository, 'node_modules');
let home: string;
let bin: string;

const caf = (directory: string, ...args: readonly string[]) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [bin, ...args], {
    cwd: directory,
    encoding: 'utf8',
    env: { ...process.env, NO_COLOR: '1' },
  });
  if (status !== 0) throw new Error(`caf ${args.join(' ')} ended with ${status}\n${stdout}${stderr}`);
  return { stdout, stderr };
};

beforeAll(() => {
  home = realpathSync(mkdtempSync(join(tmpdir(), 'caf-')));
  // Without its scripts: they would build dist anew under the feet of other tests.
  const [packed] = JSON.parse(
    execFileSync('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', home], {
      cwd: repository,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }),
  ) as readonly { readonly filename: string }[];
  const modules = join(home, 'node_modules');
  const own = join(modules, 'calibration-framework');
  mkdirSync(own, { recursive: true });
  execFileSync('tar', ['-xzf', join(home, packed?.filename ?? ''), '--strip-components=1', '-C', own]);
  const { dependencies } = JSON.parse(readFileSync(join(own, 'package.json'), 'utf8')) as {
    readonly dependencies: Readonly<Record<string, string>>;
  };
  for (const name of [...Object.keys(dependencies), '@types/node']) {
    mkdirSync(dirname(join(modules, name)), { recursive: true });
    symlinkSync(join(installed, name), join(modules, name));
  }
  // A quick build leaves the declarations out.
  if (!existsSync(join(own, 'dist/types'))) {
    execFileSync(join(installed, '.bin/tsc'), ['-p', join(repository, 'tsconfig.build.json'), '--outDir', join(own, 'dist/types')]);
  }
  bin = join(own, 'bin/caf.js');
});
afterAll(() => rmSync(home, { recursive: true, force: true }));

test('caf init makes a project that type-checks against the packed declarations, and runs', () => {
  const project = join(home, 'project');
  mkdirSync(project);
  caf(project, 'init', 'my-line');
  execFileSync(join(installed, '.bin/tsc'), ['-p', project], { stdio: 'pipe' });
  const { stdout } = caf(project, 'run');
  expect(stdout).toContain('1 calibration, 1 payload');
  const status = JSON.parse(caf(project, 'status', '--json').stdout) as {
    readonly state: string;
    readonly calibrations: readonly { readonly iteration: number }[];
  };
  expect(status.state).toBe('completed');
  expect(status.calibrations[0]?.iteration).toBeGreaterThan(0);
  expect(caf(project, 'run').stdout).toContain('nothing to do');
});

test('ready-made calibrations can be imported, with their types, and run', () => {
  const project = join(home, 'ready');
  mkdirSync(project);
  writeFileSync(
    join(project, 'caf.config.ts'),
    `import { defineConfig } from 'calibration-framework';
import { pedestals } from 'calibration-framework/calibrations/pedestals';
export default defineConfig({ calibrations: [pedestals({ files: ['*.csv'], channels: 2 })] });
`,
  );
  const samples = Array.from({ length: 200 }, (_, sample) => `1,1,${sample % 2},${100 + (sample % 7)}\n`);
  writeFileSync(join(project, 'random-e1r1.csv'), `experiment,run,channel,adc\n${samples.join('')}`);
  writeFileSync(
    join(project, 'tsconfig.json'),
    JSON.stringify({
      compilerOptions: { strict: true, module: 'nodenext', target: 'es2024', noEmit: true, types: ['node'], skipLibCheck: false },
      include: ['*.ts'],
    }),
  );
  execFileSync(join(installed, '.bin/tsc'), ['-p', project], { stdio: 'pipe' });
  expect(caf(project, 'run', '--dry-run').stdout).toMatch(/pedestals +1 +never run/);
  expect(caf(project, 'run').stdout).toContain('1 calibration, 1 payload');
});

test('it holds what the README names, and no TypeScript that Node would have to strip', () => {
  const own = join(home, 'node_modules/calibration-framework');
  for (const path of [
    'README.md',
    'CHANGELOG.md',
    'docs/errors.md',
    'docs/writing-a-calibration.md',
    'calibrations/gains/README.md',
    'localdb/base/database.txt',
    'examples/quickstart/caf.config.ts',
  ])
    expect(existsSync(join(own, path)), path).toBe(true);
  const { exports, bin: programs } = JSON.parse(readFileSync(join(own, 'package.json'), 'utf8')) as {
    readonly exports: Readonly<Record<string, { readonly default?: string } | string>>;
    readonly bin: Readonly<Record<string, string>>;
  };
  for (const entry of Object.values(exports)) if (typeof entry === 'object') expect(entry.default).toMatch(/\.js$/);
  expect(Object.keys(programs)).toEqual(['caf']);
  expect(readdirSync(join(own, 'dist')).filter((name) => name.endsWith('.ts'))).toEqual([]);
});
