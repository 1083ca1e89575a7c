// Every kind of journal entry. Written down before its effect begins; the crash matrix kills after each of these kinds.
import type { CalibrationState, Checkpoint, FinalState, Resources } from './calibration.ts';
import type { ErrorText } from './event.ts';
import type { ExecutionRecord, ReportedResult } from './execution.ts';
import type { Iov, Run } from './iov.ts';
import type { AttemptOutcome, JobHandle, JobKey, Usage } from './job.ts';

type InCalibration = { readonly calibration: string };
type InIteration = InCalibration & { readonly iteration: number };
type InAlgorithm = InIteration & { readonly algorithm: string };
type InAttempt = JobKey & { readonly attempt: number };

/** All inputs of a calibration's results, as digests, in two parts: a change of `algorithms` alone keeps the collectors' jobs of iteration 0. */
export interface Fingerprint {
  /** name -> digest, for instance `files:random`, `options:random`, `code`, `databases`, `iov`. */
  readonly collectors: Readonly<Record<string, string>>;
  readonly algorithms: Readonly<Record<string, string>>;
  /** Local files of code, absolute path -> sha256 and what else counts of it (config/code-digest.ts), to name the file that changed. */
  readonly code: Readonly<Record<string, string>>;
}

export type JournalEntry =
  | {
      readonly kind: 'invocation.started';
      readonly argv: readonly string[];
      readonly version: string;
      readonly config: string;
      readonly actor: string;
    }
  | { readonly kind: 'invocation.ended'; readonly outcome: 'completed' | 'failed' | 'interrupted' }
  /** The calibration is planned with these inputs; `redo` drops its rows first: all, or all but the jobs of iteration 0. */
  | (InCalibration & {
      readonly kind: 'calibration.planned';
      readonly position: number;
      readonly fingerprint: Fingerprint;
      readonly reason: string;
      readonly redo: 'nothing' | 'all' | 'algorithms';
    })
  | (InCalibration & {
      readonly kind: 'calibration.state';
      readonly state: CalibrationState;
      readonly checkpoint?: Checkpoint;
      readonly iteration: number;
      readonly error?: ErrorText | null;
      readonly converged?: boolean | null;
    })
  | (InIteration & { readonly kind: 'iteration.started'; readonly chainDigest: string; readonly jobs: Readonly<Record<string, number>> })
  | (InIteration & {
      readonly kind: 'iteration.committed';
      readonly versionId: string;
      readonly contentId: string;
      readonly viewId: string;
      readonly outcome: 'ok' | 'iterate' | 'failed';
    })
  /** The flattened result exists and the calibration is complete. */
  | (InIteration & {
      readonly kind: 'calibration.completed';
      readonly versionId: string;
      readonly contentId: string;
      readonly viewId: string;
      readonly converged: boolean;
      readonly payloads: number;
    })
  /** Put back to the start of this iteration: its rows and those of later iterations are dropped, and its result. */
  | (InIteration & { readonly kind: 'calibration.reset' })
  | (InAttempt & {
      readonly kind: 'attempt.started';
      readonly token: string /** Digest of its input files and arguments: a job with other inputs is another job. */;
      readonly inputs: string;
      readonly directory: string;
      readonly resources: Resources;
    })
  | (InAttempt & { readonly kind: 'attempt.spawned'; readonly handle: JobHandle })
  | (InAttempt & {
      readonly kind: 'attempt.finished';
      readonly outcome: AttemptOutcome;
      readonly usage: Usage | null;
      readonly warnings: readonly string[];
    })
  /** The attempt counts: its directory was renamed into place (succeeded), or no attempt is left (failed). */
  | (InAttempt & { readonly kind: 'job.finished'; readonly outcome: AttemptOutcome })
  | (InAlgorithm & { readonly kind: 'algorithm.started'; readonly runs?: readonly Run[] })
  | (InAlgorithm & { readonly kind: 'execution.finished'; readonly execution: ExecutionRecord })
  | (InAlgorithm & { readonly kind: 'result.reported'; readonly report: ReportedResult })
  | (InAlgorithm & {
      readonly kind: 'algorithm.finished';
      readonly finalState: FinalState;
      readonly gaps: readonly Iov[] | null;
      readonly error: ErrorText | null;
    });

export type JournalKind = JournalEntry['kind'];

export const JOURNAL_KINDS = [
  'invocation.started',
  'invocation.ended',
  'calibration.planned',
  'calibration.state',
  'iteration.started',
  'iteration.committed',
  'calibration.completed',
  'calibration.reset',
  'attempt.started',
  'attempt.spawned',
  'attempt.finished',
  'job.finished',
  'algorithm.started',
  'execution.finished',
  'result.reported',
  'algorithm.finished',
] as const satisfies readonly JournalKind[];
