// A process in the background that survives logout: a session of its own, no terminal, and one answer to the process that started it.
import { spawn } from 'node:child_process';

export interface BackgroundCommand {
  /** Arguments of Node: its options, the script, the script's arguments. */
  readonly argv: readonly string[];
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
  /** Descriptor of the file that takes its standard output and error. */
  readonly output: number;
}

export type BackgroundStart =
  /** What it told through `answerStarter`; it may be anything. It goes on by itself from there. */
  | { readonly kind: 'answered'; readonly pid: number; readonly answer: unknown }
  /** It ended, or could not be started, without an answer. */
  | { readonly kind: 'ended'; readonly reason: string };

/** Resolves with its answer, or with its end before that. When this process ends first, it ends too: nobody would know of it. */
export function startInBackground({ argv, cwd, env, output }: BackgroundCommand): Promise<BackgroundStart> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, argv, { cwd, env, detached: true, stdio: ['ignore', output, output, 'ipc'] });
    child.once('error', (error) => resolve({ kind: 'ended', reason: error.message }));
    child.once('exit', (code, signal) => resolve({ kind: 'ended', reason: signal === null ? `exit code ${code}` : signal }));
    child.once('message', (answer) => {
      child.unref();
      resolve({ kind: 'answered', pid: child.pid ?? 0, answer });
    });
  });
}

export interface Starter {
  /** Once; from then on this process stands on its own. Resolves when the answer is on its way. */
  answer(answer: object): Promise<void>;
}

/** The other side: to be called first thing by a process that was started in the background. From here on it does not heed SIGHUP. */
export function connectToStarter(): Starter {
  process.on('SIGHUP', () => undefined);
  const starterGone = () => process.exit(1);
  process.once('disconnect', starterGone);
  return {
    answer: (answer) =>
      new Promise((resolve) => {
        process.off('disconnect', starterGone);
        if (process.send === undefined || !process.connected) return resolve();
        process.send(answer, undefined, undefined, () => {
          if (process.connected) process.disconnect();
          resolve();
        });
      }),
  };
}
