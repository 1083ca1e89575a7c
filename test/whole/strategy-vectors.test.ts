// The test vectors of the strategies through the real caf: each vector is a calibration of one config.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { FinalState } from '../../src/domain/calibration.ts';
import type { Iov, Run } from '../../src/domain/iov.ts';
import type { StatusDocument } from '../../src/report/status-model.ts';
import { createProject, HEADER, type Project } from '../support/project.ts';

interface Vector {
  readonly id: string;
  readonly note: string;
  readonly requestedIov: Iov | null;
  readonly expected: {
    readonly executions: readonly { readonly runs: readonly Run[]; readonly iov: Iov; readonly result: string }[];
    readonly commits: readonly Iov[];
    readonly results: readonly { readonly iov: Iov; readonly result: string }[];
    readonly gaps: readonly Iov[] | null;
    readonly finalState: FinalState;
  };
}

const data = process.env.CAF_DATA;
const FILE = data === undefined ? join(import.meta.dirname, '../../../shared/spec/strategies.json') : join(data, '../spec/strategies.json');
const vectors: readonly Vector[] = existsSync(FILE) ? JSON.parse(readFileSync(FILE, 'utf8')) : [];
/** A requested IoV holds for a whole campaign: one for each that occurs. */
const requested = [...new Set(vectors.map(({ requestedIov }) => requestedIov?.join(',') ?? 'everything'))];

const CONFIG = `${HEADER}
import { readFileSync } from 'node:fs';
const Entries = definePayload('Entries', z.object({ entries: z.number(), runs: z.number() }));
const vectors = JSON.parse(readFileSync(join(import.meta.dirname, 'vectors.json'), 'utf8'));
const strategies = { singleIov, simpleRunByRun, sequentialRunByRun, sequentialBoundaries };
const has = (list, [experiment, run]) => list.some(([e, r]) => e === experiment && r === run);

const calibration = ({ id, strategy, options, data, algorithm: rules, ignoredRuns }) =>
  defineCalibration({
    name: id,
    ignoredRuns,
    maxIterations: 1,
    collections: {
      // One job per run, the last first: order and placement must not matter.
      runs: {
        files: [...new Set(data.map(([experiment, run]) => \`runs/e\${experiment}r\${run}\`))].reverse(),
        runs: /e(?<experiment>\\d+)r(?<run>\\d+)/,
        split: { maxFilesPerJob: 1 },
        collect: ({ files, record }) => {
          for (const file of files)
            for (const [experiment, run, entries] of data)
              if (file.endsWith(\`/e\${experiment}r\${run}\`)) record([experiment, run], 'entries', entries);
        },
      },
    },
    algorithms: [
      {
        name: 'mock',
        strategy: strategies[strategy](options),
        run: async ({ runs, data, commit }) => {
          let entries = 0;
          for await (const { value } of data.records<number>('entries')) entries += value;
          if (runs.some((run) => has(rules.failRuns, run))) return 'failure';
          if (entries < rules.minEntries) return 'not-enough-data';
          if (rules.failIfRunCountAtLeast !== null && runs.length >= rules.failIfRunCountAtLeast) return 'failure';
          commit(Entries, { entries, runs: runs.length });
          return runs.some((run) => has(rules.iterateRuns, run)) ? 'iterate' : 'ok';
        },
      },
    ],
  });

export default defineConfig({ backend: local({ slots: 2 }), maxParallelCalibrations: 2, calibrations: vectors.map(calibration) });
`;

describe.skipIf(vectors.length === 0)('the vectors of strategies.json through caf run (skipped: CAF_DATA/../spec has no such file)', () => {
  describe.for(requested)('with the requested IoV %s', (iov) => {
    const chosen = vectors.filter(({ requestedIov }) => (requestedIov?.join(',') ?? 'everything') === iov);
    let project: Project;
    let status: StatusDocument;
    beforeAll(async () => {
      project = createProject({ 'caf.config.ts': CONFIG, 'vectors.json': JSON.stringify(chosen) });
      for (const { data } of chosen as readonly unknown[] as readonly { readonly data: readonly (readonly number[])[] }[])
        for (const [experiment, run] of data) project.write(`runs/e${experiment}r${run}`, '');
      const { code, stderr } = await project.caf(['run', ...(iov === 'everything' ? [] : ['--iov', iov])]);
      const fails = chosen.some(({ expected }) => expected.finalState === 'failed');
      expect(code, stderr).toBe(fails ? 1 : 0);
      status = await project.status();
    });
    afterAll(() => project.remove());

    it.for(chosen)('$id $note', async ({ id, expected }) => {
      const calibration = status.calibrations.find(({ name }) => name === id);
      const algorithm = calibration?.iterations[0]?.algorithms[0];
      const localdb = join('calibration_results', id, '0', 'localdb');
      const shown = JSON.parse(await project.ask(['db', 'show', localdb, '--json'])) as {
        readonly entries: readonly { readonly iov: Iov }[];
      };
      expect({
        executions: algorithm?.executions.map(({ runs, iov, result }) => ({ runs, iov, result })),
        commits: shown.entries.map(({ iov }) => iov),
        results: algorithm?.results,
        gaps: algorithm?.gaps,
        finalState: algorithm?.finalState,
      }).toEqual(expected);
      expect(calibration?.state).toBe(expected.finalState);
      expect(project.has(join('calibration_results', id, 'localdb'))).toBe(expected.finalState === 'completed');
    });
  });
});
