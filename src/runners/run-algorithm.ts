// The hands of the algorithm machine: forks the strategy's child and passes on what it says.
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createActor, fromCallback } from 'xstate';
import type { ProgramContainer } from '../domain/algorithms-runner.ts';
import type { AlgorithmSpec, CalibrationSpec } from '../domain/calibration.ts';
import { errorText } from '../domain/errors.ts';
import { type AlgorithmEvent, type AlgorithmInput, type AlgorithmOutput, algorithmMachine } from '../machines/algorithm-machine.ts';
import { syncAhead } from '../payloads/store.ts';
import { resolveImage } from './check-container.ts';
import { algorithmPath, type Hands } from './hands.ts';

export interface AlgorithmTask {
  readonly calibration: CalibrationSpec;
  readonly iteration: number;
  readonly algorithm: AlgorithmSpec;
  /** Absolute paths. */
  readonly dataFile: string;
  readonly chain: string;
  readonly conditions: string;
  readonly objects: string;
}

/** Runs one algorithm to its final state. Executions recorded by an earlier invocation are not repeated. */
export function runAlgorithm(hands: Hands, task: AlgorithmTask): Promise<AlgorithmOutput> {
  const { calibration, iteration, algorithm } = task;
  const directory = algorithmPath(calibration.name, iteration, algorithm.name);
  const absolute = join(hands.spec.output, directory);

  const logic = algorithmMachine.provide({
    actors: {
      runStrategy: fromCallback<AlgorithmEvent, AlgorithmInput>(({ sendBack, receive }) => {
        const ending = new AbortController();
        receive(() => ending.abort());
        // The row that says "started" may drop what a failed attempt recorded, so it is read back only now.
        hands.journal.commit();
        const recorded = hands.journal.algorithm(calibration.name, iteration, algorithm.name)?.executions ?? [];
        mkdirSync(absolute, { recursive: true });
        // On an engine it is a job like others: it is told of when caf leaves it.
        const onEngine = hands.engineRunnerFor(algorithm);
        const name = `${calibration.name}/${iteration}/${algorithm.name}`;
        if (onEngine !== null) hands.running.add(name);
        (calibration.algorithmsRunner ?? onEngine ?? hands.algorithmsRunner)
          .run(
            {
              job: {
                configPath: hands.spec.configPath,
                calibration: calibration.name,
                algorithm: algorithm.name,
                iteration,
                directory: absolute,
                objects: task.objects,
                dataFile: task.dataFile,
                chain: task.chain,
                conditions: task.conditions,
                requestedIov: hands.spec.iov,
                ignoredRuns: calibration.ignoredRuns,
                container: containerOf(hands, algorithm),
                recorded,
              },
              executionTimeLimitMs:
                onEngine === null
                  ? Math.min(algorithm.executionTimeLimitMs, algorithm.resources?.timeMs ?? Number.POSITIVE_INFINITY)
                  : algorithm.executionTimeLimitMs,
              memoryLimitBytes: algorithm.resources?.memoryBytes ?? null,
              stopping: hands.stop,
              env:
                onEngine === null
                  ? { ...(process.env as Record<string, string>), ...algorithm.env }
                  : { ...hands.backendFor(algorithm.backend).environment, ...algorithm.env },
            },
            {
              ready: (runs) => sendBack({ type: 'child.ready', runs }),
              executionStarted: (seq, runs, iov) => sendBack({ type: 'child.execution.started', seq, runs, iov }),
              executionFinished: (execution) => {
                // The disk takes them while the child goes on: the commit at the end of the iteration finds most of them there.
                syncAhead(
                  task.objects,
                  execution.payloads.map(({ sha256 }) => sha256),
                );
                sendBack({ type: 'child.execution.finished', execution });
              },
              resultReported: (report) => sendBack({ type: 'child.result.reported', report }),
              warning: (message) => sendBack({ type: 'child.warning', message }),
            },
            ending.signal,
          )
          .then(
            ({ finalState, gaps, error, cancelled }) => {
              // One that was left is at work still.
              if (cancelled !== true || hands.cancel.aborted) hands.running.delete(name);
              sendBack({ type: 'child.ended', finalState, gaps, error, interrupted: cancelled === true });
            },
            (error: unknown) =>
              sendBack({ type: 'child.ended', finalState: 'failed', gaps: null, error: errorText(error), interrupted: false }),
          );
      }),
    },
    actions: {
      journal: (_, entry) => {
        hands.journal.append(entry);
        if (entry.kind === 'algorithm.finished' && entry.gaps !== null)
          writeFileSync(join(absolute, 'gaps.json'), `${JSON.stringify(entry.gaps)}\n`);
      },
      tell: (_, event) => hands.emit(event),
    },
  });

  const known = hands.journal.algorithm(calibration.name, iteration, algorithm.name);
  const reports = known === null || known.finalState === 'failed' ? [] : known.reports;
  return new Promise((resolve, reject) => {
    const actor = createActor(logic, {
      input: {
        calibration: calibration.name,
        iteration,
        algorithm: algorithm.name,
        directory,
        reportsKnown: reports.length,
        resultsKnown: reports.map(({ result }) => result),
      },
    });
    const cancel = () => actor.send({ type: 'algorithm.cancel' });
    const endings = [hands.leave, hands.cancel];
    for (const signal of endings) signal.addEventListener('abort', cancel);
    actor.subscribe({
      complete: () => {
        for (const signal of endings) signal.removeEventListener('abort', cancel);
        resolve(actor.getSnapshot().output as AlgorithmOutput);
      },
      error: reject,
    });
    actor.start();
    actor.send({ type: 'algorithm.begin' });
  });
}

function containerOf(
  { spec: { configPath, output } }: Hands,
  { container, env, executionTimeLimitMs }: AlgorithmSpec,
): ProgramContainer | null {
  return container === null
    ? null
    : { ...resolveImage(container, dirname(configPath)), env, results: output, timeMs: executionTimeLimitMs };
}
