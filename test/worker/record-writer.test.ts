// Records written through to a file, their index by run, and what is refused.
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Run } from '../../src/domain/iov.ts';
import { createRecordWriter } from '../../src/worker/record-writer.ts';

describe('record', () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'caf-'));
  });
  afterEach(() => rmSync(directory, { recursive: true }));
  const bytes = () => readFileSync(join(directory, 'records.ndjson'));

  it('files a value under its run, one line each', () => {
    const writer = createRecordWriter(directory, []);
    writer.record([7, 12], 'adc', { n: 100, sum: 512.5 });
    writer.record([7, 13], 'a "name"\n', [null, 'Größe', true, -0]);
    writer.finish();
    expect(bytes().toString()).toBe(
      '{"run":[7,12],"name":"adc","value":{"n":100,"sum":512.5}}\n{"run":[7,13],"name":"a \\"name\\"\\n","value":[null,"Größe",true,0]}\n',
    );
  });

  it('makes no file when nothing is recorded', () => {
    expect(createRecordWriter(directory, []).finish()).toEqual({ records: 0, runs: {}, unexpected: [] });
    expect(existsSync(join(directory, 'records.ndjson'))).toBe(false);
  });

  it('knows where the records of each run lie, also beyond its buffer and with letters of several bytes', () => {
    const writer = createRecordWriter(directory, []);
    const runs: Run[] = [
      [1, 1],
      [1, 2],
      [1, 1],
      [2, 1],
      [1, 2],
    ];
    for (const [index, run] of runs.entries()) {
      for (let count = 0; count < 500; count++) writer.record(run, 'µ', { index, text: 'ö'.repeat(count) });
    }
    writer.record([3, 3], 'long', 'x'.repeat(1_000_000));
    const { runs: index, records } = writer.finish();
    expect(records).toBe(2501);
    expect(Object.fromEntries(Object.entries(index ?? {}).map(([key, extents]) => [key, extents.length]))).toEqual({
      '1,1': 2,
      '1,2': 2,
      '2,1': 1,
      '3,3': 1,
    });
    const file = bytes();
    let covered = 0;
    for (const [key, extents] of Object.entries(index ?? {})) {
      for (const [offset, length] of extents) {
        covered += length;
        const lines = file
          .toString('utf8', offset, offset + length)
          .trimEnd()
          .split('\n');
        expect(lines.every((line) => String(JSON.parse(line).run) === key)).toBe(true);
      }
    }
    expect(covered).toBe(file.length);
  });

  it('gives up its index when the runs are too scattered', () => {
    const writer = createRecordWriter(directory, []);
    for (let index = 0; index < 100_001; index++) writer.record([0, index % 2], 'x', index);
    expect(writer.finish().runs).toBeNull();
  });

  it('names the runs that were not expected', () => {
    const writer = createRecordWriter(directory, [[7, 1]]);
    for (const run of [
      [7, 1],
      [7, 2],
      [7, 2],
      [8, 1],
    ] as Run[])
      writer.record(run, 'x', 1);
    expect(writer.finish().unexpected).toEqual([
      [7, 2],
      [8, 1],
    ]);
  });

  const circle: Record<string, unknown> = {};
  circle.self = circle;
  it.each([
    ['a number that is not finite', { mean: [1, Number.NaN] }, 'mean[1] is NaN'],
    ['an infinite number', Number.POSITIVE_INFINITY, 'value is Infinity'],
    ['undefined', { a: undefined }, 'a is undefined'],
    ['a circle', circle, 'contains itself'],
    ['a BigInt', 1n, 'BigInt'],
    ['a typed array', new Float64Array(2), 'Float64Array'],
    ['a Map', { hits: new Map() }, 'hits is a Map'],
    ['a function', { toJSON: () => 1 }, 'function'],
  ])('refuses %s at once, and goes on', (_, value, message) => {
    const writer = createRecordWriter(directory, []);
    expect(() => writer.record([1, 1], 'x', value)).toThrow(
      expect.objectContaining({ code: 'CAF_PAYLOAD_INVALID', message: expect.stringContaining(message) }),
    );
    writer.record([1, 1], 'x', 1);
    expect(writer.finish().records).toBe(1);
    expect(bytes().toString()).toBe('{"run":[1,1],"name":"x","value":1}\n');
  });

  it.each([[[1]], [[1, -1]], [[1.5, 2]], ['1,2'], [undefined], [[1, 2, 3]]])('refuses %j as a run', (run) => {
    const writer = createRecordWriter(directory, []);
    expect(() => writer.record(run as never, 'x', 1)).toThrow(/is no run/);
  });

  it('refuses a missing name, and anything after collect has ended', () => {
    const writer = createRecordWriter(directory, []);
    expect(() => writer.record([1, 1], undefined as never, 1)).toThrow(/not a text/);
    writer.finish();
    expect(() => writer.record([1, 1], 'x', 1)).toThrow(/after collect had ended/);
  });

  it('does not let a failed write pass, even if its error is caught', () => {
    const writer = createRecordWriter(join(directory, 'missing'), []);
    writer.record([1, 1], 'x', 1);
    expect(() => writer.record([1, 1], 'x', 'y'.repeat(400_000))).toThrow(/ENOENT/);
    expect(() => writer.finish()).toThrow(/ENOENT/);
  });
});
