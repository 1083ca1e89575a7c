// What caf run leaves on disk, and what it does with calibrations of every shape.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createProject, HEADER, type Project, treeOf } from '../support/project.ts';

let project: Project;
beforeEach(() => {
  project = createProject();
});
afterEach(() => project.remove());

const config = (body: string): void => project.write('caf.config.ts', HEADER + body);
const inputs = (...names: readonly string[]): void => {
  for (const name of names) project.write(`data/${name}.txt`, '1\n');
};
/** What is on disk below a calibration, without what begins with a dot: that is caf's own. */
const tree = (calibration: string): readonly string[] =>
  treeOf(`${project.results}/${calibration}`).filter((path) => !/(^|\/)\./.test(path));
const calibrationOf = async (name: string) => {
  const found = (await project.status()).calibrations.find((calibration) => calibration.name === name);
  if (found === undefined) throw new Error(`status has no ${name}`);
  return found;
};

const RUNS = 'runs: /e(?<experiment>\\d+)r(?<run>\\d+)/';
/** Files named like `e1r2` with a record for their run; each job notes its files. */
const COLLECT = `const runOf = (path) => path.match(/e(\\d+)r(\\d+)/).slice(1).map(Number);
const collect = ({ files, record, iteration }) => {
  note('collect ' + iteration + ' ' + files.map((path) => path.replace(/.*\\/|\\.txt/g, '')).join(','));
  for (const file of files) record(runOf(file), 'n', 1);
};
const Tag = definePayload('Tag', z.object({ by: z.string() }));
`;

describe('the results directory', () => {
  test('holds every file and directory of the contract, and no empty log', async () => {
    inputs('e1r1', 'e1r2');
    config(`${COLLECT}
import { writeFileSync } from 'node:fs';
const File = definePayload('File');
export default defineConfig({ calibrations: [defineCalibration({
  name: 'a',
  collections: {
    functions: { files: ['data/*.txt'], ${RUNS}, split: { maxFilesPerJob: 1 }, collect: (context) => {
      collect(context);
      writeFileSync('hits.bin', 'x');
      if (context.files[0].includes('r1')) console.log('printed');
    } },
    programs: { files: ['data/*.txt'], ${RUNS}, collect: command(['sh', '-c', 'echo noise >&2; echo 1 > made.txt']), split: { maxJobs: 1 } },
  },
  algorithms: [
    { name: 'tag', strategy: sequentialRunByRun(), run: ({ commit, iteration }) => { commit(Tag, { by: String(iteration) }); return iteration === 0 ? 'iterate' : 'ok'; } },
    { name: 'file', run: async ({ commitFile, log }) => { log('said'); writeFileSync('blob.bin', 'abc'); await commitFile(File, 'blob.bin'); return 'ok'; } },
  ],
})] });`);
    await project.ask(['run']);
    expect(treeOf(project.results).filter((path) => !path.includes('/') || /^(objects\/..\/.{62}$)/.test(path)).length).toBe(2 + 3);
    const iteration = (n: number, rev: string) => [
      `${n}/`,
      `${n}/algorithms/`,
      `${n}/algorithms/file/`,
      `${n}/algorithms/file/blob.bin`,
      `${n}/algorithms/file/stderr`,
      `${n}/algorithms/tag/`,
      `${n}/algorithms/tag/gaps.json`,
      `${n}/collector/`,
      `${n}/collector/functions/`,
      ...[0, 1].flatMap((job) => [
        `${n}/collector/functions/${job}/`,
        ...['hits.bin', 'job.json', 'records.ndjson', 'result.json', ...(job === 0 ? ['stdout'] : [])].map(
          (file) => `${n}/collector/functions/${job}/${file}`,
        ),
      ]),
      `${n}/collector/programs/`,
      `${n}/collector/programs/0/`,
      ...['job.json', 'made.txt', 'stderr'].map((file) => `${n}/collector/programs/0/${file}`),
      `${n}/localdb/`,
      ...['File_rev_900150.bin', rev, 'VERSION', 'chain.lock.json', 'conditions.sqlite', 'database.txt'].map(
        (file) => `${n}/localdb/${file}`,
      ),
    ];
    const last =
      tree('a')
        .find((path) => /^localdb\/Tag_/.test(path))
        ?.slice('localdb/'.length) ?? 'none';
    const first =
      tree('a')
        .find((path) => /^0\/localdb\/Tag_/.test(path))
        ?.slice('0/localdb/'.length) ?? 'none';
    expect(last).not.toBe(first);
    const result = [
      'localdb/',
      ...['File_rev_900150.bin', last, 'VERSION', 'chain.lock.json', 'conditions.sqlite', 'database.txt'].map((file) => `localdb/${file}`),
    ];
    expect(tree('a')).toEqual([...iteration(0, first), ...iteration(1, last), ...result].sort());
  });

  test('keeps the local database of an iteration that failed, with what was committed, and gives no result', async () => {
    inputs('e1r1', 'e1r2');
    const text = (result: string) => `${COLLECT}
export default defineConfig({ calibrations: [defineCalibration({
  name: 'a',
  collections: { c: { files: ['data/*.txt'], ${RUNS}, collect } },
  algorithms: [
    { name: 'good', strategy: sequentialRunByRun(), run: ({ commit }) => { commit(Tag, { by: 'good' }); return 'ok'; } },
    { name: 'bad', run: ({ commit }) => { commit(Tag, { by: 'bad' }); return '${result}'; } },
  ],
})] });`;
    config(text('failure'));
    const failed = await project.caf(['run']);
    expect(failed.code, failed.stderr).toBe(1);
    expect(project.has('calibration_results/a/localdb')).toBe(false);
    const before = JSON.parse(await project.ask(['db', 'show', 'calibration_results/a/0/localdb', '--json']));
    expect(before.entries.map(({ iov }: { iov: unknown }) => iov)).toEqual([
      [1, 1, 1, 1],
      [1, 2, 1, 2],
    ]);

    config(text('ok'));
    await project.ask(['run']);
    expect(tree('a').filter((path) => /^0\/localdb\.\w+\/$/.test(path))).toEqual([`0/localdb.${before.versionId}/`]);
    const after = JSON.parse(await project.ask(['db', 'show', 'calibration_results/a/0/localdb', '--json']));
    expect(after.entries).toHaveLength(3);
    expect(project.has('calibration_results/a/localdb/VERSION')).toBe(true);
    expect(project.notes().filter((line) => line.startsWith('collect'))).toHaveLength(2);
  });
});

