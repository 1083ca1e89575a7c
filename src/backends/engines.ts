// The batch engines that there are, by name, and how jobs are ended that an earlier caf has left on them.
import { join } from 'node:path';
import { CafError } from '../domain/errors.ts';
import { type AttemptRecord, isEngineJob } from '../domain/job.ts';
import { createCommands, environmentFor, failureText } from './batch-commands.ts';
import { readArrays, traceOf } from './batch-spool.ts';
import type { BatchEngine } from './engine.ts';
import { runCommand } from './exec.ts';
import { gridengine } from './gridengine.ts';
import { htcondor } from './htcondor.ts';
import { lsf } from './lsf.ts';
import { pbs } from './pbs.ts';
import { slurm } from './slurm.ts';

/** An engine, whatever it wants to know of a site. */
export type NamedEngine = Omit<BatchEngine<never>, 'submit'>;

export const ENGINES: readonly NamedEngine[] = [slurm, htcondor, gridengine, pbs, lsf];

/** Null where there is none of this name: another caf has more. */
export const engineNamed = (name: string): NamedEngine | null => ENGINES.find((engine) => engine.name === name) ?? null;

/** Where the array jobs of a campaign lie. A name with a dot is no calibration's. */
export const spoolOf = (output: string): string => join(output, '.batch');

/** Before anything is submitted: CAF_BACKEND_UNAVAILABLE when the commands of one of these engines are not here. Names of other backends are passed over. */
export async function requireEngines(names: Iterable<string>, env: NodeJS.ProcessEnv = process.env): Promise<void> {
  for (const name of new Set(names)) {
    const engine = engineNamed(name);
    if (engine === null) continue;
    const result = await runCommand(engine.version, { env: environmentFor(engine, env), timeoutMs: 60_000 });
    if (result.ended === 'ok') continue;
    throw new CafError('CAF_BACKEND_UNAVAILABLE', `The backend ${name} cannot be used here: ${failureText(result, engine.version)}`, {
      hint: 'load the module that has its commands, go to a login node, or use --backend local',
    });
  }
}

const TRIES = 3;

/**
 * Tells the engines to end the jobs of these attempts; resolves to how many. An engine that does not answer is not waited for: a job whose attempt
 * is not wanted any more finds that out when it begins, and does nothing.
 */
export async function cancelLeftovers(spool: string, attempts: readonly Pick<AttemptRecord, 'handle' | 'token'>[]): Promise<number> {
  let told = 0;
  for (const engine of ENGINES) {
    const ids = idsOf(engine, spool, attempts);
    if (ids.length === 0) continue;
    const commands = createCommands(engine, process.env);
    for (let tries = 1; ; tries += 1) {
      if (await commands.cancel(ids)) {
        told += ids.length;
        break;
      }
      if (tries === TRIES) break;
    }
  }
  return told;
}

function idsOf(
  engine: (typeof ENGINES)[number],
  spool: string,
  attempts: readonly Pick<AttemptRecord, 'handle' | 'token'>[],
): readonly string[] {
  const known = attempts.flatMap(({ handle }) =>
    handle !== null && isEngineJob(handle) && handle.engine === engine.name ? [handle.id] : [],
  );
  const unknown = new Set(attempts.flatMap(({ handle, token }) => (handle === null ? [token] : [])));
  if (unknown.size === 0) return known;
  // Nobody wrote down as what they were submitted; their arrays may tell.
  const found = readArrays(spool, engine.name).flatMap((array) => {
    const trace = traceOf(array);
    if (trace.was !== 'answered') return [];
    const answer = engine.readSubmit({ ended: 'ok', exitCode: 0, stdout: trace.answer, stderr: '' });
    if (answer.how !== 'accepted') return [];
    return array.file.attempts.flatMap((token, number) => (unknown.has(token) ? [engine.taskId(answer.id, number)] : []));
  });
  return [...known, ...found];
}
