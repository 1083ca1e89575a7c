// `caf db gaps`: where a chain has no answer. Without a list of runs only holes inside experiments are known.
import { readFileSync } from 'node:fs';
import { CafError, type Problem } from '../domain/errors.ts';
import { checkRun, gaps, type Iov, keysToIov, type Run, runsOutside } from '../domain/iov.ts';
import { errnoOf } from '../payloads/disk.ts';
import type { ChainLock } from '../worker/contract.ts';
import { openChain } from './chain.ts';
import { knownName } from './known-name.ts';

export interface NameGaps {
  readonly name: string;
  /** Between intervals of one experiment. */
  readonly gaps: readonly Iov[];
  /** Runs without an answer; null when no list of runs was given. */
  readonly runs: readonly Run[] | null;
}

/** Of every name any database of the chain knows, or of one. CAF_DB_NOT_FOUND for one that nobody knows, unless there is a list of runs: none of them has an answer. */
export function gapsOf(lock: ChainLock, runs: readonly Run[] | null, name: string | null): readonly NameGaps[] {
  const chain = openChain(lock);
  try {
    const segments = Map.groupBy(chain.materialise(), (segment) => segment.name);
    const where = lock.databases.map(({ label }) => label).join(' > ');
    if (name !== null && runs === null) knownName(name, chain.names(), where);
    const names = name === null ? chain.names() : [name];
    return names.map((one) => {
      const iovs = (segments.get(one) ?? []).map(({ lo, hi }) => keysToIov(lo, hi));
      return { name: one, gaps: gaps(iovs), runs: runs === null ? null : runsOutside(iovs, runs) };
    });
  } finally {
    chain.close();
  }
}

/** One run per line: `7 12`, `7,12` or `7:12`; `#` begins a comment. CAF_USAGE with every line that is none. */
export function readRuns(file: string): readonly Run[] {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new CafError('CAF_USAGE', `${file} cannot be read (${errnoOf(error) || String(error)})`, {
      hint: 'Give a text file with a run per line.',
    });
  }
  const problems: Problem[] = [];
  const runs = text.split('\n').flatMap((raw, index): Run[] => {
    const line = raw.replace(/#.*/, '').trim();
    if (line === '') return [];
    const [, experiment, run] = /^(\d+)(?:\s+|[,:])(\d+)$/.exec(line) ?? [];
    try {
      if (experiment !== undefined && run !== undefined) return [checkRun([Number(experiment), Number(run)])];
      problems.push({ path: `${file}:${index + 1}`, message: `'${line.slice(0, 40)}' is not an experiment and a run` });
    } catch (error) {
      if (!(error instanceof CafError)) throw error;
      problems.push({ path: `${file}:${index + 1}`, message: error.message });
    }
    return [];
  });
  if (problems.length === 0) return runs;
  const [first] = problems;
  throw new CafError('CAF_USAGE', `${first?.path}: ${first?.message}${problems.length > 1 ? `, and ${problems.length - 1} more` : ''}`, {
    problems,
    hint: 'Write one run per line: 7 12',
  });
}
