// Requests to stop a running campaign, as files in its results directory: they reach a caf on another host, without an open port.
import { mkdirSync, readdirSync, readFileSync, renameSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { StopWish } from '../domain/stop-wish.ts';
import { createWaker } from '../host/waker.ts';

/** Whoever may write there may ask. No calibration can have this name. */
const DIRECTORY = '.requests';

/** How often the directory is looked at where the file system does not tell of changes: another host wrote there. */
const LOOK_MS = 2000;

export interface StopRequest {
  readonly v: 1;
  /** Names the request and its file. */
  readonly id: string;
  /** Token of the lease whose holder is meant: whoever comes later is not. */
  readonly lease: string;
  readonly jobs: StopWish['jobs'];
  /** user@host. */
  readonly by: string;
  readonly pid: number;
  /** ISO time. */
  readonly at: string;
  /** In the words of whoever asks; null where none were given. */
  readonly why: string | null;
}

export const requestsDirectory = (results: string): string => join(results, DIRECTORY);

const requestPath = (results: string, id: string): string => join(results, DIRECTORY, `${id}.json`);
const noticedPath = (results: string, id: string): string => join(results, DIRECTORY, `${id}.noticed`);

/** The file appears whole, by rename. */
export function writeStopRequest(results: string, request: StopRequest): void {
  const path = requestPath(results, request.id);
  mkdirSync(requestsDirectory(results), { recursive: true });
  try {
    writeFileSync(`${path}.new`, `${JSON.stringify(request)}\n`);
    renameSync(`${path}.new`, path);
  } catch (error) {
    rmSync(`${path}.new`, { force: true });
    throw error;
  }
}

/** Whether the caf that is meant has seen it. It says so until its end. */
export const isNoticed = (results: string, id: string): boolean => namesIn(results).includes(`${id}.noticed`);

/** By whoever made it, when nobody is there to heed it any more. */
export function withdrawStopRequest(results: string, id: string): void {
  for (const path of [requestPath(results, id), noticedPath(results, id)]) rmSync(path, { force: true });
  removeIfEmpty(results);
}

export interface StopRequests {
  /** Stops listening and removes what was asked of this process. */
  close(): void;
}

/**
 * Calls `onRequest` for each request that is addressed to this lease, once, until it is closed; those addressed to an earlier one are
 * removed. Never throws: a campaign does not fail because nobody could stop it.
 */
export function listenForStopRequests(results: string, lease: string, onRequest: (request: StopRequest) => void): StopRequests {
  const abort = new AbortController();
  quietly(() => mkdirSync(requestsDirectory(results), { recursive: true }));
  const waker = createWaker(requestsDirectory(results), abort.signal, { tickMs: LOOK_MS, keepsAlive: false });
  const noticed = new Set<string>();
  const look = () => {
    for (const name of namesIn(results)) {
      const id = /^(.+)\.json$/.exec(name)?.[1];
      if (id === undefined || noticed.has(id)) continue;
      const request = readRequest(requestPath(results, id));
      if (request?.lease !== lease) {
        // Half a request of an unknown version, or one that came too late for the caf that it was meant for.
        quietly(() => rmSync(requestPath(results, id), { force: true }));
        continue;
      }
      noticed.add(id);
      quietly(() => renameSync(requestPath(results, id), noticedPath(results, id)));
      onRequest(request);
    }
  };
  const listen = async () => {
    while (!abort.signal.aborted) {
      look();
      await waker.wait();
    }
  };
  void listen();
  return {
    close() {
      abort.abort();
      waker.close();
      for (const name of namesIn(results)) {
        const id = /^(.+)\.noticed$/.exec(name)?.[1];
        if (id !== undefined) quietly(() => rmSync(noticedPath(results, id), { force: true }));
      }
      removeIfEmpty(results);
    },
  };
}

function namesIn(results: string): readonly string[] {
  try {
    return readdirSync(requestsDirectory(results));
  } catch {
    // Nobody has asked for anything.
    return [];
  }
}

/** Null when it cannot be read or is not one. */
function readRequest(path: string): StopRequest | null {
  try {
    const value = JSON.parse(readFileSync(path, 'utf8')) as Partial<StopRequest> | null;
    const isRequest =
      value?.v === 1 &&
      typeof value.lease === 'string' &&
      typeof value.by === 'string' &&
      (value.why === null || typeof value.why === 'string') &&
      (value.jobs === 'finish' || value.jobs === 'leave' || value.jobs === 'cancel');
    return isRequest ? (value as StopRequest) : null;
  } catch {
    return null;
  }
}

const removeIfEmpty = (results: string): void => quietly(() => rmdirSync(requestsDirectory(results)));

/** What cannot be made or removed here changes nothing for the campaign. */
function quietly(action: () => void): void {
  try {
    action();
  } catch {
    // Not ours to write, not empty, or gone already.
  }
}
