// What real batch engines said, recorded by test/engines/record/: output and exit code of a command in a named situation.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const FIXTURES = join(import.meta.dirname, '..', 'fixtures');

export interface Recorded {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number;
}

export interface Situation {
  readonly name: string;
  /** Null for a file that the engine wrote by itself, such as a user log. */
  readonly exitCode: number | null;
  readonly situation: string;
  readonly command: string;
}

/** Engines (and versions) with recordings. */
export const recordedEngines = (): readonly string[] => readdirSync(FIXTURES).sort();

export const recordedDirectory = (engine: string): string => join(FIXTURES, engine);

/** The table of the README of an engine's recordings. */
export function situations(engine: string): readonly Situation[] {
  const rows = readFileSync(join(FIXTURES, engine, 'README.md'), 'utf8').matchAll(/^\| (\S+) \| (-|\d+) \| (.*?) \| `(.*)` \|$/gm);
  return [...rows].map(([, name = '', code = '', situation = '', command = '']) => ({
    name,
    exitCode: code === '-' ? null : Number(code),
    situation,
    command: command.replaceAll('\\|', '|'),
  }));
}

/** What a command said: `recorded('slurm', 'squeue-controller-down')`. */
export function recorded(engine: string, name: string): Recorded {
  const exitCode = situations(engine).find((row) => row.name === name)?.exitCode;
  if (exitCode === undefined || exitCode === null) throw new Error(`README.md of the fixtures of ${engine} names no command ${name}`);
  const read = (stream: string): string => {
    const path = join(FIXTURES, engine, `${name}.${stream}`);
    return existsSync(path) ? readFileSync(path, 'utf8') : '';
  };
  return { stdout: read('out'), stderr: read('err'), exitCode };
}

/** A file that the engine wrote by itself: `recordedFile('htcondor', 'userlog-signal.log')`. */
export const recordedFile = (engine: string, name: string): string => readFileSync(join(FIXTURES, engine, name), 'utf8');
