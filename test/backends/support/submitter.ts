// A stand-in for a caf that is killed: submits what it is told to a local backend, says which process that is, and waits.
import { readFileSync } from 'node:fs';
import type { JobSubmission } from '../../../src/backends/backend.ts';
import { createLocalBackend } from '../../../src/backends/local.ts';

const submission = JSON.parse(readFileSync(process.argv[2]!, 'utf8')) as JobSubmission;
const childUrl = new URL('../../../src/worker/collector-child.ts', import.meta.url);
const launcherUrl = new URL('../../../src/backends/launch-child.ts', import.meta.url);
const backend = createLocalBackend({ slots: 1, memoryBytes: null, childUrl, launcherUrl });
const { started, ended } = backend.submit(submission);
process.stdout.write(`${JSON.stringify(await started)}\n`);
await ended;
