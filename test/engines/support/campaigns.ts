// Campaigns on a real Slurm whose jobs wait for a sign, and what Slurm's own accounting says of them.
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type Engine, until } from './engine.ts';

export const ROOT = resolve('.');
const CAF = join(ROOT, 'bin/caf.js');

export function campaignsOn(slurm: Engine) {
  const caf = (args: readonly string[], cwd = ROOT) =>
    slurm.run([process.execPath, CAF, ...args], { cwd, env: { CAF_OUTPUT: '' }, timeoutMs: 120_000 });
  const start = (args: readonly string[]): ChildProcess =>
    spawn(process.execPath, [CAF, ...args], { cwd: ROOT, env: { ...slurm.env, CAF_OUTPUT: '' }, stdio: 'ignore', detached: true });

  /** Slurm keeps its accounts from one run of this suite to the next. */
  const unique = (name: string): string => `${name}${slurm.directory.slice(-6)}`;

  /** Every run of every job of this calibration in Slurm's accounting, once all are over there: `name|id|state`. */
  const accounted = (name: string, least: number): Promise<readonly string[]> =>
    until(`${least} jobs of ${name} are over in the accounting`, async () => {
      const text = await slurm.ask(['sacct', '-n', '-P', '-X', '-D', '--starttime=now-1hour', '-o', 'JobName,JobID,State']);
      const lines = text.split('\n').filter((line) => line.startsWith(`${unique(name)}.`));
      return lines.length >= least && lines.every((line) => !/PENDING|RUNNING/.test(line)) ? lines : null;
    });
  /** Ids of its jobs in the queue. */
  const queued = async (name: string): Promise<readonly string[]> => {
    const text = await slurm.ask(['squeue', '-h', '-r', '-t', 'running', '-o', '%j|%i']);
    return text.split('\n').flatMap((line) => (line.startsWith(`${unique(name)}.`) ? [line.split('|')[1] ?? ''] : []));
  };

  /** A config whose jobs wait for a file, so that caf can be killed while they are at work. */
  const project = (
    name: string,
    jobs: number,
  ): { readonly directory: string; readonly open: () => void; readonly begun: () => readonly string[] } => {
    const directory = join(slurm.directory, name);
    rmSync(directory, { recursive: true, force: true });
    mkdirSync(directory);
    writeFileSync(join(directory, 'input.txt'), 'input');
    const script = `echo "$1" >> ${directory}/begun; while [ ! -e ${directory}/open ]; do sleep 0.1; done; echo '{"run":[1,'$1'],"name":"n","value":'$1'}' > records.ndjson`;
    writeFileSync(
      join(directory, 'caf.config.ts'),
      `import { command, defineCalibration, defineConfig, definePayload, slurm } from '${ROOT}/dist/index.js';
const Sum = definePayload('Sum');
void Sum;
export default defineConfig({
  backend: slurm({ pollInterval: '1 s' }),
  calibrations: [defineCalibration({
    name: '${unique(name)}',
    collections: { all: {
      files: ['input.txt'],
      split: { arguments: Array.from({ length: ${jobs} }, (_, i) => [String(i)]) },
      resources: { memory: '100 MB', time: '10 min' },
      collect: command(['/bin/sh', '-c', ${JSON.stringify(script)}, 'job']),
    } },
    algorithms: [],
  })],
});
`,
    );
    const begun = join(directory, 'begun');
    return {
      directory,
      open: () => writeFileSync(join(directory, 'open'), ''),
      begun: () =>
        existsSync(begun)
          ? readFileSync(begun, 'utf8')
              .trim()
              .split('\n')
              .sort((a, b) => Number(a) - Number(b))
          : [],
    };
  };

  return { caf, start, accounted, queued, project };
}

export const numbers = (count: number): readonly string[] => Array.from({ length: count }, (_, i) => String(i));
