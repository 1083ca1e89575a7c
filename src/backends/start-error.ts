// Why a program could not be started, in words: the system only gives a code, and the same one for different reasons.
import { statSync } from 'node:fs';
import { isOnPath } from './on-path.ts';

const exists = (path: string): boolean => statSync(path, { throwIfNoEntry: false }) !== undefined;

export function startErrorText(error: unknown, argv: readonly string[], directory: string, env: Readonly<Record<string, string>>): string {
  const program = argv[0] ?? '';
  const { code, message } = error instanceof Error ? (error as NodeJS.ErrnoException) : { code: undefined, message: String(error) };
  switch (code) {
    case 'ENOENT':
      if (!exists(directory)) return `its directory ${directory} does not exist`;
      if (!program.includes('/')) return notFound(program, env);
      return exists(program)
        ? `the program ${quoted(program)} exists, but the interpreter named in its first line (#!) does not`
        : `the program ${quoted(program)} does not exist`;
    case 'EACCES':
      if (!program.includes('/') && !isOnPath(program, env.PATH)) return notFound(program, env);
      return `the program ${quoted(program)} may not be executed: is it a file with execute permission (chmod +x)?`;
    case 'ENOEXEC':
      return `the program ${quoted(program)} is not in a format this machine can execute: a script needs a first line like #!/usr/bin/env python3`;
    case 'E2BIG': {
      const bytes = [...argv, ...Object.entries(env).flat()].reduce((sum, text) => sum + Buffer.byteLength(text) + 1, 0);
      return `its ${argv.length} arguments and its environment are too long for the system: ${bytes} bytes; let it read the list of files from job.json (CAF_JOB)`;
    }
    case 'EAGAIN':
      return 'the system refused another process: the limit of processes is reached (ulimit -u)';
    case 'EMFILE':
    case 'ENFILE':
      return 'the system refused another open file: the limit is reached (ulimit -n)';
    case 'ENOSPC':
      return `its log could not be made in ${directory}: the disk is full`;
    default:
      return message;
  }
}

const notFound = (program: string, env: Readonly<Record<string, string>>): string =>
  `the program ${quoted(program)} was not found on PATH (${env.PATH ?? 'PATH is not set'})`;

const quoted = (text: string): string => JSON.stringify(text);
