// A campaign as one job of a batch engine: submitted, looked for, cancelled.
import { createCommands } from '../backends/batch-commands.ts';
import type { Argv, EngineState, SubmitAnswer } from '../backends/engine.ts';
import type { NamedEngine } from '../backends/engines.ts';
import type { Submission } from './submission.ts';

export type Found =
  /** Not ended yet. */
  | { readonly is: 'there'; readonly task: string; readonly state: EngineState }
  | { readonly is: 'gone' }
  /** The engine did not answer: nothing is known. */
  | { readonly is: 'unknown' };

/** `answerFile`: absolute path of a file for what the engine says. */
export const submitJob = (
  engine: NamedEngine,
  argv: Argv,
  answerFile: string,
  env: NodeJS.ProcessEnv,
): Promise<SubmitAnswer & { readonly warnings: readonly string[] }> => createCommands(engine, env).submit(argv, answerFile);

/** By its id, or by its name where the answer that had the id was lost. */
export async function findJob(engine: NamedEngine, { id, name }: Submission, env: NodeJS.ProcessEnv): Promise<Found> {
  const tasks = await createCommands(engine, env).queue();
  if (tasks === null) return { is: 'unknown' };
  const found = tasks.find((task) => (id === null ? task.name === name : task.id === engine.taskId(id, 0)));
  return found === undefined || found.state.state === 'ended' ? { is: 'gone' } : { is: 'there', task: found.id, state: found.state };
}

/** True when the engine has taken the wish. `task` as `findJob` gave it. */
export const cancelJob = (engine: NamedEngine, task: string, env: NodeJS.ProcessEnv): Promise<boolean> =>
  createCommands(engine, env).cancel([task]);
