// Node's threads for the file system: as many as let fsyncs of one moment share a flush of the disk.
import { access } from 'node:fs';

const THREADS = '16';

/**
 * libuv has four unless told otherwise, and asks its environment at the first use of the pool, which this is; later calls change nothing.
 * A size that the user has chosen stays. Programs that caf starts do not see ours.
 */
export function widenThreadPool(): void {
  if (process.env.UV_THREADPOOL_SIZE !== undefined) return;
  process.env.UV_THREADPOOL_SIZE = THREADS;
  access('/', () => undefined);
  delete process.env.UV_THREADPOOL_SIZE;
}
