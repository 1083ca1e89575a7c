// What users are told of a batch engine beside the ends of their jobs: nodes that break everything they get.
import { beforeEach, describe, expect, it } from 'vitest';
import type { AttemptEnd } from '../../src/backends/backend.ts';
import { createNotices, type Notices } from '../../src/backends/batch-notices.ts';
import { gridengine } from '../../src/backends/gridengine.ts';
import { htcondor } from '../../src/backends/htcondor.ts';
import { lsf } from '../../src/backends/lsf.ts';
import { pbs } from '../../src/backends/pbs.ts';
import { slurm } from '../../src/backends/slurm.ts';
import { checkConfig } from '../../src/config/check-config.ts';
import type { CafEvent } from '../../src/domain/event.ts';

let events: CafEvent[];
let notices: Notices;
beforeEach(() => {
  events = [];
  notices = createNotices(slurm, (event) => events.push(event));
});

const exited = (node: string, code: number, seconds = 2): AttemptEnd => ({
  how: 'exited',
  code,
  usage: { seconds, maxRssBytes: null, node },
});
const times = (count: number, end: AttemptEnd) => {
  for (let i = 0; i < count; i += 1) notices.ended(end);
};

describe('a node on which everything fails', () => {
  it('is named once, when others do better, with the option that keeps off it', () => {
    times(7, exited('wn114', 1));
    expect(events).toEqual([]);
    times(2, exited('wn2', 0));
    times(5, exited('wn114', 1));
    expect(events).toEqual([
      {
        type: 'warning',
        code: 'CAF_ENGINE',
        message: '7 jobs failed within a minute on wn114, where none succeeded, while others do elsewhere',
        hint: "tell the administrators of slurm, and keep off it with directives: ['--exclude=wn114'] of the backend",
      },
    ]);
  });

  it('is not suspected when all nodes fail, when it had a success, or when its jobs ran long', () => {
    times(9, exited('wn1', 1));
    times(9, exited('wn2', 1));
    notices.ended(exited('wn1', 0));
    // wn2 is suspected from now on; wn1, which had a success, is not, and neither is wn3.
    times(9, exited('wn3', 1, 600));
    notices.ended({ how: 'node-lost', detail: 'gone', usage: { seconds: 0, maxRssBytes: null } });
    expect(events.map((event) => (event.type === 'warning' ? event.message : event.type))).toEqual([
      '9 jobs failed within a minute on wn2, where none succeeded, while others do elsewhere',
    ]);
  });

  it.each([slurm, htcondor, gridengine, lsf])('can be kept off with an option that $name takes', ({ name, avoid }) => {
    const option = new Function(`return { ${avoid?.('wn114.site.org')} }`)() as object;
    const checked = checkConfig(
      {
        backend: { kind: name, ...option },
        calibrations: [{ name: 'a', collections: { c: { files: [], collect: { argv: ['true'] } } }, algorithms: [] }],
      },
      { configPath: '/home/anna/caf.config.ts', cores: 4, payloads: [] },
    );
    expect(checked.ok ? [] : checked.error.filter(({ path }) => path.startsWith('backend'))).toEqual([]);
    expect(pbs.avoid).toBeUndefined();
  });
});
