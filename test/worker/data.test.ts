// Collected data as algorithms read them: which runs exist, in which order records come, how much is read, what damage is told.
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CafError } from '../../src/domain/errors.ts';
import type { Run } from '../../src/domain/iov.ts';
import type { CollectedJob } from '../../src/worker/contract.ts';
import { type CollectedData, type ExecutionData, openCollectedData, readCollectedJobs } from '../../src/worker/data.ts';
import { createFileHandles } from '../../src/worker/data-handles.ts';
import { scanRecords } from '../../src/worker/data-index.ts';

let root: string;
let data: CollectedData | null;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'caf-'));
  data = null;
});
afterEach(async () => {
  await data?.close();
  rmSync(root, { recursive: true, force: true });
});

type Line = readonly [run: Run, name: string, value: unknown];
/** Where the index of a job's records is; a job that counts has it in job.json where it would have left five files. */
type IndexedIn = 'result.json' | 'job.json' | 'nothing';

function makeJob(job: number, lines: readonly Line[], more: Partial<CollectedJob> & { readonly indexed?: IndexedIn } = {}): CollectedJob {
  const directory = join(root, String(job));
  mkdirSync(directory);
  const index: Record<string, [number, number][]> = {};
  let text = '';
  let offset = 0;
  for (const [run, name, value] of lines) {
    const line = `${JSON.stringify({ run, name, value })}\n`;
    const ranges = index[run.join(',')] ?? [];
    index[run.join(',')] = ranges;
    ranges.push([offset, Buffer.byteLength(line)]);
    offset += Buffer.byteLength(line);
    text += line;
  }
  if (lines.length > 0) writeFileSync(join(directory, 'records.ndjson'), text);
  if (more.indexed !== undefined && more.indexed !== 'nothing') {
    const result = { result: 'ok', runs: index };
    writeFileSync(join(directory, more.indexed), JSON.stringify(more.indexed === 'job.json' ? { v: 1, result } : result));
  }
  return { collection: 'c', job, directory, outputs: [], fileRuns: [], ...more };
}

const open = async (jobs: readonly CollectedJob[]): Promise<CollectedData> => {
  data = await openCollectedData(jobs);
  return data;
};

async function values(of: ExecutionData, name = 'adc', collection?: string): Promise<unknown[]> {
  const found: unknown[] = [];
  for await (const { value } of of.records(name, collection === undefined ? {} : { collection })) found.push(value);
  return found;
}

describe('which runs exist', () => {
  it('is told by records, and by the files of jobs without records, sorted and once each', async () => {
    const opened = await open([
      makeJob(
        0,
        [
          [[2, 1], 'adc', 1],
          [[1, 9], 'adc', 1],
          [[2, 1], 'adc', 1],
        ],
        { fileRuns: [[9, 9]] },
      ),
      makeJob(1, [], { fileRuns: [[1, 10]] }),
      makeJob(2, []),
    ]);
    expect(opened.runs).toEqual([
      [1, 9],
      [1, 10],
      [2, 1],
    ]);
  });

  it('an empty records.ndjson is as none', async () => {
    const job = makeJob(0, [], { fileRuns: [[1, 1]] });
    writeFileSync(join(job.directory, 'records.ndjson'), '\n\n');
    expect((await open([job])).runs).toEqual([[1, 1]]);
  });
});

