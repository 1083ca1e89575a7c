// The real streams: standard output and standard error of this process, which may be closed by their reader at any time.
import type { Io, Stream } from '../report/io.ts';

export type { Io, Stream } from '../report/io.ts';

/** A pipe whose reader left, or a terminal that was closed: nobody is there to be told. */
const READER_GONE = new Set(['EPIPE', 'EIO', 'ECONNRESET', 'ERR_STREAM_DESTROYED', 'ERR_STREAM_WRITE_AFTER_END']);

export function createIo(): Io {
  const setExitCode = (code: number) => {
    process.exitCode = code;
  };
  const stderr = wrapStream(process.stderr, () => setExitCode(3));
  const stdout = wrapStream(process.stdout, (error) => {
    setExitCode(3);
    stderr.write(`caf: the output could not be written: ${error.message}\n`);
  });
  return {
    stdout,
    stderr,
    env: process.env,
    get cwd() {
      return process.cwd();
    },
    setExitCode,
  };
}

function wrapStream(stream: NodeJS.WriteStream, onError: (error: Error) => void): Stream {
  let isClosed = false;
  const closeListeners = new Set<() => void>();
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (isClosed) return;
    isClosed = true;
    for (const listener of [...closeListeners]) listener();
    if (!READER_GONE.has(error.code ?? '')) onError(error);
  });
  return {
    // Node writes synchronously to files, and on POSIX to pipes and terminals: nothing is lost at exit.
    write: (text) => {
      if (!isClosed) stream.write(text);
    },
    isTTY: stream.isTTY === true,
    // Some pseudo-terminals say 0.
    get columns() {
      return stream.columns || 80;
    },
    get rows() {
      return stream.rows || 24;
    },
    get isClosed() {
      return isClosed;
    },
    onResize: (listener) => {
      stream.on('resize', listener);
      return () => void stream.off('resize', listener);
    },
    onClose: (listener) => {
      closeListeners.add(listener);
      return () => void closeListeners.delete(listener);
    },
  };
}
