// The real caf in a real pseudo-terminal, whose size can be changed and on which one can type. Needs python3.
import { spawn, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { CAF, type Project } from './project.ts';

export const hasPty = spawnSync('python3', ['-c', 'import pty']).status === 0;

export interface Terminal {
  /** Every byte that appeared so far. */
  text(): string;
  /** Resolves when `isThere` holds of what appeared, looked at after each output; rejects when the program ends before. */
  until(isThere: (text: string) => boolean): Promise<void>;
  resize(columns: number, rows: number): void;
  type(keys: string): void;
  readonly ended: Promise<number | null>;
}

export function openTerminal(project: Project, args: readonly string[], { columns = 80, rows = 24 } = {}): Terminal {
  const { CAF_DATA: _, NO_COLOR: __, CI: ___, ...env } = process.env;
  const child = spawn(
    'python3',
    [join(import.meta.dirname, 'terminal.py'), String(columns), String(rows), process.execPath, CAF, ...args],
    {
      cwd: project.directory,
      env: { ...env, TERM: 'xterm-256color', LANG: 'C.UTF-8' },
      stdio: ['pipe', 'pipe', 'inherit'],
    },
  );
  let text = '';
  const waiting = new Set<() => void>();
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
    for (const look of [...waiting]) look();
  });
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  return {
    text: () => text,
    until: (isThere) =>
      new Promise((resolve, reject) => {
        const look = () => {
          if (!isThere(text)) return;
          waiting.delete(look);
          resolve();
        };
        waiting.add(look);
        void ended.then((code) => reject(new Error(`caf ended with ${code} before that appeared:\n${text}`)));
        look();
      }),
    resize: (newColumns, newRows) => child.stdin.write(`size ${newColumns} ${newRows}\n`),
    type: (keys) => child.stdin.write(`type ${Buffer.from(keys).toString('hex')}\n`),
    ended,
  };
}