describe('iterations', () => {
  const iterating = (converges: number, options: string) => {
    config(`${COLLECT}
export default defineConfig({ calibrations: [defineCalibration({
  name: 'a', ${options}
  collections: { c: { files: [], collect: ({ record }) => record([1, 1], 'n', 1) } },
  algorithms: [{ name: 'x', run: ({ commit, iteration }) => { note('iteration ' + iteration); commit(Tag, { by: String(iteration) }); return iteration + 1 < ${converges} ? 'iterate' : 'ok'; } }],
})] });`);
  };

  /** Runs to the limit. What the warning says to do. */
  const notConvergedHint = async (): Promise<string> => {
    const events = (await project.ask(['run', '--json'])).trimEnd().split('\n');
    return events.map((line) => JSON.parse(line)).find(({ code }) => code === 'CAF_NOT_CONVERGED').hint;
  };

  test('stop at convergence, and by default after five', async () => {
    iterating(2, '');
    await project.ask(['run']);
    expect(await calibrationOf('a')).toMatchObject({ iteration: 1, converged: true, state: 'completed', checkpoint: 'completed' });

    iterating(100, '');
    const { code, stderr, stdout } = await project.caf(['run', '--fresh']);
    expect(code).toBe(0);
    expect(`${stdout}${stderr}`).toContain('CAF_NOT_CONVERGED');
    expect(await calibrationOf('a')).toMatchObject({ iteration: 4, converged: false, state: 'completed' });
    expect(project.notes().slice(2)).toEqual([0, 1, 2, 3, 4].map((n) => `iteration ${n}`));
  });

  test('maxIterations 1 runs one iteration', async () => {
    iterating(100, 'maxIterations: 1,');
    expect(await notConvergedHint()).toBe('raise maxIterations');
    expect(project.notes()).toEqual(['iteration 0']);
    expect(await calibrationOf('a')).toMatchObject({ iteration: 0, converged: false });
  });

  test('without convergence the command that is proposed can be typed as it is', async () => {
    iterating(100, 'maxIterations: 2,');
    const [, command = ''] = /: caf (.*)$/.exec(await notConvergedHint()) ?? [];
    expect(await project.ask(command.split(' '))).toContain('Tag');
  });

  test("with onMaxIterations 'fail' the limit is a failure, and a higher limit lets it go on", async () => {
    iterating(3, "maxIterations: 2, onMaxIterations: 'fail',");
    expect((await project.caf(['run'])).code).toBe(1);
    expect(await calibrationOf('a')).toMatchObject({ iteration: 1, state: 'failed', error: { code: 'CAF_NOT_CONVERGED' } });
    expect(project.has('calibration_results/a/localdb')).toBe(false);

    iterating(3, "maxIterations: 4, onMaxIterations: 'fail',");
    await project.ask(['run']);
    expect(project.notes()).toEqual(['iteration 0', 'iteration 1', 'iteration 2']);
    expect(await calibrationOf('a')).toMatchObject({ iteration: 2, state: 'completed', converged: true });
  });
});