describe.each(['result.json', 'job.json', 'nothing'] as const)('records, indexed in: %s', (indexed) => {
  it('come in the order job, line, only of the runs of the execution', async () => {
    const opened = await open([
      makeJob(
        0,
        [
          [[1, 2], 'adc', 'a'],
          [[1, 1], 'adc', 'b'],
          [[1, 3], 'adc', 'x'],
          [[1, 2], 'adc', 'c'],
        ],
        { indexed },
      ),
      makeJob(
        1,
        [
          [[1, 1], 'adc', 'd'],
          [[1, 1], 'tdc', 'y'],
        ],
        { indexed },
      ),
    ]);
    expect(
      await values(
        opened.of([
          [1, 1],
          [1, 2],
        ]),
      ),
    ).toEqual(['a', 'b', 'c', 'd']);
    expect(await values(opened.of([[1, 1]]))).toEqual(['b', 'd']);
    expect(await values(opened.of([[7, 7]]))).toEqual([]);
  });

  it('can be those of one collection', async () => {
    const opened = await open([
      makeJob(0, [[[1, 1], 'adc', 'a']], { indexed, collection: 'random' }),
      makeJob(1, [[[1, 1], 'adc', 'b']], { indexed, collection: 'cosmics' }),
    ]);
    expect(await values(opened.of([[1, 1]]), 'adc', 'cosmics')).toEqual(['b']);
  });

  it('may be longer than what is read at once, and hold any text', async () => {
    const long = 'é'.repeat(400_000);
    const opened = await open([
      makeJob(
        0,
        [
          [[1, 1], 'adc', long],
          [[1, 2], 'adc', 'x'],
          [[1, 1], 'adc', '\u2028\n"'],
        ],
        { indexed },
      ),
    ]);
    expect(await values(opened.of([[1, 1]]))).toEqual([long, '\u2028\n"']);
  });

  it('of 2,000 runs, one execution each, are read once each', async () => {
    const lines = (job: number): Line[] => Array.from({ length: 2000 }, (_, run): Line => [[1, run], 'adc', [job, run]]);
    const jobs = [makeJob(0, lines(0), { indexed }), makeJob(1, lines(1).toReversed(), { indexed })];
    const size = jobs.reduce((sum, { directory }) => sum + statSync(join(directory, 'records.ndjson')).size, 0);
    const opened = await open(jobs);
    for (const run of opened.runs)
      expect(await values(opened.of([run]))).toEqual([
        [0, run[1]],
        [1, run[1]],
      ]);
    expect(opened.bytesRead()).toBe(size);
  });

  it('of a reader that stops early are not read further, and the file can be read again', async () => {
    const opened = await open([
      makeJob(
        0,
        Array.from({ length: 50_000 }, (_, value): Line => [[1, 1], 'adc', value]),
        { indexed },
      ),
    ]);
    for await (const { value } of opened.of([[1, 1]]).records('adc')) {
      expect(value).toBe(0);
      break;
    }
    expect(opened.bytesRead()).toBeLessThan(300_000);
    expect(await values(opened.of([[1, 1]]))).toHaveLength(50_000);
  });
});

describe('damaged records', () => {
  const readDamaged = async (text: string): Promise<unknown> => {
    const job = makeJob(0, []);
    writeFileSync(join(job.directory, 'records.ndjson'), text);
    return open([job]).then(
      () => null,
      (error: unknown) => error,
    );
  };
  const good = `${JSON.stringify({ run: [1, 1], name: 'adc', value: 1 })}\n`;

  it.each([
    ['cut off', '{"run": [1,', /Line 3 of .*records\.ndjson cannot be read: it is not JSON .* It begins with "\{\\"run\\": \[1,"/],
    ['not an object', '[1]\n', /it is not an object/],
    ['without a run', '{"name": "adc"}\n', /its "run" is not \[experiment, run\]/],
    ['with an impossible run', '{"run": [1, -1], "name": "adc"}\n', /its "run" is not/],
    ['without a name', '{"run": [1, 1]}\n', /its "name" is not a text/],
  ])('%s are told with file, line and first bytes', async (_, line, message) => {
    const error = await readDamaged(`${good}\n${line}`);
    expect(error).toBeInstanceOf(CafError);
    expect(error).toMatchObject({ code: 'CAF_RECORDS_DAMAGED', message: expect.stringMatching(message) });
  });

  it.each(['result.json', 'job.json'] as const)('behind a good index in %s are told when they are read', async (indexed) => {
    const job = makeJob(
      0,
      [
        [[1, 1], 'adc', 1],
        [[1, 2], 'adc', 2],
      ],
      { indexed },
    );
    const path = join(job.directory, 'records.ndjson');
    const size = statSync(path).size;
    writeFileSync(path, 'x'.repeat(size - 1).concat('\n'));
    const opened = await open([job]);
    await expect(values(opened.of([[1, 2]]))).rejects.toMatchObject({ code: 'CAF_RECORDS_DAMAGED' });
  });

  it.each([
    ['of another file', { '1,1': [[0, 1]] }],
    ['that is no index', { '1,1': 'x' }],
    ['beyond the end', { '1,1': [[0, 10_000]] }],
    ['of a program', ['own', 'data']],
  ])('an index %s is not used', async (_, runs) => {
    const job = makeJob(0, [
      [[1, 1], 'adc', 1],
      [[1, 2], 'adc', 2],
    ]);
    writeFileSync(join(job.directory, 'result.json'), JSON.stringify({ result: 'ok', runs }));
    expect((await open([job])).runs).toEqual([
      [1, 1],
      [1, 2],
    ]);
  });
});

