// The wish that a campaign ends before its work is done: from whom, and what becomes of the jobs that run.

export interface StopWish {
  /** SIGINT, SIGTERM or SIGHUP; `caf cancel` when it was asked for from another shell. */
  readonly signal: string;
  /** `finish`: they are waited for. `leave`: they go on, and are adopted by the next invocation. `cancel`: they are ended. */
  readonly jobs: 'finish' | 'leave' | 'cancel';
  /** Who asked from another shell, and why: `anna@login2: the node goes down`. */
  readonly by?: string;
}
