// caf on a real Slurm: the same databases as on this machine, every job exactly once in Slurm's own accounting, whatever happens in between.
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { slurm as engine } from '../../src/backends/slurm.ts';
import type { SlurmSite } from '../../src/domain/calibration.ts';
import { describeBatch } from '../backends/batch-contract.ts';
import { SLURM_SITE } from '../backends/support/specs.ts';
import { campaignsOn, numbers } from './support/campaigns.ts';
import { until, withEngine } from './support/engine.ts';

withEngine('slurm', (slurm) => {
  const { caf, start, accounted, queued, project } = campaignsOn(slurm);

  const viewIds = async (results: string) => {
    const found: string[] = [];
    for (const calibration of ['pedestals', 'gains']) {
      const { stdout } = await caf(['db', 'show', join(results, calibration, 'localdb'), '--json']);
      found.push((JSON.parse(stdout) as { viewId: string }).viewId);
    }
    return found;
  };

  it('gives the same databases as this machine, with one array per collection and iteration', async () => {
    const here = join(slurm.directory, 'here');
    const there = join(slurm.directory, 'there');
    expect(await caf(['run', 'examples/quickstart', '--output', here])).toMatchObject({ exitCode: 0 });
    expect(await caf(['run', 'examples/quickstart', '--output', there, '--backend', 'slurm'])).toMatchObject({ exitCode: 0 });
    expect(await viewIds(there)).toEqual(await viewIds(here));
    expect(existsSync(join(there, '.batch'))).toBe(false);
    const job = join(there, 'gains/0/collector/source/0');
    expect(readdirSync(job).sort()).toEqual(['job.json', 'records.ndjson', 'result.json']);
  });

  it('sends jobs where the site of their collection says, and each job where its own does', async () => {
    const { directory, open } = project('sited', 4);
    open();
    const config = join(directory, 'caf.config.ts');
    const site = `site: ({ job }) => (job % 2 === 0 ? { slurm: { partition: 'short' } } : {}), resources: ({ job }) => ({ memory: (100 + job) + ' MiB', time: '1 min' }),`;
    writeFileSync(config, readFileSync(config, 'utf8').replace(/resources: .*,/, site));
    expect(await caf(['run', directory])).toMatchObject({ exitCode: 0 });
    await accounted('sited', 4);
    const said = await slurm.ask(['sacct', '-n', '-P', '-X', '--starttime=now-1hour', '-o', 'JobName,Partition,ReqMem']);
    const own = said.split('\n').filter((line) => line.startsWith(`sited${slurm.directory.slice(-6)}.`));
    expect(own.map((line) => line.split('|').slice(1).join(' ')).sort()).toEqual(['main 101M', 'main 103M', 'short 100M', 'short 102M']);
  });

  it('adopts its jobs after it was killed, and none is done twice', async () => {
    const { directory, open, begun } = project('adopted', 12);
    const first = start(['run', directory]);
    await until('the jobs are at work', async () => (begun().length === 12 ? true : null));
    first.kill('SIGKILL');
    await once(first, 'exit');
    open();
    expect(await caf(['run', directory])).toMatchObject({ exitCode: 0 });
    expect(begun()).toEqual(numbers(12));
    expect(existsSync(join(directory, 'calibration_results/.batch'))).toBe(false);
    const jobs = await accounted('adopted', 12);
    expect(jobs).toHaveLength(12);
    expect(jobs.every((line) => line.endsWith('|COMPLETED'))).toBe(true);
  });

  it('is killed at many instants around its submission, and submits every job exactly once', async () => {
    const { directory, open, begun } = project('killed', 20);
    for (let round = 0; round < 12; round += 1) {
      const one = start(['run', directory]);
      // Not a wait: the instant is what is tried, from before the first command to after the first query.
      await new Promise((resolve) => setTimeout(resolve, 150 + 45 * round));
      one.kill('SIGKILL');
      if (one.exitCode === null && one.signalCode === null) await once(one, 'exit');
    }
    open();
    expect(await caf(['run', directory])).toMatchObject({ exitCode: 0 });
    expect(begun()).toEqual(numbers(20));
    expect(await accounted('killed', 20)).toHaveLength(20);
  });

  it('leaves its jobs at Ctrl-C, and takes them back', async () => {
    const { directory, open, begun } = project('left', 8);
    const first = start(['run', directory]);
    await until('the jobs are at work', async () => (begun().length === 8 ? true : null));
    first.kill('SIGINT');
    expect(await once(first, 'exit')).toEqual([130, null]);
    expect(await queued('left')).toHaveLength(8);
    open();
    expect(await caf(['run', directory])).toMatchObject({ exitCode: 0 });
    expect(begun()).toEqual(numbers(8));
    expect(await accounted('left', 8)).toHaveLength(8);
  });

  it('ends them when the campaign goes on somewhere else, and does their work there', async () => {
    const { directory, open, begun } = project('elsewhere', 2);
    const first = start(['run', directory]);
    await until('the jobs are at work', async () => (begun().length === 2 ? true : null));
    first.kill('SIGTERM');
    await once(first, 'exit');
    const again = caf(['run', directory, '--backend', 'local']);
    await until('they are gone', async () => ((await queued('elsewhere')).length === 0 ? true : null));
    open();
    expect(await again).toMatchObject({ exitCode: 0 });
    expect(begun()).toEqual(['0', '0', '1', '1']);
    const states = (await accounted('elsewhere', 2)).map((line) => line.split('|')[2]?.split(' ')[0]);
    expect(states).toEqual(['CANCELLED', 'CANCELLED']);
    expect(existsSync(join(directory, 'calibration_results/.batch'))).toBe(false);
  });

  it('ends them when it is asked a second time', async () => {
    const { directory, begun } = project('ended', 4);
    const first = start(['run', directory]);
    await until('the jobs are at work', async () => (begun().length === 4 ? true : null));
    expect(await caf(['cancel', join(directory, 'calibration_results')])).toMatchObject({ exitCode: 0 });
    if (first.exitCode === null) await once(first, 'exit');
    const states = (await accounted('ended', 4)).map((line) => line.split('|')[2]?.split(' ')[0]);
    expect(states).toEqual(['CANCELLED', 'CANCELLED', 'CANCELLED', 'CANCELLED']);
  });

  describeBatch<SlurmSite>('Slurm', async () => ({
    engine,
    site: SLURM_SITE,
    env: slurm.env,
    shortLimitMs: 60_000,
    memoryHog: { argv: ['/usr/bin/python3', '-c', 'import time; b = bytearray(300_000_000); time.sleep(100)'], limitBytes: 100e6 },
    remove: async (id) => void (await slurm.ask(['scancel', id])),
    // A job that no node can take is refused, so none can be held before it runs; the fake Slurm shows what is said of held ones.
    holding: null,
  }));
});
