// Payloads that change within a run, and versions of payload definitions, from commit to conditions in the real caf.
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createScene, type Scene } from '../support/scene.ts';

let scene: Scene;
beforeEach(() => {
  scene = createScene();
});
afterEach(() => scene.close());

const COLLECT = `files: ['data/*.csv'], runs: /e(?<experiment>\\d+)r(?<run>\\d+)/, collect: ({ record }) => { record([7, 1], 'n', 1); record([7, 2], 'n', 1); }`;

test('an intra-run payload is committed by parts and read by event, by functions and by programs, and told when it spans runs', async () => {
  scene.write('data/e7r1.csv', '');
  scene.write(
    'shift.py',
    `import json, os
job = json.load(open(os.environ['CAF_JOB']))
index = json.load(open(os.path.join(job['conditions'], 'index.json')))
beam = next(p for p in index['payloads']['Beam'] if p['iov'][1] == job['runs'][0][1])
parts = json.load(open(os.path.join(job['conditions'], beam['file'])))['parts']
shifts = [{'firstEvent': e, 'value': {'x': -p['x']}} for e, p in zip([0] + beam['boundaries'], parts)]
with open('result.tmp', 'w') as out: json.dump({'result': 'ok', 'payloads': [{'name': 'Shift', 'parts': shifts}]}, out)
os.rename('result.tmp', 'result.json')
`,
  );
  scene.config(`
const Beam = definePayload('Beam', z.object({ x: z.number() }));
const Shift = definePayload('Shift', z.object({ x: z.number() }));
const Seen = definePayload('Seen', z.array(z.number()));
const collections = { all: { ${COLLECT} } };
const beam = defineCalibration({ name: 'beam', collections, algorithms: [{
  name: 'parts', strategy: simpleRunByRun(),
  run: ({ runs, commitIntraRun }) => {
    const [, run] = runs[0]!;
    commitIntraRun(Beam, [{ firstEvent: 0, value: { x: run } }, { firstEvent: 10, value: { x: 10 * run } }, { firstEvent: 50, value: { x: 50 * run } }]);
    return 'ok';
  },
}] });
const shift = defineCalibration({ name: 'shift', dependsOn: ['beam'], collections, algorithms: [{ name: 'program', strategy: simpleRunByRun(), run: command(['python3', '{config}/shift.py']) }] });
const seen = defineCalibration({ name: 'seen', dependsOn: ['shift'], collections, algorithms: [{
  name: 'read',
  run: async ({ conditions, commit, commitIntraRun }) => {
    const xs = [];
    for (const event of [0, 9, 10, 49, 50, 1000]) xs.push((await conditions.get(Beam, [7, 2], { event })).x, (await conditions.get(Shift, [7, 2], { event })).x);
    const refused = await conditions.get(Beam, [7, 2]).catch((error) => error.code);
    note(refused);
    commit(Seen, xs);
    commitIntraRun(Beam, [{ firstEvent: 0, value: { x: 0 } }]);
    return 'ok';
  },
}] });
export default defineConfig({ backend: local({ slots: 1 }), calibrations: [beam, shift, seen] });
`);
  const ended = await scene.caf(['run']);
  expect(ended, ended.stdout + ended.stderr).toMatchObject({ code: 0 });
  const got = await scene.caf(['db', 'get', join(scene.results, 'seen/localdb'), 'Seen', '7', '1']);
  expect(JSON.parse(got.stdout)).toEqual([2, -2, 2, -2, 20, -20, 20, -20, 100, -100, 100, -100]);
  expect(scene.notes()).toEqual(['CAF_PAYLOAD_EVENT']);
  expect(ended.stderr + ended.stdout).toContain('The intra-run payload Beam is valid for 7,1,7,2, which is more than one run');
  expect(ended.stderr + ended.stdout).not.toContain('payload Shift is valid');
});

test('a database of an older version of a definition is read through its migrate, and refused with a clear error without', async () => {
  scene.write('data/e7r1.csv', '');
  const campaign = (definition: string, body: string) => `
const Gains = definePayload('Gains', ${definition});
const Sum = definePayload('Sum', z.number());
export default defineConfig({ backend: local({ slots: 1 }), databases: DATABASES, calibrations: [defineCalibration({
  name: 'gains', collections: { all: { ${COLLECT} } }, algorithms: [{ name: 'fit', run: async ({ conditions, commit }) => { ${body}; return 'ok'; } }],
})] });
`;
  const run = async (databases: string, definition: string, body: string, output: string) => {
    scene.config(campaign(definition, body).replace('DATABASES', databases));
    return scene.caf(['run', '--output', output]);
  };
  expect(await run('[]', 'z.object({ gain: z.number() })', 'commit(Gains, { gain: 2 })', 'old')).toMatchObject({ code: 0 });
  const shape = 'z.object({ gains: z.array(z.number()) })';
  const read = 'const { gains } = await conditions.get(Gains, [7, 1]); commit(Sum, gains.length + gains[0]!)';
  const without = await run("['old/gains/localdb']", `${shape}, { version: 2 }`, read, 'without');
  expect(without.code).toBe(1);
  expect((await scene.caf(['logs', 'gains/0/fit', '--output', 'without'])).stdout).toMatch(
    /Gains, as .* has it for 7,1,7,2, was written with version 1 of its definition; this one is version 2 and has no migrate/,
  );
  const migrate = '{ version: 2, migrate: (old) => ({ gains: [(old as { gain: number }).gain] }) }';
  const ended = await run("['old/gains/localdb']", `${shape}, ${migrate}`, read, 'with');
  expect(ended, ended.stdout + ended.stderr).toMatchObject({ code: 0 });
  expect((await scene.caf(['db', 'get', 'with/gains/localdb', 'Sum', '7', '1'])).stdout).toBe('3\n');
});

test('a definition with a wrong version or migrate is refused before anything runs', async () => {
  scene.config(`
definePayload('A', z.number(), { version: 0 });
definePayload('B', z.number(), { migrate: () => 1 });
definePayload('C', z.number(), { version: 2, migrate: 'x' as never });
export default defineConfig({ calibrations: [defineCalibration({ name: 'a', collections: {}, algorithms: [{ name: 'a', run: () => 'ok' }] })] });
`);
  const { code, stderr } = await scene.caf(['run', '--dry-run']);
  expect(code).toBe(2);
  expect(stderr).toMatch(/whole number from 1 as version/);
  expect(stderr).toMatch(/has a migrate but no older version/);
  expect(stderr).toMatch(/a function as migrate/);
});

test('a file that is called parameters gives no parameters, and stops nobody', async () => {
  scene.config(`
import { writeFileSync } from 'node:fs';
const File = definePayload('parameters');
const file = defineCalibration({ name: 'file', collections: {}, algorithms: [{ name: 'x', run: async ({ commitFile }) => {
  writeFileSync('p.bin', 'hello');
  await commitFile(File, 'p.bin');
  return 'ok';
} }] });
const collections = { c: { files: [], collect: ({ record }) => record([1, 1], 'n', 1) } };
const program = command(['sh', '-c', 'echo \\'{"result":"ok"}\\' > result.json']);
const reader = defineCalibration({ name: 'reader', dependsOn: [file], collections, algorithms: [{ name: 'x', run: program }] });
export default defineConfig({ calibrations: [file, reader] });`);
  const { code, stdout, stderr } = await scene.caf(['run', '-q']);
  expect(code, stdout + stderr).toBe(0);
});
