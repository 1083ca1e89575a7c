// Who may import whom, and which library has which door: the rules of docs/architecture.md, checked.
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';

const ROOMS: Readonly<Record<string, readonly string[]>> = {
  domain: [],
  strategies: ['domain'],
  payloads: ['domain'],
  plan: ['domain'],
  machines: ['domain'],
  host: ['domain'],
  config: ['domain', 'plan', 'strategies'],
  database: ['domain', 'payloads', 'host', 'worker/contract.ts'],
  worker: ['domain', 'config', 'strategies', 'payloads', 'database', 'host'],
  backends: ['domain', 'host', 'worker/contract.ts'],
  runners: ['domain', 'plan', 'machines', 'config', 'payloads', 'database', 'worker', 'backends', 'host'],
  report: ['domain', 'database'],
  cli: [
    'domain',
    'plan',
    'machines',
    'config',
    'strategies',
    'payloads',
    'database',
    'worker',
    'backends',
    'runners',
    'report',
    'host',
    'index.ts',
  ],
};

const PURE = ['domain', 'plan', 'strategies', 'machines'];

/** Package or node module -> the only places that may import it. */
const DOORS: Readonly<Record<string, readonly string[]>> = {
  'better-sqlite3': ['database/'],
  winston: ['report/log-file.ts'],
  commander: ['cli/'],
  execa: ['backends/exec.ts'],
  'p-limit': ['payloads/'],
  xstate: ['machines/', 'runners/'],
  acorn: ['config/'],
  'node:child_process': ['backends/', 'host/background.ts', 'runners/forked-algorithms-runner.ts', 'worker/program-execution.ts'],
};

/** A warm child writes into the log of its own job. */
const JOB_LOG = 'worker/collector-child.ts';

const root = resolve('src');
const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));
const imports = files.flatMap((file) => {
  const text = readFileSync(join(root, file), 'utf8');
  const found = [...text.matchAll(/(?:from|import\()\s*'([^']+)'/g)].map(([, specifier = '']) => specifier);
  return found.map((specifier) => ({ file, specifier }));
});
const roomOf = (file: string): string => (file.includes('/') ? file.slice(0, file.indexOf('/')) : file);

describe('the architecture', () => {
  it('lets knowledge flow down only', () => {
    const wrong = imports
      .filter(({ specifier }) => specifier.startsWith('.'))
      .map(({ file, specifier }) => ({ file, target: relative(root, resolve(root, dirname(file), specifier)) }))
      .filter(({ file, target }) => {
        const room = ROOMS[roomOf(file)];
        return (
          room !== undefined &&
          roomOf(target) !== roomOf(file) &&
          !room.some((allowed) => target === allowed || target === '../package.json' || roomOf(target) === allowed)
        );
      });
    expect(wrong).toEqual([]);
  });

  it('knows every room', () => {
    expect([...new Set(files.filter((file) => file.includes('/')).map(roomOf))].sort()).toEqual(Object.keys(ROOMS).sort());
  });

  it('keeps pure rooms free of Node', () => {
    expect(imports.filter(({ file, specifier }) => PURE.includes(roomOf(file)) && specifier.startsWith('node:'))).toEqual([]);
  });

  it('opens each dangerous library by one door', () => {
    const wrong = imports.filter(({ file, specifier }) => {
      const doors = DOORS[specifier];
      return doors !== undefined && !doors.some((door) => file === door || (door.endsWith('/') && file.startsWith(door)));
    });
    expect(wrong).toEqual([]);
  });

  it('leaves nobody but the report and the command line to print', () => {
    const printing = files.filter(
      (file) =>
        !/^(report|cli)\//.test(file) &&
        file !== JOB_LOG &&
        /\b(console\.|process\.(stdout|stderr)\.write)/.test(readFileSync(join(root, file), 'utf8')),
    );
    expect(printing).toEqual([]);
  });
});
