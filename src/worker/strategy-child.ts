// Entry of the child process that runs one algorithm under its strategy. It tells its parent by messages, and ends when the parent does.
import { loadConfig } from '../config/load-config.ts';
import type { AlgorithmOptions, Config } from '../config/options.ts';
import { definedPayloads } from '../config/payload-registry.ts';
import type { StrategyJob } from '../domain/algorithms-runner.ts';
import { CafError, errorText } from '../domain/errors.ts';
import type { ErrorText } from '../domain/event.ts';
import { checkIov, formatIov, formatRun, type Run } from '../domain/iov.ts';
import { encodePayload } from '../payloads/codec.ts';
import { checkPayloadName } from '../payloads/name.ts';
import { putFilePayload, putValue } from '../payloads/store.ts';
import { selectRuns } from '../strategies/select-runs.ts';
import { singleIov } from '../strategies/single-iov.ts';
import type { Strategy } from '../strategies/strategy.ts';
import { createAlgorithm } from './algorithm.ts';
import { describeFailure } from './algorithm-error.ts';
import { createGuard } from './algorithm-guard.ts';
import { createChildLog } from './child-log.ts';
import type { PayloadRules } from './commit.ts';
import { createConditionsReader } from './conditions-reader.ts';
import type { FromStrategyChild, ToStrategyChild } from './contract.ts';
import { type CollectedData, openCollectedData, readCollectedJobs } from './data.ts';
import { findAlgorithm } from './find-function.ts';
import { stopPrograms } from './program-execution.ts';
import { driveStrategy } from './strategy-driver.ts';

type Final = Extract<FromStrategyChild, { type: 'final' }>;

function failed(error: unknown, job: StrategyJob): Final {
  const end = (text: ErrorText): Final => ({ type: 'final', finalState: 'failed', gaps: null, error: text });
  if (!(error instanceof CafError)) {
    return end({ code: 'CAF_ALGORITHM_FAILED', message: `${job.algorithm}: ${describeFailure(error, job.configPath)}` });
  }
  // The place would be lost on the way: messages carry text only.
  const place = error.code === 'CAF_CONFIG_LOAD' && error.at !== undefined ? ` (${error.at.file}:${error.at.line})` : '';
  const text = errorText(error);
  return end({ ...text, message: text.message + place });
}

/** Resolves when the message has been handed to the system: nothing is lost when the process ends. */
const send = (message: FromStrategyChild): Promise<void> =>
  new Promise((resolve, reject) => {
    if (process.send === undefined) reject(new Error('strategy-child is started by caf, not by hand'));
    else process.send(message, (error: Error | null) => (error === null ? resolve() : reject(error)));
  });

/** caf is gone: nobody can use what is done from here on. The group holds this process and the programs it started. */
function dieWithParent(): void {
  try {
    process.kill(-process.pid, 'SIGKILL');
  } catch {
    process.kill(process.pid, 'SIGKILL'); // not the leader of a group: started by hand
  }
}

const stopping = new AbortController();
let isFinishing = false;

/** Thrown where the next execution would begin. */
class Unfinished extends Error {}

async function stop(): Promise<void> {
  if (stopping.signal.aborted) return;
  stopping.abort();
  await stopPrograms();
  guard.exit(128 + 15);
}

const guard = createGuard();
const { promise: started, resolve: start } = Promise.withResolvers<StrategyJob>();
process.on('message', (message: ToStrategyChild) => {
  if (message.type === 'start') start(message.job);
  else isFinishing = true;
});
process.on('disconnect', dieWithParent);
process.on('SIGTERM', () => void stop());

