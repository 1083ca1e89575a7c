// Every fault of the table that belongs to the loop on one machine, and the tests that cause it: none may be without one.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

/** Test files below test/, each with a part of the titles that it must hold. */
type Evidence = Readonly<Record<string, readonly string[]>>;

const TESTS: Readonly<Record<number, Evidence>> = {
  1: {
    'crash/matrix.test.ts': ['killed'],
    'crash/random.test.ts': ['times at random instants, it always ends with the databases of an undisturbed run'],
  },
  2: {
    'whole/faults-processes.test.ts': [
      'a job whose process is killed by the kernel is done again, with the attempt recorded',
      'a job beyond its memory limit is ended, and tried again with more',
      'a killed strategy child fails its algorithm with the signal named',
    ],
  },
  3: { 'cli/cancel.test.ts': ['it ends caf and its jobs'] },
  4: {
    'database/lease.test.ts': ['when the machine was booted since', 'when its pid belongs to another process by now'],
    'backends/local.test.ts': ['never adopts a stranger who has the same pid'],
  },
  5: {
    'database/lease.test.ts': [
      'a second one on this host is refused with host, pid, command, age and what to do',
      'cannot write any more when it wakes',
    ],
  },
  6: {
    'whole/faults-disk.test.ts': [
      'is told with its path and the space left, and caf run continues when there is more',
      'a job that fills the disk fails as disk full',
    ],
  },
  7: {
    'whole/faults-disk.test.ts': [
      'a results directory that is read-only at the start is refused',
      'a results directory that becomes read-only during the campaign ends it with 3',
      'a quota of files is told with the number of files left',
    ],
  },
  8: {
    'whole/faults-journal.test.ts': [
      'is refused with the remedy, and nothing is made over the old results',
      'a journal whose write-ahead log was deleted',
    ],
  },
  9: { 'whole/faults-journal.test.ts': ['on a file system without shared memory the journal works for its one writer'] },
  10: {
    'whole/faults-journal.test.ts': [
      'during the campaign changes neither result nor order, ends no job, and shows no negative time',
      'killed while its clock was a year ahead',
    ],
  },
  11: {
    'whole/faults-scale.test.ts': [
      'a million lines on the standard output of a job go to its file',
      'one line of 100 MB on the standard output of a job',
      'the logs of jobs are bounded by maxLogSize',
      '10 MB on one line of an algorithm log',
    ],
  },
  12: { 'whole/faults-outputs.test.ts': ['fails with bad-result, and with what was found', 'leaves the result of an earlier attempt'] },
  13: {
    'whole/faults-processes.test.ts': [
      'fails that execution with a clear reason, and the campaign goes on',
      'is ended at its time limit, which is named',
    ],
  },
  14: {
    'whole/faults-payloads.test.ts': [
      'what is no payload is refused at commit, with the place inside it',
      'a payload file of 1 GB streams',
    ],
  },
  15: { 'whole/faults-payloads.test.ts': ['caf run --iov %s is refused with the mistake', 'what is no payload is refused at commit'] },
  16: {
    'whole/faults-inputs.test.ts': [
      'patterns and files without a match are all told at once',
      'an empty input file is legal; a malformed row fails its job with file and line',
      'an unreadable input file is told before anything starts',
      'an input file that vanishes between plan and job fails that job at once',
      'an input file that changes during the campaign is noticed',
    ],
  },
  17: {
    'whole/faults-inputs.test.ts': [
      'files and arguments of any name work literally',
      'is refused by the name rule',
      'results, config and working directories of any name work',
    ],
  },
  18: {
    'whole/faults-outputs.test.ts': [
      'is not collected: the job fails with its path, and nothing outside is read',
      'the output pattern %s is refused',
      'a file that an algorithm commits from outside',
    ],
  },
  19: {
    'whole/faults-privacy.test.ts': [
      'no file of the results directory holds a secret of the environment',
      'files that hold them are for their owner only',
      'the results directory follows the umask',
    ],
  },
  20: { 'whole/faults-inputs.test.ts': ['is ended at the time limit of loading, with its path', 'a config that runs caf, or itself'] },
  21: {
    'whole/faults-scale.test.ts': [
      '10,000 calibrations in a chain are planned and drawn without a stack overflow',
      '100,000 jobs in one collection are planned in flat memory',
    ],
  },
  22: {
    'whole/faults-terminal.test.ts': [
      'is readable in 20 columns',
      'where TERM=dumb and LANG=C',
      '| head -1 ends quietly',
      'with closed %s does its work all the same',
    ],
  },
  32: {
    'whole/faults-privacy.test.ts': [
      'caf opens no port',
      'the report of a bug does not follow what somebody planted',
      'files planted beside the results',
    ],
  },
  34: {
    'whole/faults-payloads.test.ts': [
      'keys like __proto__ and constructor in records, payloads and results are data',
      'of 100,000 brackets ends no process of caf',
      "somebody else's database with triggers and views as a trap",
    ],
    'whole/faults-journal.test.ts': ['with triggers and views as a trap is only data'],
  },
};

/** The rows whose scope names "core"; from the table itself where it lies beside the data of the real tests. */
function coreRows(): readonly number[] {
  const table = process.env.CAF_DATA === undefined ? '' : join(process.env.CAF_DATA, '../spec/faults.md');
  if (!existsSync(table)) return Object.keys(TESTS).map(Number);
  const rows = readFileSync(table, 'utf8').matchAll(/^\| (\d+) \|.*\| ([^|]*) \|$/gm);
  return [...rows].filter(([, , scope = '']) => /\bcore\b/.test(scope)).map(([, row]) => Number(row));
}

test('every fault of the core has a test that causes it', () => {
  const missing = coreRows().flatMap((row) => {
    const evidence = Object.entries(TESTS[row] ?? {});
    if (evidence.length === 0) return [`row ${row} has no test`];
    return evidence.flatMap(([file, titles]) => {
      const path = join(import.meta.dirname, '..', file);
      const text = existsSync(path) ? readFileSync(path, 'utf8') : '';
      return titles.filter((title) => !text.includes(title)).map((title) => `row ${row}: ${file} has no '${title}'`);
    });
  });
  expect(missing).toEqual([]);
});
