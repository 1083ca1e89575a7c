// The recordings of real engines are complete: each is described, each description has its files, nothing tells whose machine it was.
import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { recorded, recordedDirectory, recordedEngines, recordedFile, situations } from './support/recorded.ts';

describe.each(recordedEngines())('recordings of %s', (engine) => {
  const rows = situations(engine);
  const files = readdirSync(recordedDirectory(engine)).filter((name) => name !== 'README.md');

  it('are all described', () => {
    const described = new Set(rows.map((row) => row.name));
    expect(files.filter((file) => !described.has(file) && !described.has(file.replace(/\.(out|err)$/, '')))).toEqual([]);
    expect(rows.length).toBe(described.size);
  });

  it('are all there', () => {
    expect(rows.filter((row) => row.exitCode === null && !files.includes(row.name))).toEqual([]);
    // A command may succeed without a word; one that fails says why.
    const silent = rows.filter((row) => row.exitCode !== null && row.exitCode !== 0).filter(({ name }) => !recordedText(engine, name));
    expect(silent).toEqual([]);
  });

  it('name no place of the machine that recorded them', () => {
    expect(files.filter((file) => /\/tmp\/caf-record|engines-rec/.test(recordedFile(engine, file)))).toEqual([]);
  });
});

function recordedText(engine: string, name: string): boolean {
  const { stdout, stderr } = recorded(engine, name);
  return stdout !== '' || stderr !== '';
}
