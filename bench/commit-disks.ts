// Commits on this machine's disk, and on simulated ones whose flush takes 3.2 ms, as on the disk for which the bar was set: fsync is slowed for floor and caf alike.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Row } from './benchmark.ts';
import { commits } from './commits.ts';

/** Rounds of a commit, for one of anything else: each takes some milliseconds, and the first ones run code that is not yet compiled. */
const COMMITS = 20;
const COMMITS_ON_SLOW_DISK = 3;
const SLOW = { SLOW_FSYNC_US: '3200' };
const SLOW_DISKS = [
  { label: ', 3.2 ms a flush (simulated)', env: { ...SLOW, SLOW_FSYNC_GROUPS: '1' } },
  { label: ', 3.2 ms each fsync (simulated)', env: SLOW },
];

/** In children, with as many threads as `caf run` has (host/thread-pool.ts). Without a C compiler there are no simulated disks. */
export function commitsOnDisks(directory: string, rounds: number): readonly Row[] {
  const rows = inChild(join(directory, 'commits'), COMMITS * rounds, '', {});
  const shim = join(directory, 'slow-disk.so');
  const source = fileURLToPath(new URL('./slow-disk.c', import.meta.url));
  if (spawnSync('cc', ['-O2', '-shared', '-fPIC', '-o', shim, source, '-lpthread', '-ldl']).status !== 0) return rows;
  const slow = SLOW_DISKS.flatMap(({ label, env }, disk) =>
    inChild(join(directory, `slow${disk}`), COMMITS_ON_SLOW_DISK * rounds, label, { ...env, LD_PRELOAD: shim }),
  );
  return [...rows, ...slow];
}

function inChild(place: string, rounds: number, label: string, env: NodeJS.ProcessEnv): readonly Row[] {
  mkdirSync(place);
  const answer = execFileSync(process.execPath, [fileURLToPath(import.meta.url), place, String(rounds), label], {
    env: { ...process.env, UV_THREADPOOL_SIZE: '16', ...env },
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return JSON.parse(answer) as readonly Row[];
}

if (import.meta.main) {
  const [place = '', rounds = '', label = ''] = process.argv.slice(2);
  console.log(JSON.stringify(await commits(place, Number(rounds), label)));
}