describe('calibrations of every shape', () => {
  test('only collectors: completes with an empty result', async () => {
    inputs('e1r1');
    config(
      `${COLLECT}export default defineConfig({ calibrations: [defineCalibration({ name: 'a', collections: { c: { files: ['data/*.txt'], ${RUNS}, collect } }, algorithms: [] })] });`,
    );
    await project.ask(['run']);
    expect(await calibrationOf('a')).toMatchObject({
      state: 'completed',
      localdb: 'a/localdb',
      jobs: { total: 1, succeeded: 1 },
      payloads: 0,
    });
    expect(JSON.parse(await project.ask(['db', 'show', 'calibration_results/a/localdb', '--json'])).entries).toEqual([]);
  });

  test('only algorithms: runs them once over everything', async () => {
    config(
      `${COLLECT}export default defineConfig({ calibrations: [defineCalibration({ name: 'a', collections: {}, algorithms: [{ name: 'x', run: ({ commit, runs }) => { note('runs ' + runs.length); commit(Tag, { by: 'x' }); return 'ok'; } }] })] });`,
    );
    await project.ask(['run']);
    expect(project.notes()).toEqual(['runs 0']);
    expect(await calibrationOf('a')).toMatchObject({ state: 'completed', payloads: 1, jobs: { total: 0 } });
    expect(JSON.parse(await project.ask(['db', 'show', 'calibration_results/a/localdb', '--json'])).view).toMatchObject([
      { name: 'Tag', iov: [0, 0, -1, -1] },
    ]);
  });

  test('several collections are read in the order collection, job, line', async () => {
    inputs('e1r1', 'e1r2', 'e1r3');
    config(`${COLLECT}
const collecting = (name) => ({ files, record }) => { for (const file of files) for (const line of [1, 2]) record([1, 1], 'n', name + runOf(file)[1] + line); };
export default defineConfig({ calibrations: [defineCalibration({
  name: 'a',
  collections: {
    second: { files: ['data/*.txt'], collect: collecting('s'), split: { maxFilesPerJob: 2 } },
    first: { files: ['data/*.txt'], collect: collecting('f'), split: { maxJobs: 1 } },
  },
  algorithms: [{ name: 'x', run: async ({ data, commit }) => { const all = []; for await (const { value } of data.records('n')) all.push(value); note(all.join(' ')); commit(Tag, { by: 'x' }); return 'ok'; } }],
})] });`);
    await project.ask(['run']);
    expect(project.notes()).toEqual(['s11 s12 s21 s22 s31 s32 f11 f12 f21 f22 f31 f32']);
  });

  test.each([
    { split: '{ maxFilesPerJob: 2 }', jobs: ['e1r1,e1r2', 'e1r3,e1r4', 'e1r5'] },
    { split: '{ maxJobs: 2 }', jobs: ['e1r1,e1r2,e1r3', 'e1r4,e1r5'] },
    { split: '{ maxJobs: 7 }', jobs: ['e1r1', 'e1r2', 'e1r3', 'e1r4', 'e1r5'] },
  ])('split $split makes these jobs of five files', async ({ split, jobs }) => {
    inputs('e1r5', 'e1r3', 'e1r1', 'e1r4', 'e1r2');
    config(
      `${COLLECT}export default defineConfig({ calibrations: [defineCalibration({ name: 'a', collections: { c: { files: ['data/*.txt'], collect, split: ${split} } }, algorithms: [] })] });`,
    );
    await project.ask(['run']);
    expect(project.notes().toSorted()).toEqual(jobs.map((files) => `collect 0 ${files}`));
  });

  test('split by arguments gives each job all files and its own words, to functions and programs', async () => {
    inputs('e1r1', 'e1r2');
    config(`export default defineConfig({ calibrations: [defineCalibration({ name: 'a', algorithms: [], collections: {
      functions: { files: ['data/*.txt'], split: { arguments: [['x', '1'], ['y z']] }, collect: (context) => note('function ' + context.files.length + ' ' + JSON.stringify(context.arguments)) },
      programs: { files: ['data/*.txt'], split: { arguments: [['x', '1'], ['y z']] }, collect: command(['sh', '-c', 'printf "program %s %s|%s\\n" $# "$1" "$2" >> ../../../../../../notes', 'sh']) },
    } })] });`);
    await project.ask(['run']);
    expect(project.notes().toSorted()).toEqual(['function 2 ["x","1"]', 'function 2 ["y z"]', 'program 1 y z|', 'program 2 x|1']);
  });
});

