// A real Slurm that breaks while a campaign runs: nothing is lost, nothing is done twice, and no answer that is none changes anything.

import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { campaignsOn, numbers } from './support/campaigns.ts';
import { until, withEngine } from './support/engine.ts';

withEngine('slurm', (slurm) => {
  const { caf, start, accounted, queued, project } = campaignsOn(slurm);

  it('waits for a controller that is down when jobs are to be submitted', async () => {
    const { directory, open, begun } = project('nocontroller', 8);
    open();
    const broken = await slurm.down('ctld');
    const run = caf(['run', directory, '--json']);
    let isOver = false;
    void run.then(() => {
      isOver = true;
    });
    // The client itself gives up after some seconds; then caf says so.
    await until('caf has tried', async () => ((await slurm.run(['scontrol', 'ping'])).exitCode !== 0 ? true : null));
    expect(isOver).toBe(false);
    await broken.mend();
    const said = await run;
    expect(said).toMatchObject({ exitCode: 0 });
    expect(begun()).toEqual(numbers(8));
    expect(await accounted('nocontroller', 8)).toHaveLength(8);
  });

  it('needs no controller to see that jobs have ended well', async () => {
    const { directory, open, begun } = project('endedwithout', 8);
    const run = caf(['run', directory]);
    await until('the jobs are at work', async () => (begun().length === 8 ? true : null));
    await using broken = await slurm.down('ctld');
    open();
    expect(await run).toMatchObject({ exitCode: 0 });
    await broken.mend();
    expect(await accounted('endedwithout', 8)).toHaveLength(8);
  });

  it('does not need the accounting while the queue answers', async () => {
    const { directory, open, begun } = project('noaccounting', 4);
    await using broken = await slurm.down('dbd');
    open();
    expect(await caf(['run', directory])).toMatchObject({ exitCode: 0 });
    await broken.mend();
    expect(begun()).toEqual(numbers(4));
    expect(await accounted('noaccounting', 4)).toHaveLength(4);
  });

  it.each(['crash', 'cut'] as const)('makes new attempts for the jobs of a node that is lost (%s), in new directories', async (how) => {
    // As many as one node can take at once, beside those of the other.
    const { directory, open, begun } = project(`lost${how}`, 6);
    const run = caf(['run', directory, '--json']);
    await until('the jobs are at work', async () => (begun().length === 6 ? true : null));
    const text = await slurm.ask(['squeue', '-h', '-r', '-t', 'running', '-w', 'n1', '-o', '%i']);
    const lost = text.split('\n').filter((id) => id !== '').length;
    expect(lost).toBeGreaterThan(0);
    await using broken = await slurm[how]('n1');
    await until('they are at work again', async () => (begun().length === 6 + lost ? true : null), 120_000);
    open();
    const said = await run;
    expect(said).toMatchObject({ exitCode: 0 });
    expect(said.stdout).toContain('the node n1 failed');
    await broken.mend();
    const states = (await accounted(`lost${how}`, 6 + lost)).map((line) => line.split('|')[2]);
    expect(states.filter((state) => state === 'COMPLETED')).toHaveLength(6);
    expect(states.filter((state) => state === 'NODE_FAIL')).toHaveLength(lost);
  });

  it('adopts jobs while the controller is down, and cancels them when it is back', async () => {
    const { directory, begun } = project('cancelled', 4);
    const first = start(['run', directory]);
    await until('the jobs are at work', async () => (begun().length === 4 ? true : null));
    first.kill('SIGKILL');
    await once(first, 'exit');
    const broken = await slurm.down('ctld');
    const again = start(['run', directory]);
    const log = `${directory}/calibration_results/caf.log`;
    await until('caf has taken them back', async () => (readFileSync(log, 'utf8').includes('"adopted":true') ? true : null));
    const cancel = caf(['cancel', `${directory}/calibration_results`]);
    await broken.mend();
    expect(await cancel).toMatchObject({ exitCode: 0 });
    if (again.exitCode === null) await once(again, 'exit');
    expect(await queued('cancelled')).toEqual([]);
  });
});
