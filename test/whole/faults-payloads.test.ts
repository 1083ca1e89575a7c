// Payloads and intervals that must not become constants, and values made to hurt: refused at commit with the place inside, or treated as data.
import { chmodSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createScene, filesBelow, type Scene, viewIds } from '../support/scene.ts';

let scene: Scene;
beforeEach(() => {
  scene = createScene();
});
afterEach(() => scene.close());

const HEAD = `
import { truncateSync, writeFileSync } from 'node:fs';
const Free = definePayload('Free', z.any());
const Strict = definePayload('Strict', z.object({ mean: z.array(z.number()), unit: z.enum(['mm', 'cm']) }));
const File = definePayload('File');
const circle: Record<string, unknown> = { a: [] };
(circle.a as unknown[]).push(circle);
const deep = (levels: number) => { let value: unknown = 1; for (let i = 0; i < levels; i += 1) value = [value]; return value; };
`;

/** One calibration per case, all in one campaign; the case is the body of `run`. */
const CASES: readonly (readonly [name: string, body: string, code: string, message: RegExp])[] = [
  ['nan', 'commit(Free, { mean: [1, NaN] })', 'CAF_PAYLOAD_INVALID', /mean\[1\] is NaN, not a finite number/],
  ['infinity', 'commit(Free, { peak: { low: -Infinity } })', 'CAF_PAYLOAD_INVALID', /peak\.low is -Infinity/],
  ['undefined', 'commit(Free, { fit: { slope: undefined } })', 'CAF_PAYLOAD_INVALID', /fit\.slope is undefined/],
  ['circle', 'commit(Free, circle)', 'CAF_PAYLOAD_INVALID', /a\[0\] contains itself/],
  ['bigint', 'commit(Free, [10n])', 'CAF_PAYLOAD_INVALID', /\[0\] is the BigInt 10n/],
  ['date', 'commit(Free, { at: new Date(0) })', 'CAF_PAYLOAD_INVALID', /at is a Date, not a plain object/],
  ['deep', 'commit(Free, deep(10_000))', 'CAF_PAYLOAD_INVALID', /nested more than 200 deep/],
  [
    'schema',
    `commit(Strict, { mean: [1, 'two' as never], unit: 'mm' })`,
    'CAF_PAYLOAD_INVALID',
    /Strict does not match its schema: mean\[1\]/,
  ],
  ['twice', 'commit(Free, 1); commit(Free, 2)', 'CAF_PAYLOAD_TWICE', /Free was committed twice with different values for 1,1,1,1/],
  ['unknown', `commit('Fre' as never, 1 as never)`, 'CAF_PAYLOAD_UNDEFINED', /No payload named Fre is defined\. Did you mean Free\?/],
  ['reversed', 'commit(Free, 1, { iov: [1, 9, 1, 3] })', 'CAF_IOV_ORDER', /1,9,1,3/],
  ['empty', 'commit(Free, 1, { iov: [-1, -1, -1, -1] })', 'CAF_IOV_EMPTY', /-1,-1,-1,-1/],
  ['beyond', 'commit(Free, 1, { iov: [0, 0, 2_000_000, 1] })', 'CAF_IOV_RANGE', /2000000/],
  ['half', 'commit(Free, 1, { iov: [1, 1, -1, 5] })', 'CAF_IOV_OPEN', /1,1,-1,5/],
  ['text', `commit(Free, 1, { iov: ['1', 1, 1, 1] as never })`, 'CAF_IOV_FORMAT', /whole numbers|four/],
  ['fraction', 'commit(Free, 1, { iov: [1, 1.5, 2, 2] })', 'CAF_IOV_FORMAT', /1\.5/],
  ['nofile', `await commitFile(File, 'missing.root')`, 'CAF_PAYLOAD_FILE', /"missing\.root", does not exist/],
];

