// Warm Node children for function collectors: each loads the config once and does up to 100 jobs, one at a time.
import type { ChildProcess } from 'node:child_process';
import type { ProcessStat } from '../host/process-tree.ts';
import type { FromCollectorChild, ToCollectorChild } from '../worker/contract.ts';
import { killTree, leftGroup } from './kill-tree.ts';
import type { Following } from './running-job.ts';

export interface WarmChild {
  readonly key: string;
  readonly child: ChildProcess;
  readonly leader: ProcessStat;
  jobs: number;
  current: { readonly jobFile: string; readonly following: Following } | null;
}

export interface WarmPoolOptions {
  /** Children alive at the same time, busy or idle. */
  readonly size: number;
  readonly killGraceMs: number;
}

export interface WarmPool {
  /** An idle child of this kind, or null: then the caller starts one and gives it to `add`. */
  take(key: string): WarmChild | null;
  add(child: WarmChild): void;
  give(child: WarmChild, jobFile: string, following: Following): void;
  /** Idle children exit; busy ones finish their job and exit when caf does. Resolves when the idle ones are gone. */
  close(): Promise<void>;
}

const MAX_JOBS = 100;
/** A child that has grown beyond this is replaced: what user code keeps must not add up over jobs. */
const MAX_RSS_BYTES = 512e6;

export function createWarmPool({ size, killGraceMs }: WarmPoolOptions): WarmPool {
  const children = new Set<WarmChild>();
  const idle: WarmChild[] = [];

  /** Whether the event loop waits for this child. */
  function hold(warm: WarmChild, isHeld: boolean): void {
    if (isHeld) {
      warm.child.ref();
      warm.child.channel?.ref();
    } else {
      warm.child.unref();
      warm.child.channel?.unref();
    }
  }

  /** It exits by itself; one that hangs is ended. Resolves when it is gone. */
  function retire(warm: WarmChild): Promise<void> {
    children.delete(warm);
    const at = idle.indexOf(warm);
    if (at !== -1) idle.splice(at, 1);
    if (warm.child.exitCode !== null || warm.child.signalCode !== null) return Promise.resolve();
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(() => void killTree(warm.leader, 0), killGraceMs).unref();
    warm.child.once('exit', () => {
      clearTimeout(timer);
      resolve();
    });
    // Waited for, even where nothing else keeps caf running.
    warm.child.ref();
    if (warm.child.connected) warm.child.disconnect();
    return promise;
  }

  function onFinished(warm: WarmChild, message: Extract<FromCollectorChild, { type: 'finished' }>): void {
    const { current } = warm;
    // One that is being ended answers by its exit, even if it had just finished.
    if (current === null || current.jobFile !== message.jobFile || current.following.isStopping()) return;
    warm.current = null;
    warm.jobs++;
    if (message.failed || warm.jobs >= MAX_JOBS || message.rssBytes > MAX_RSS_BYTES) {
      void retire(warm);
    } else {
      idle.push(warm);
      hold(warm, false);
    }
    current.following.finished(message.rssBytes);
  }

  function onExit(warm: WarmChild, code: number | null, signal: string | null): void {
    void retire(warm);
    const { current } = warm;
    warm.current = null;
    if (current !== null) current.following.mainEnded(signal === null ? { how: 'exited', code: code ?? 0 } : { how: 'signalled', signal });
    else if (leftGroup(warm.leader.pid)) void killTree(warm.leader, killGraceMs);
  }

  return {
    take(key) {
      const at = idle.findLastIndex((warm) => warm.key === key && warm.child.connected);
      const found = at === -1 ? undefined : idle.splice(at, 1)[0];
      if (found !== undefined) hold(found, true);
      // A child of another kind makes room: the one that has been idle longest.
      else if (children.size >= size && idle[0] !== undefined) void retire(idle[0]);
      return found ?? null;
    },
    add(warm) {
      children.add(warm);
      // User code shares the channel, and may send anything.
      warm.child.on('message', (message: FromCollectorChild | null) => {
        if (message?.type === 'finished') onFinished(warm, message);
      });
      warm.child.once('exit', (code, signal) => onExit(warm, code, signal));
    },
    give(warm, jobFile, following) {
      warm.current = { jobFile, following };
      const message: ToCollectorChild = { type: 'collect', jobFile };
      // A child that died in the meantime is told by its exit event.
      warm.child.send(message, () => undefined);
    },
    async close() {
      const leaving = idle.map((warm) => retire(warm));
      for (const warm of children) hold(warm, false);
      await Promise.all(leaving);
    },
  };
}
