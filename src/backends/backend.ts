// What CAF asks of a place where jobs run: admit, start, adopt, cancel, close. The same for this machine and every batch engine.
import type { Resources } from '../domain/calibration.ts';
import type { JobHandle, JobKey, Usage } from '../domain/job.ts';

/** One attempt, ready to start: its directory and job.json exist. */
export interface JobSubmission extends JobKey {
  readonly attempt: number;
  readonly token: string;
  /** Absolute working directory of this attempt; stdout and stderr are written there. */
  readonly directory: string;
  readonly resources: Resources;
  /** True of the job of an algorithm, which is none of the collections' jobs. */
  readonly isAlgorithm?: boolean;
  readonly task: /** Spawned directly. `env` and `ownEnv` are complete: nothing else is inherited. */
    | {
        readonly kind: 'program';
        readonly argv: readonly string[];
        /** The same object for all jobs of a collection. */
        readonly env: Readonly<Record<string, string>>;
        /** What only this job has. */
        readonly ownEnv: Readonly<Record<string, string>>;
        readonly setup: readonly string[];
      }
    /** A function of the config, run by a warm Node child that has loaded the config. */
    | {
        readonly kind: 'function';
        readonly configPath: string;
        readonly env: Readonly<Record<string, string>>;
        readonly setup: readonly string[];
      };
}

/** How an attempt left the backend. What it means is judged by run-job, with result.json and outputs at hand. */
export type AttemptEnd =
  | { readonly how: 'exited'; readonly code: number; readonly usage: Usage }
  | { readonly how: 'signalled'; readonly signal: string; readonly usage: Usage }
  | { readonly how: 'out-of-memory'; readonly limitBytes: number; readonly usedBytes: number | null; readonly usage: Usage }
  | { readonly how: 'time-limit'; readonly limitMs: number; readonly usage: Usage }
  | { readonly how: 'cancelled'; readonly usage: Usage }
  /** By somebody else than caf. `by` = who, in words; null = not known. */
  | { readonly how: 'removed'; readonly by: string | null; readonly usage: Usage }
  | { readonly how: 'preempted'; readonly usage: Usage }
  /** Its machine failed, or its engine has forgotten it. */
  | { readonly how: 'node-lost'; readonly detail: string; readonly usage: Usage }
  /** It could not be started: the program was not found, is not executable, or the system refused. */
  | { readonly how: 'not-started'; readonly message: string }
  /** It is gone and nobody saw its exit status (an adopted process). `detail`: what is said where it left no result. */
  | { readonly how: 'unknown'; readonly detail?: string; readonly usage: Usage };

export interface RunningJob {
  /** What finds it again, once it is known; null = nothing was started. Settles before `ended`; never rejects. */
  readonly started: Promise<JobHandle | null>;
  /** Settles exactly once; never rejects. */
  readonly ended: Promise<AttemptEnd>;
  /** Ends the whole process tree: SIGTERM, then SIGKILL after a grace time. Resolves when it is gone. */
  cancel(): Promise<void>;
}

/** The right to use cores and memory until released. */
export interface Admission {
  release(): void;
}

export interface Backend {
  readonly name: string;
  /** What jobs inherit, before the environment of their collection. */
  readonly environment: Readonly<Record<string, string>>;
  /** How many jobs one collection should keep in hand: a little more than can be admitted at once. */
  readonly window: number;
  /** True when jobs live on by themselves: when caf stops, they are left, not waited for. */
  readonly isRemote: boolean;
  /** Null when a job with these resources fits; otherwise a sentence why it never can. Asked at start. */
  refuses(resources: Resources): string | null;
  /** First come, first served. Rejects with an AbortError when `signal` aborts first. */
  admit(resources: Resources, signal: AbortSignal): Promise<Admission>;
  submit(submission: JobSubmission): RunningJob;
  /** After an attempt was accepted or given up: files of the backend's own in its directory are removed. */
  forget(directory: string): void;
  /**
   * Finds an attempt that an earlier invocation started: null when it is known to be gone. `handle` null = nothing was written down,
   * but it may have been started: it is looked for.
   */
  adopt(submission: JobSubmission, handle: JobHandle | null): RunningJob | null;
  /** Lets running jobs live on (they are adopted by the next invocation) and frees everything else. */
  close(): Promise<void>;
}
