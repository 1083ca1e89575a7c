// A caf that submits a job and is killed.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { JobSubmission } from '../../../src/backends/backend.ts';
import type { ProcessIdentity } from '../../../src/domain/job.ts';
import type { Rig } from './rig.ts';

const SUBMITTER = fileURLToPath(new URL('./submitter.ts', import.meta.url));

/** Submits it in another process, and kills that one with SIGKILL once the job runs. */
export async function submitAndDie(rig: Rig, submission: JobSubmission, sign: string): Promise<ProcessIdentity> {
  const path = join(rig.directory, 'submission.json');
  writeFileSync(path, JSON.stringify(submission));
  const caf = spawn(process.execPath, [SUBMITTER, path], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = await once(createInterface({ input: caf.stdout }), 'line');
  await rig.appears(submission, sign);
  caf.kill('SIGKILL');
  await once(caf, 'exit');
  return JSON.parse(String(line)) as ProcessIdentity;
}
