// Jobs and strategy children that are killed, and algorithms that misbehave in every way: each a clear failure of its own, and nothing else is lost.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { countsOf, createScene, type Scene, viewIds } from '../support/scene.ts';

let scene: Scene;
beforeEach(() => {
  scene = createScene();
});
afterEach(() => scene.close());

/** The events of `caf run --json` of one type. */
function events(stdout: string, type: string): readonly Record<string, unknown>[] {
  return stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>)
    .filter((event) => event.type === type);
}

const KILL_ONCE = (how: string) => `
import { existsSync, writeFileSync } from 'node:fs';
import { spawn } from 'node:child_process';
const P = definePayload('P', z.object({ n: z.number() }));
const first = (what: string) => { if (existsSync(join(import.meta.dirname, 'once-' + what))) return false; writeFileSync(join(import.meta.dirname, 'once-' + what), ''); return true; };
export default defineConfig({ backend: local({ slots: 1 }), calibrations: [defineCalibration({ name: 'a',
  collections: { c: { files: [], split: { arguments: [['0'], ['1'], ['2']] }, ${how} } },
  algorithms: [{ name: 'fit', run: async ({ data, commit }) => { let n = 0; for await (const { value } of data.records('n')) n += value as number; commit(P, { n }); return 'ok'; } }],
})] });
`;
const FUNCTION_KILLED = KILL_ONCE(
  `collect: ({ arguments: [job], record }) => { note(job); if (job === '1' && first('job')) process.kill(process.pid, 'SIGKILL'); record([1, Number(job)], 'n', Number(job)); }`,
);
const PROGRAM_KILLED = KILL_ONCE(
  `collect: command(['sh', '-c', 'echo $1 >> {config}/notes; if [ $1 = 1 ] && ! [ -e {config}/once ]; then touch {config}/once; kill -9 $$; fi; echo "{\\\\"run\\\\":[1,$1],\\\\"name\\\\":\\\\"n\\\\",\\\\"value\\\\":$1}" > records.ndjson', 'x'])`,
);
const GRANDCHILD_KILLED = KILL_ONCE(
  `collect: command(['sh', '-c', 'echo $1 >> {config}/notes; if [ $1 = 1 ] && ! [ -e {config}/once ]; then touch {config}/once; sh -c "kill -9 \\\\$\\\\$"; exit $?; fi; echo "{\\\\"run\\\\":[1,$1],\\\\"name\\\\":\\\\"n\\\\",\\\\"value\\\\":$1}" > records.ndjson', 'x'])`,
);