describe('files', () => {
  it('belong to the runs their job recorded, in the order collection, job, path', async () => {
    const opened = await open([
      makeJob(0, [[[1, 1], 'adc', 1]], { outputs: ['a.root', 'b.txt', 'plots/c.root'] }),
      makeJob(1, [], { fileRuns: [[1, 2]], outputs: ['d.root'], collection: 'd' }),
      makeJob(2, [], { outputs: ['everywhere.root'] }),
    ]);
    const files = (runs: readonly Run[], ...rest: [pattern?: string, filter?: { collection: string }]): readonly string[] =>
      opened
        .of(runs)
        .files(...rest)
        .map((path) => path.slice(root.length + 1));
    expect(files([[1, 1]])).toEqual(['0/a.root', '0/b.txt', '0/plots/c.root', '2/everywhere.root']);
    expect(files([[1, 2]])).toEqual(['1/d.root', '2/everywhere.root']);
    expect(
      files(
        [
          [1, 1],
          [1, 2],
        ],
        '**/*.root',
      ),
    ).toEqual(['0/a.root', '0/plots/c.root', '1/d.root', '2/everywhere.root']);
    expect(
      files(
        [
          [1, 1],
          [1, 2],
        ],
        '*.root',
        { collection: 'd' },
      ),
    ).toEqual(['1/d.root']);
  });
});

describe('bounds', () => {
  it('an index with too many ranges joins neighbours and still gives the right records', async () => {
    const job = makeJob(
      0,
      Array.from({ length: 3000 }, (_, line): Line => [[1, line % 3], 'adc', line]),
    );
    const path = join(job.directory, 'records.ndjson');
    const handles = createFileHandles();
    const index = await scanRecords(await handles.acquire(path), path, statSync(path).size, 50);
    await handles.close();
    expect(index.values().reduce((sum, ranges) => sum + ranges.length, 0)).toBeLessThanOrEqual(53);
    writeFileSync(join(job.directory, 'result.json'), JSON.stringify({ runs: Object.fromEntries(index) }));
    const found = await values((await open([job])).of([[1, 2]]));
    expect(found).toEqual(Array.from({ length: 1000 }, (_, n) => n * 3 + 2));
  });

  it('no more files stay open than the limit', async () => {
    const handles = createFileHandles(3);
    const openFiles = (): number => readdirSync('/proc/self/fd').length;
    const before = openFiles();
    for (let n = 0; n < 20; n += 1) {
      const path = join(root, `f${n}`);
      writeFileSync(path, '');
      await handles.acquire(path);
      handles.release(path);
    }
    await handles.close();
    expect(openFiles()).toBeLessThanOrEqual(before);
  });

  it('the job list is read line by line', async () => {
    const jobs = [makeJob(0, []), makeJob(1, [], { outputs: ['odd\u2028\r\nname.csv'] })];
    writeFileSync(join(root, 'data'), jobs.map((job) => `${JSON.stringify(job)}\n`).join(''));
    expect(await readCollectedJobs(join(root, 'data'))).toEqual(jobs);
  });
});
