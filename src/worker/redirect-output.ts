// Points this process's standard output and error at files: real descriptors, so that native code, children and a crash write there too.
import { closeSync, openSync } from 'node:fs';
import { STDERR_FILE, STDOUT_FILE } from './contract.ts';

/** What is written from now on lands in `stdout` and `stderr` of this directory. */
export function redirectOutput(directory: string): void {
  point(1, `${directory}/${STDOUT_FILE}`);
  point(2, `${directory}/${STDERR_FILE}`);
}

/** Between jobs: what user code still writes belongs to no job. */
export function silenceOutput(): void {
  point(1, '/dev/null');
  point(2, '/dev/null');
}

/** Node has no dup2, but POSIX gives the lowest free descriptor to an open: after closing 1, that is 1. */
function point(descriptor: 1 | 2, path: string): void {
  // Opened once before, so that a path that cannot be opened leaves the descriptor as it was.
  const probe = openSync(path, 'a');
  closeSync(descriptor);
  const opened = openSync(path, 'a');
  closeSync(probe);
  if (opened !== descriptor) throw new Error(`descriptor ${descriptor} was taken by another file while ${path} was opened`);
}
