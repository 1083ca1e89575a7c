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

/** Every text of an engine's recordings whose name begins so. */
const texts = (engine: string, prefix: string): string =>
  readdirSync(recordedDirectory(engine))
    .filter((file) => file.startsWith(prefix))
    .map((file) => recordedFile(engine, file))
    .join('\n');
const words = (found: Iterable<RegExpMatchArray>): readonly string[] => [...new Set(Array.from(found, ([, word = '']) => word))].sort();

describe('the recordings show', () => {
  it.each(['slurm', 'slurm-24.11'])('the states and reasons of %s', (engine) => {
    const rows = [...texts(engine, 'squeue-').matchAll(/^\S+\|\d+\|\d+\|[^|]+\|([A-Z_]+)\|([^|]+)\|/gm)];
    expect(words(rows)).toEqual(
      'CANCELLED COMPLETED COMPLETING DEADLINE FAILED NODE_FAIL OUT_OF_MEMORY PENDING PREEMPTED RUNNING SPECIAL_EXIT SUSPENDED TIMEOUT'.split(
        ' ',
      ),
    );
    const reasons = new Set(rows.filter(([, state]) => state === 'PENDING').map(([, , reason]) => reason));
    for (const reason of [
      'BeginTime',
      'Dependency',
      'DependencyNeverSatisfied',
      'JobHeldUser',
      'JobHeldAdmin',
      'PartitionTimeLimit',
      'Priority',
      'Resources',
    ])
      expect(reasons).toContain(reason);
  });

  it('the states, the reasons for a hold and the events of HTCondor', () => {
    const queue = texts('htcondor', 'condor_q-') + texts('htcondor', 'condor_history-');
    expect(words(queue.matchAll(/"JobStatus": (\d)/g))).toEqual(['1', '2', '3', '4', '5', '7']);
    expect(
      words(queue.matchAll(/"HoldReasonCode": (\d+)/g))
        .map(Number)
        .sort((a, b) => a - b),
    ).toEqual([0, 1, 3, 6, 7, 13, 14, 15, 26, 47]);
    const events = words(texts('htcondor', 'userlog-').matchAll(/^(\d{3}) \(/gm));
    expect(events).toEqual(
      expect.arrayContaining(['000', '001', '004', '005', '006', '009', '010', '012', '013', '021', '022', '023', '024', '040']),
    );
  });

  it('the letters and the causes of failure of Grid Engine', () => {
    const letters = words(texts('gridengine', 'qstat-').matchAll(/^ +\d+ +[\d.]+ +\S+ +\S+ +([A-Za-z]+) /gm));
    expect(letters).toEqual(expect.arrayContaining(['Eqw', 'Rq', 'hqw', 'qw', 'r', 's']));
    expect(words(texts('gridengine', 'qacct-').matchAll(/^failed +(\d+)/gm)).map(Number)).toEqual(
      expect.arrayContaining([0, 19, 25, 37, 100]),
    );
  });
});

function recordedText(engine: string, name: string): boolean {
  const { stdout, stderr } = recorded(engine, name);
  return stdout !== '' || stderr !== '';
}
