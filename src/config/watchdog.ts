// Ends the process when loading a config blocks it in a way that only another thread can see.
import { createRequire } from 'node:module';
import type { Worker } from 'node:worker_threads';
import type { CafError } from '../domain/errors.ts';

export interface Watchdog {
  arm(): void;
  disarm(): void;
}

const requireHere = createRequire(import.meta.url);

// A thread cannot end its process with a chosen exit code: process.exit() there ends the thread. But it can connect to the inspector of the
// main thread, which runs an expression even inside a busy loop. A main thread that waits for a program (execFileSync) does not get there
// until that program ends, so its children are ended first: at this time all of them were started by the config.
// Closing descriptor 2 hides the "Waiting for the debugger to disconnect..." that Node prints at exit. What does not help is ended by SIGKILL.
const THREAD = `
const { readdirSync, readFileSync, writeSync } = require('node:fs');
const { Session } = require('node:inspector');
const { workerData } = require('node:worker_threads');
setTimeout(() => {
  writeSync(2, workerData.text);
  const session = new Session();
  session.connectToMainThread();
  session.post('Runtime.evaluate', { expression: "process.getBuiltinModule('node:fs').closeSync(2); process.reallyExit(2)" });
  setTimeout(() => process.kill(process.pid, 'SIGKILL'), 2000);
  for (const thread of readdirSync('/proc/self/task')) {
    for (const child of readFileSync('/proc/self/task/' + thread + '/children', 'latin1').split(' ').filter(Boolean)) process.kill(Number(child), 'SIGKILL');
  }
}, workerData.timeoutMs);
`;

export function createWatchdog(error: CafError, timeoutMs: number): Watchdog {
  let worker: Worker | null = null;
  return {
    arm() {
      if (worker !== null) return;
      const text = `✖ ${error.message}  ${error.code}\n  hint: ${error.hint ?? ''}\n`;
      // Loaded when it is needed, which is hardly ever.
      const threads = requireHere('node:worker_threads') as typeof import('node:worker_threads');
      worker = new threads.Worker(THREAD, { eval: true, workerData: { text, timeoutMs: timeoutMs + 100 }, env: {}, execArgv: [] });
      worker.unref();
    },
    disarm() {
      void worker?.terminate();
      worker = null;
    },
  };
}