test('what is no payload is refused at commit, with the place inside it; the calibration fails, others go on, and nothing of it is stored', async () => {
  scene.config(`${HEAD}
const make = (name: string, run: (context: any) => Promise<'ok'>) => defineCalibration({ name, collections: { c: { files: [], collect: ({ record }) => record([1, 1], 'n', 1) } }, algorithms: [{ name: 'fit', run }] });
export default defineConfig({ calibrations: [
  ${CASES.map(([name, body]) => `make('${name}', async ({ commit, commitFile }) => { ${body}; return 'ok'; }),`).join('\n  ')}
  make('good', async ({ commit }) => { commit(Free, 1); commit(Free, 1); return 'ok'; }),
] });`);
  const { code, stdout, stderr } = await scene.caf(['run', '--json']);
  expect(code, stderr).toBe(1);
  const executions = stdout
    .trimEnd()
    .split('\n')
    .map(
      (line) =>
        JSON.parse(line) as { type: string; calibration: string; execution: { result: string; error: string | null; payloads: unknown[] } },
    )
    .filter(({ type }) => type === 'execution.finished');
  for (const [name, , , message] of CASES) {
    const execution = executions.find(({ calibration }) => calibration === name)?.execution;
    expect({ name, result: execution?.result, payloads: execution?.payloads }).toEqual({ name, result: 'failure', payloads: [] });
    expect(execution?.error, name).toMatch(message);
    expect(execution?.error, name).toMatch(/caf\.config\.ts:\d+/);
  }
  expect(executions.find(({ calibration }) => calibration === 'good')?.execution).toMatchObject({ result: 'ok' });
  expect(filesBelow(join(scene.results, 'objects'))).toHaveLength(1);
  expect(Object.keys(viewIds(scene.results)).filter((path) => /^\w+\/localdb$/.test(path))).toEqual(['good/localdb']);
});

test('a payload file of 1 GB streams: the child that commits it stays small', async () => {
  scene.config(`${HEAD}
export default defineConfig({ calibrations: [defineCalibration({ name: 'a', collections: {}, algorithms: [{ name: 'fit', run: async ({ commitFile }) => {
  writeFileSync('big.bin', 'head'); truncateSync('big.bin', 1_000_000_000);
  await commitFile(File, 'big.bin');
  note(String(process.resourceUsage().maxRSS * 1024));
  return 'ok';
} }] })] });`);
  const { code, stdout, stderr } = await scene.caf(['run', '-q']);
  expect(code, stdout + stderr).toBe(0);
  expect(Number(scene.notes()[0])).toBeLessThan(300e6);
  const [object = ''] = filesBelow(join(scene.results, 'objects'));
  expect(statSync(join(scene.results, 'objects', object)).size).toBe(1_000_000_000);
});

test.each([
  ['7,5,7,1', /7,5,7,1.*ends before it begins|CAF_IOV_ORDER|ends before/],
  ['-1,-1,-1,-1', /empty/],
  ['7,one,7,2', /four whole numbers|7,one,7,2/],
  ['7,1', /four whole numbers|7,1/],
  ['0,0,2000000,1', /2000000|1048575/],
  ['1,1,-1,5', /open/],
])('caf run --iov %s is refused with the mistake', async (iov, message) => {
  scene.config(
    `export default defineConfig({ calibrations: [defineCalibration({ name: 'a', algorithms: [], collections: { c: { files: [], collect: command(['true']) } } })] });`,
  );
  const { code, stderr } = await scene.caf(['run', `--iov=${iov}`]);
  expect(code).toBe(2);
  expect(stderr.replaceAll(/\s+/g, ' ')).toMatch(message);
  expect(filesBelow(scene.directory)).toEqual(['caf.config.ts']);
});

