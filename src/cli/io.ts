// The real streams: standard output and standard error of this process, which may be closed by their reader at any time.
import { fstatSync, writeSync } from 'node:fs';
import type { Io, Stream } from '../report/io.ts';

export type { Io, Stream } from '../report/io.ts';

/** A pipe whose reader left, or a terminal that was closed: nobody is there to be told. */
const READER_GONE = new Set(['EPIPE', 'EIO', 'ECONNRESET', 'ERR_STREAM_DESTROYED', 'ERR_STREAM_WRITE_AFTER_END']);

export interface ProcessIo extends Io {
  /** Resolves when all that was written has left this process. */
  flush(): Promise<void>;
}

export function createIo(): ProcessIo {
  const setExitCode = (code: number) => {
    process.exitCode = code;
  };
  const stderr = openStream(
    2,
    () => process.stderr,
    () => setExitCode(3),
  );
  const stdout = openStream(
    1,
    () => process.stdout,
    (error) => {
      setExitCode(3);
      stderr.write(`caf: the output could not be written: ${error.message}\n`);
    },
  );
  return {
    stdout,
    stderr,
    env: process.env,
    get cwd() {
      return process.cwd();
    },
    setExitCode,
    flush: async () => {
      await Promise.all([stdout.flush(), stderr.flush()]);
    },
  };
}

interface ProcessStream extends Stream {
  flush(): Promise<void>;
}

/** Node's stream is made when it is needed: that takes as long as a tenth of a start, and files and pipes can be written to without it. */
function openStream(fd: number, nodeStream: () => NodeJS.WriteStream, onError: (error: Error) => void): ProcessStream {
  let isClosed = false;
  let isPlain = isNoTerminal(fd);
  let opened: NodeJS.WriteStream | null = null;
  const closeListeners = new Set<() => void>();

  const open = (): NodeJS.WriteStream => {
    if (opened !== null) return opened;
    opened = nodeStream();
    opened.on('error', (error: NodeJS.ErrnoException) => {
      if (isClosed) return;
      isClosed = true;
      for (const listener of [...closeListeners]) listener();
      if (!READER_GONE.has(error.code ?? '')) onError(error);
    });
    return opened;
  };

  return {
    // Node writes synchronously to files, and on POSIX to pipes and terminals: nothing is lost at exit.
    write(text) {
      if (isClosed) return;
      const bytes = typeof text === 'string' ? Buffer.from(text) : text;
      const written = isPlain ? writePlainly(fd, bytes) : 0;
      if (written === bytes.length) return;
      // What it says to the rest, a full pipe or a full disk, is for Node's stream to deal with.
      isPlain = false;
      open().write(bytes.subarray(written));
    },
    get isTTY() {
      return !isPlain && open().isTTY === true;
    },
    // Some pseudo-terminals say 0.
    get columns() {
      return (isPlain ? 0 : open().columns) || 80;
    },
    get rows() {
      return (isPlain ? 0 : open().rows) || 24;
    },
    get isClosed() {
      return isClosed;
    },
    onResize(listener) {
      if (isPlain) return () => undefined;
      const stream = open();
      stream.on('resize', listener);
      return () => void stream.off('resize', listener);
    },
    onClose: (listener) => {
      closeListeners.add(listener);
      return () => void closeListeners.delete(listener);
    },
    flush: () => new Promise((resolve) => (opened === null ? resolve() : opened.write('', () => resolve()))),
  };
}

/** Linux: major 1, minor 3. */
const NULL_DEVICE = 0x103;

function isNoTerminal(fd: number): boolean {
  try {
    const stat = fstatSync(fd);
    return !stat.isCharacterDevice() || stat.rdev === NULL_DEVICE;
  } catch {
    return false; // closed: Node puts something in its place
  }
}

/** Returns how many bytes were taken. */
function writePlainly(fd: number, bytes: Uint8Array): number {
  let written = 0;
  try {
    while (written < bytes.length) written += writeSync(fd, bytes, written);
  } catch {
    // Told by Node's stream, which writes the rest.
  }
  return written;
}