test.each([
  ['a function collector', FUNCTION_KILLED, /SIGKILL \(killed, often by the system for lack of memory\)/],
  ['a program', PROGRAM_KILLED, /SIGKILL \(killed, often by the system for lack of memory\)/],
  ['a grandchild of a program', GRANDCHILD_KILLED, /137 \(128 \+ 9: a program it ran was ended by SIGKILL/],
])('a job whose process is killed by the kernel is done again, with the attempt recorded: %s', async (_, config, detail) => {
  scene.config(config);
  const { code, stdout, stderr } = await scene.caf(['run', '--json']);
  expect(code, stdout + stderr).toBe(0);
  expect(countsOf(scene.notes())).toEqual({ 0: 1, 1: 2, 2: 1 });
  const [retried, ...more] = events(stdout, 'job.retried');
  expect(more).toEqual([]);
  expect(retried).toMatchObject({ job: 1, attempt: 0, directory: 'a/0/collector/c/1.attempt-0' });
  expect((retried as { outcome: { detail: string } }).outcome.detail).toMatch(detail);
  expect(JSON.parse(readFileSync(join(scene.results, 'a/0/collector/c/1.attempt-0/job.json'), 'utf8'))).toMatchObject({ attempt: 0 });
  expect((await scene.caf(['db', 'get', 'calibration_results/a/localdb', 'P', '1', '1'])).stdout).toContain('"n":3');
});

test('a job beyond its memory limit is ended, and tried again with more', async () => {
  scene.config(`
export default defineConfig({ backend: local({ slots: 1 }), calibrations: [defineCalibration({ name: 'a', algorithms: [],
  collections: { c: { files: [], resources: { memory: '100 MB' }, retries: 1,
    collect: command(['python3', '-c', 'import time; x = bytearray(120_000_000); open("{config}/notes", "a").write("try\\\\n"); time.sleep(20 if open("{config}/notes").read().count("try") == 1 else 0)']) } } })] });
`);
  const { code, stdout, stderr } = await scene.caf(['run', '--json']);
  expect(code, stdout + stderr).toBe(0);
  const [retried] = events(stdout, 'job.retried') as unknown as [{ outcome: { cause: string; detail: string } }];
  expect(retried.outcome.cause).toBe('out-of-memory');
  expect(retried.outcome.detail).toMatch(/1\d\d(\.\d)? MB of memory; its limit is 100 MB/);
  expect(scene.notes()).toEqual(['try', 'try']);
});

const RUN_BY_RUN = (body: string) => `
import { existsSync } from 'node:fs';
const P = definePayload('P', z.object({ n: z.number() }));
export default defineConfig({ calibrations: [
  defineCalibration({ name: 'a',
    collections: { c: { files: [], collect: ({ record }) => { note('collect'); for (let run = 1; run <= 4; run += 1) record([1, run], 'n', run); } } },
    algorithms: [{ name: 'fit', strategy: simpleRunByRun(), run: async ({ runs, commit, log }) => { const run = runs[0]![1]; note('run ' + run); ${body} commit(P, { n: run }); return 'ok'; } }] }),
  defineCalibration({ name: 'other', collections: {}, algorithms: [{ name: 'fit', run: ({ commit }) => 'ok' }] }),
] });
`;

test('a killed strategy child fails its algorithm with the signal named; its finished executions are kept, and caf run goes on after them', async () => {
  scene.config(RUN_BY_RUN(`if (run === 3 && !existsSync(join(import.meta.dirname, 'mended'))) process.kill(process.pid, 'SIGKILL');`));
  const { code, stdout, stderr } = await scene.caf(['run']);
  expect(code, stdout + stderr).toBe(1);
  expect(stdout.replaceAll(/\s+/g, ' ')).toMatch(/The child process was ended by SIGKILL during execution 2 of fit \(run 1,3\)/);
  expect(scene.notes()).toEqual(expect.arrayContaining(['run 1', 'run 2', 'run 3']));
  scene.write('mended', '');
  const again = await scene.caf(['run']);
  expect(again.code, again.stdout + again.stderr).toBe(0);
  expect(countsOf(scene.notes())).toEqual({ collect: 1, 'run 1': 1, 'run 2': 1, 'run 3': 2, 'run 4': 1 });
  expect(Object.keys(viewIds(scene.results))).toContain('a/localdb');
});

test.each([
  ['returns nothing', 'if (run === 2) return undefined as never;', /returned undefined; expected/],
  ['returns an unknown word', `if (run === 2) return 'okay' as never;`, /returned "okay"; expected one of ok, iterate/],
  ['rejects', `if (run === 2) { await null; throw new Error('no peak found'); }`, /no peak found/],
  ['throws in a timer', `if (run === 2) await new Promise(() => setTimeout(() => { throw new Error('late'); }, 1));`, /late/],
  ['never settles', 'if (run === 2) await new Promise(() => undefined);', /waits for a promise that can never settle/],
  ['calls process.exit', 'if (run === 2) process.exit(0);', /called process\.exit\(0\)/],
])('an algorithm that %s fails that execution with a clear reason, and the campaign goes on', async (_, body, reason) => {
  scene.config(RUN_BY_RUN(body));
  const { code, stdout, stderr } = await scene.caf(['run', '--json']);
  expect(code, stdout + stderr).toBe(1);
  const executions = events(stdout, 'execution.finished').filter(({ calibration }) => calibration === 'a') as unknown as {
    execution: { seq: number; result: string; error?: string };
  }[];
  expect(executions.find(({ execution }) => execution.seq === 1)?.execution).toMatchObject({ result: 'failure' });
  expect(executions.find(({ execution }) => execution.seq === 1)?.execution.error).toMatch(reason);
  expect(executions.find(({ execution }) => execution.seq === 0)?.execution).toMatchObject({ result: 'ok' });
  expect(events(stdout, 'calibration.completed')).toMatchObject([{ calibration: 'other' }]);
});

test.each([
  ['hangs in a loop', 'for (;;);'],
  ['waits for ever', 'await new Promise(() => setInterval(() => undefined, 1000));'],
])('an execution that %s is ended at its time limit, which is named', async (_, hang) => {
  scene.config(
    RUN_BY_RUN(`if (run === 2 && !existsSync(join(import.meta.dirname, 'mended'))) { ${hang} }`).replace(
      "name: 'fit', strategy",
      "name: 'fit', executionTimeLimit: '1 s', strategy",
    ),
  );
  const { code, stdout, stderr } = await scene.caf(['run']);
  expect(code, stdout + stderr).toBe(1);
  expect(stdout.replaceAll(/\s+/g, ' ')).toMatch(
    /Execution 1 of fit \(run 1,2\) took longer than its time limit of 1 s and was ended\. CAF_ALGORITHM_TIMEOUT/,
  );
  expect(stdout).toContain('executionTimeLimit');
  scene.write('mended', '');
  expect((await scene.caf(['run'])).code).toBe(0);
  expect(countsOf(scene.notes())).toEqual({ collect: 1, 'run 1': 1, 'run 2': 2, 'run 3': 1, 'run 4': 1 });
});