async function runAlgorithm(job: StrategyJob): Promise<Final> {
  const { raw } = await loadConfig(job.configPath);
  // The config was checked when caf planned: from here on its options are what their types say.
  const config = raw as Config;
  const options = findAlgorithm(config, job.calibration, job.algorithm) as unknown as AlgorithmOptions;
  const strategy = options.strategy ?? singleIov();
  const data = await openCollectedData(await readCollectedJobs(job.dataFile));
  const conditions = createConditionsReader(job.chain);
  try {
    const collections = config.calibrations
      .filter(({ name }) => name === job.calibration)
      .flatMap((calibration) => Object.values(calibration.collections));
    const mayLackRuns = collections.every((collection) => collection.runs === undefined || collection.granularity === 'all');
    const runs = selectedRuns(job, data, strategy, mayLackRuns);
    const algorithm = createAlgorithm(options, {
      job,
      data,
      rules: payloadRules(job.objects),
      conditions,
      parametersOf: (ofRuns) => conditions.parameters(ofRuns[0] ?? [0, 0]),
      log: createChildLog(),
      signal: stopping.signal,
      guard,
    });
    await send({ type: 'calling', what: 'setup' });
    await algorithm.setup(runs);
    await send({ type: 'ready', runs });
    const summary = await driveStrategy(strategy, { runs, iteration: job.iteration }, job.recorded, {
      execute: algorithm.execute,
      findBoundaries: async (ofRuns) => {
        if (isFinishing) throw new Unfinished();
        await send({ type: 'calling', what: 'findBoundaries' });
        return algorithm.findBoundaries(ofRuns);
      },
      started: async (seq, ofRuns, iov) => {
        if (isFinishing) throw new Unfinished();
        await send({ type: 'execution.started', seq, runs: ofRuns, iov });
      },
      finished: (execution) => send({ type: 'execution.finished', execution }),
      reported: (report) => send({ type: 'result.reported', report }),
    });
    const late = guard.late();
    if (late !== undefined) throw late.error;
    if (summary.finalState === 'completed' && summary.payloads === 0) {
      await send({ type: 'warning', message: `${job.algorithm} ended well but committed no payload (CAF_NO_PAYLOADS).` });
    }
    const error =
      summary.finalState === 'failed' && summary.reason !== undefined
        ? errorText(new CafError('CAF_ALGORITHM_FAILED', `${strategy.name} of ${job.algorithm}: ${summary.reason}`))
        : null;
    return { type: 'final', finalState: summary.finalState, gaps: summary.gaps, error };
  } finally {
    conditions.close();
    await data.close();
  }
}

/** Throws CAF_NO_RUNS with the reason. Empty only where nobody knows the runs and nobody needs them. */
function selectedRuns(job: StrategyJob, data: CollectedData, strategy: Strategy, mayLackRuns: boolean): readonly Run[] {
  const runs = selectRuns(data.runs, job.requestedIov, job.ignoredRuns);
  if (runs.length > 0 || (data.runs.length === 0 && mayLackRuns && strategy.granularities.includes('all'))) return runs;
  const [first] = data.runs;
  const last = data.runs.at(-1);
  if (first === undefined || last === undefined) {
    throw new CafError('CAF_NO_RUNS', `No data run is left for ${job.algorithm}: ${data.jobs} jobs were collected, and none knows a run.`, {
      hint: 'Let the collector record values under runs, or say in `runs` which runs a file holds.',
    });
  }
  const asked = selectRuns(data.runs, job.requestedIov, []).length;
  const outside = data.runs.length - asked;
  const reasons = [
    outside > 0 && job.requestedIov !== null ? `${outside} outside the requested interval ${formatIov(job.requestedIov)}` : '',
    asked > 0 ? `${asked} ignored` : '',
  ].filter((reason) => reason !== '');
  throw new CafError(
    'CAF_NO_RUNS',
    `No data run is left for ${job.algorithm}: of ${data.runs.length} collected (${formatRun(first)} to ${formatRun(last)}), ${reasons.join(' and ')}.`,
    { hint: 'Request another interval, or shorten ignoredRuns.' },
  );
}

function payloadRules(objects: string): PayloadRules {
  const definitions = new Map(definedPayloads().map((definition) => [definition.name, definition]));
  return {
    definitions,
    allowUndefined: definitions.size === 0,
    checkName: checkPayloadName,
    checkIov,
    encode: encodePayload,
    putValue: (name, bytes, form) => putValue(objects, name, bytes, form),
    putFile: (name, path) => putFilePayload(objects, name, path),
  };
}

const job = await started;
let final: Final | Extract<FromStrategyChild, { type: 'unfinished' }>;
try {
  final = await runAlgorithm(job);
} catch (error) {
  final = error instanceof Unfinished ? { type: 'unfinished' } : failed(error, job);
}
await send(final);
process.off('disconnect', dieWithParent);
process.disconnect();
// Timers and sockets the user left open must not keep the child.
guard.exit(0);