describe('the requested IoV and ignored runs', () => {
  const selecting = (options: string) => {
    inputs('e1r1', 'e1r2', 'e1r3', 'e1r4', 'e2r1');
    config(`${COLLECT}export default defineConfig({ calibrations: [defineCalibration({
      name: 'a', ${options}
      collections: { c: { files: ['data/*.txt'], ${RUNS}, split: { maxFilesPerJob: 1 }, collect: (context) => { collect(context); context.record([1, 3], 'n', 1); } } },
      algorithms: [{ name: 'x', run: ({ runs, commit }) => { note('runs ' + JSON.stringify(runs)); commit(Tag, { by: 'x' }); return 'ok'; } }],
    })] });`);
  };

  test.each([
    {
      options: 'ignoredRuns: [[1, 2]],',
      flags: [],
      files: ['e1r1', 'e1r3', 'e1r4', 'e2r1'],
      runs: [
        [1, 1],
        [1, 3],
        [1, 4],
        [2, 1],
      ],
    },
    {
      options: '',
      flags: ['--iov', '1,2,1,4'],
      files: ['e1r2', 'e1r3', 'e1r4'],
      runs: [
        [1, 2],
        [1, 3],
        [1, 4],
      ],
    },
    {
      options: 'ignoredRuns: [[1, 4]],',
      flags: ['--iov', '1,2,2,-1'],
      files: ['e1r2', 'e1r3', 'e2r1'],
      runs: [
        [1, 2],
        [1, 3],
        [2, 1],
      ],
    },
    // Every job records run 1,3 too: what is recorded outside the selection is not given to algorithms.
    {
      options: 'ignoredRuns: [[1, 3]],',
      flags: ['--iov', '1,1,1,2'],
      files: ['e1r1', 'e1r2'],
      runs: [
        [1, 1],
        [1, 2],
      ],
    },
  ])('$options $flags collect these files and give these runs', async ({ options, flags, files, runs }) => {
    selecting(options);
    await project.ask(['run', ...flags]);
    const notes = project.notes();
    expect(notes.filter((line) => line.startsWith('collect')).sort()).toEqual(files.map((file) => `collect 0 ${file}`));
    expect(notes.filter((line) => line.startsWith('runs'))).toEqual([`runs ${JSON.stringify(runs)}`]);
  });

  test('a selection that leaves no file is a failure that says so', async () => {
    selecting('');
    const { code, stdout, stderr } = await project.caf(['run', '--iov', '5,0,5,-1']);
    expect(code).toBe(1);
    expect(`${stdout}${stderr}`).toContain('no input file is left for a/c: the requested IoV is 5,0,5,-1');
    expect(await calibrationOf('a')).toMatchObject({ state: 'failed', error: { code: 'CAF_NO_INPUT' } });
    expect(project.has('calibration_results/a/0/localdb/VERSION')).toBe(true);
    expect((await project.caf(['run', '--iov', '5,0,5,-1'])).code).toBe(1);
    await project.ask(['run', '--iov', '2,1,2,1']);
  });
});

