// At most four of caf's files in the directory of a job that counts: file systems of computing centres count them.
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { JOB_FILE, RECORDS_FILE, RESULT_FILE, STDERR_FILE, STDOUT_FILE } from '../worker/contract.ts';
import { readResult } from './read-result.ts';

/** The rarest first: of most jobs only one is looked for. */
const BESIDE_JOB_FILE = [STDERR_FILE, STDOUT_FILE, RECORDS_FILE, RESULT_FILE] as const;

/**
 * Where all five stand, the text of result.json goes into job.json as its `result`. For an attempt whose success is in the journal:
 * before that, result.json tells of it. Done twice after a crash it finds the work done. Throws what the file system throws.
 */
export function keepFewFiles(directory: string, token: string): void {
  if (!BESIDE_JOB_FILE.every((name) => existsSync(join(directory, name)))) return;
  const [jobPath, resultPath] = [join(directory, JOB_FILE), join(directory, RESULT_FILE)];
  // Judged before; but what a process left behind has put there since is not followed.
  if (readResult(resultPath, token).state !== 'read') return;
  const text = readFileSync(jobPath, 'utf8').trimEnd();
  const job = parsed(text);
  if (job === null) return;
  if (!('result' in job)) {
    const half = join(directory, `.${JOB_FILE}.new`);
    try {
      // As text: numbers stay as the program wrote them.
      writeFileSync(half, `${text.slice(0, -1)},"result":${readFileSync(resultPath, 'utf8').trim()}}`);
      renameSync(half, jobPath);
    } finally {
      rmSync(half, { force: true });
    }
  }
  rmSync(resultPath, { force: true });
}

/** Null: a program has written its own text over it. */
function parsed(text: string): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(text);
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    return isObject && Object.keys(value).length > 0 ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}