test('keys like __proto__ and constructor in records, payloads and results are data: nothing is polluted', async () => {
  scene.write('evil.json', '{"__proto__":{"polluted":"yes"},"constructor":{"prototype":{"polluted":"yes"}}}');
  scene.config(`${HEAD}
import { readFileSync } from 'node:fs';
const evil = () => JSON.parse(readFileSync(join(import.meta.dirname, 'evil.json'), 'utf8'));
const check = (where: string) => { if (({} as any).polluted !== undefined) throw new Error('polluted in ' + where); };
export default defineConfig({ calibrations: [defineCalibration({ name: 'a', maxIterations: 2,
  collections: {
    f: { files: [], collect: ({ record }) => { record([1, 1], '__proto__', evil()); record([1, 1], 'constructor', evil()); check('collect'); } },
    p: { files: [], collect: command(['sh', '-c', 'echo "{\\\\"run\\\\":[1,1],\\\\"name\\\\":\\\\"__proto__\\\\",\\\\"value\\\\":1,\\\\"__proto__\\\\":{\\\\"polluted\\\\":1}}" > records.ndjson; echo "{\\\\"result\\\\":\\\\"ok\\\\",\\\\"__proto__\\\\":{\\\\"polluted\\\\":1}}" > result.json']) },
  },
  algorithms: [{ name: 'fit', run: async ({ data, commit, conditions, iteration }) => {
    const names: string[] = []; for await (const { value } of data.records('__proto__')) names.push(JSON.stringify(value));
    check('fit');
    if (iteration === 1) note(JSON.stringify(await conditions.get(Free, [1, 1])));
    commit(Free, evil());
    check('commit');
    note(String(names.length));
    return iteration === 0 ? 'iterate' : 'ok';
  } }] })] });`);
  const { code, stdout, stderr } = await scene.caf(['run']);
  expect(code, stdout + stderr).toBe(0);
  expect(scene.notes()).toEqual(['2', '{"__proto__":{"polluted":"yes"},"constructor":{"prototype":{"polluted":"yes"}}}', '2']);
});

test.each([
  ['result.json', `'{"result":"ok","x":' + '['.repeat(N) + ']'.repeat(N) + '}'`],
  ['records.ndjson', `'{"run":[1,1],"name":"n","value":' + '['.repeat(N) + ']'.repeat(N) + '}\\n'`],
])('a %s of 100,000 brackets ends no process of caf', async (file, text) => {
  scene.config(`${HEAD}
const N = 100_000;
export default defineConfig({ calibrations: [defineCalibration({ name: 'a',
  collections: { c: { files: [], retries: 0, collect: command([process.execPath, '-e', "const N = 100000; require('fs').writeFileSync('${file}', " + ${JSON.stringify(text)} + ')']) } },
  algorithms: [{ name: 'fit', run: async ({ data }) => { for await (const { value } of data.records('n')) note(typeof value); return 'ok'; } }] })] });`);
  const { code, stdout, stderr } = await scene.caf(['run']);
  expect([0, 1], stdout + stderr).toContain(code);
  expect(stdout + stderr).not.toMatch(/This is a bug|Maximum call stack|RangeError/);
});

test("somebody else's database with triggers and views as a trap is found changed and not served", async () => {
  scene.config(`${HEAD}
export default defineConfig({ calibrations: [defineCalibration({ name: 'a', collections: {}, algorithms: [{ name: 'fit', run: ({ commit }) => { commit(Free, { n: 1 }); return 'ok'; } }] })] });`);
  expect((await scene.caf(['run', '-q'])).code).toBe(0);
  const image = join(scene.results, 'a/localdb/conditions.sqlite');
  const bytes = readFileSync(image);
  chmodSync(image, 0o644);
  const db = new DatabaseSync(image);
  db.exec(
    `CREATE VIEW trap AS SELECT writefile('${join(scene.directory, 'owned')}', 'x'); CREATE TRIGGER t AFTER INSERT ON meta BEGIN DELETE FROM iov; END;`,
  );
  db.close();
  for (const words of [
    ['db', 'verify'],
    ['db', 'get'],
    ['db', 'show'],
  ]) {
    const { code, stdout, stderr } = await scene.caf([
      ...words,
      'calibration_results/a/localdb',
      ...(words[1] === 'get' ? ['Free', '0', '0'] : []),
    ]);
    expect(code, words.join(' ') + stdout + stderr).toBe(words[1] === 'verify' ? 1 : 3);
    expect((stdout + stderr).replaceAll(/\s+/g, ' '), words.join(' ')).toContain(
      words[1] === 'verify' ? 'conditions.sqlite' : 'CAF_DB_DAMAGED',
    );
  }
  expect(filesBelow(scene.directory)).not.toContain('owned');
  writeFileSync(image, bytes);
  expect((await scene.caf(['db', 'verify', 'calibration_results/a/localdb'])).code).toBe(0);
});