describe('failures', () => {
  test('within the quorum the calibration goes on, names what is missing, and says so in its database', async () => {
    inputs('e1r1', 'e1r2', 'e1r3', 'e1r4');
    config(`${COLLECT}export default defineConfig({ calibrations: [defineCalibration({
      name: 'a', quorum: 0.75,
      collections: { c: { files: ['data/*.txt'], ${RUNS}, retries: 0, split: { maxFilesPerJob: 1 }, collect: (context) => { if (context.files[0].includes('e1r2')) throw new Error('dead channel'); collect(context); } } },
      algorithms: [{ name: 'x', run: ({ runs, commit }) => { note(JSON.stringify(runs)); commit(Tag, { by: 'x' }); return 'ok'; } }],
    })] });`);
    const { code, stderr } = await project.caf(['run']);
    expect(code, stderr).toBe(0);
    expect(stderr).toContain('CAF_QUORUM');
    expect(stderr).toContain('data/e1r2.txt');
    expect(project.notes()).toContain('[[1,1],[1,3],[1,4]]');
    expect(await calibrationOf('a')).toMatchObject({ state: 'completed', jobs: { total: 4, succeeded: 3, failed: 1 } });
    expect(await project.ask(['db', 'log', 'calibration_results/a/localdb'])).toContain('1 of 4 collector jobs are missing');
    expect(await project.ask(['status'])).toMatch(/completed +0 +3\/4 .*1 failed/);
  });

  test('block descendants and nobody else: independent branches finish, and the exit code is 1', async () => {
    config(`${COLLECT}
const one = (name, result, dependsOn = []) => defineCalibration({ name, dependsOn, collections: {}, algorithms: [{ name: 'x', run: ({ commit }) => { note(name); commit(Tag, { by: name }); return result; } }] });
export default defineConfig({ calibrations: [one('bad', 'failure'), one('next', 'ok', ['bad']), one('far', 'ok', ['next', 'other']), one('other', 'ok'), one('leaf', 'ok', ['other'])] });`);
    const { code } = await project.caf(['run']);
    expect(code).toBe(1);
    expect(project.notes().toSorted()).toEqual(['bad', 'leaf', 'other']);
    const status = await project.status();
    expect(status.state).toBe('failed');
    expect(Object.fromEntries(status.calibrations.map(({ name, state }) => [name, state]))).toEqual({
      bad: 'failed',
      next: 'blocked',
      far: 'blocked',
      other: 'completed',
      leaf: 'completed',
    });
    expect(status.calibrations.find(({ name }) => name === 'far')?.error).toMatchObject({ code: 'CAF_BLOCKED' });

    // Mended, only what failed and what waited for it is done.
    project.forgetNotes();
    project.edit('caf.config.ts', "one('bad', 'failure')", "one('bad', 'ok')");
    await project.ask(['run']);
    expect(project.notes().toSorted()).toEqual(['bad', 'far', 'next']);
  });

  test('results of algorithms commit or discard what was queued', async () => {
    inputs('e1r1', 'e1r2', 'e1r3', 'e1r4');
    config(`${COLLECT}
const results = { 1: 'ok', 2: 'iterate', 3: 'not-enough-data', 4: 'failure' };
export default defineConfig({ calibrations: [defineCalibration({
  name: 'a', maxIterations: 1,
  collections: { c: { files: ['data/*.txt'], ${RUNS}, collect } },
  algorithms: [{ name: 'x', strategy: simpleRunByRun({ allowFailures: true }), run: ({ runs, commit }) => { commit(Tag, { by: 'run' + runs[0][1] }); return results[runs[0][1]]; } }],
})] });`);
    await project.caf(['run']);
    const shown = JSON.parse(await project.ask(['db', 'show', 'calibration_results/a/0/localdb', '--json']));
    expect(shown.entries.map(({ iov }: { iov: unknown }) => iov)).toEqual([
      [1, 1, 1, 1],
      [1, 2, 1, 2],
    ]);
    expect((await calibrationOf('a')).iterations[0]?.algorithms[0]?.executions.map(({ result }) => result)).toEqual([
      'ok',
      'iterate',
      'not-enough-data',
      'failure',
    ]);
  });
});
