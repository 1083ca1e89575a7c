// Streams that keep what was written, for tests.
import { Buffer } from 'node:buffer';
import type { Io, Stream } from '../../src/cli/io.ts';

export interface TestStream extends Stream {
  readonly text: string;
  resize(columns: number, rows: number): void;
  /** The reader goes away. */
  close(): void;
}

export interface TestIo extends Io {
  readonly stdout: TestStream;
  readonly stderr: TestStream;
  readonly exitCode: number | undefined;
}

export interface TestIoOptions {
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
}

export function createTestIo(options: TestIoOptions = {}): TestIo {
  let exitCode: number | undefined;
  return {
    stdout: createTestStream(options),
    stderr: createTestStream(options),
    env: options.env ?? { LANG: 'C.UTF-8' },
    cwd: options.cwd ?? process.cwd(),
    setExitCode: (code) => {
      exitCode = code;
    },
    get exitCode() {
      return exitCode;
    },
  };
}

function createTestStream({ isTTY = false, columns = 80, rows = 24 }: TestIoOptions): TestStream {
  const chunks: Buffer[] = [];
  const size = { columns, rows };
  let isClosed = false;
  const resizeListeners = new Set<() => void>();
  const closeListeners = new Set<() => void>();
  return {
    write: (text) => {
      if (!isClosed) chunks.push(Buffer.from(text as string));
    },
    isTTY,
    get columns() {
      return size.columns;
    },
    get rows() {
      return size.rows;
    },
    get isClosed() {
      return isClosed;
    },
    onResize: (listener) => {
      resizeListeners.add(listener);
      return () => void resizeListeners.delete(listener);
    },
    onClose: (listener) => {
      closeListeners.add(listener);
      return () => void closeListeners.delete(listener);
    },
    get text() {
      return Buffer.concat(chunks).toString('utf8');
    },
    resize: (newColumns, newRows) => {
      Object.assign(size, { columns: newColumns, rows: newRows });
      for (const listener of [...resizeListeners]) listener();
    },
    close: () => {
      isClosed = true;
      for (const listener of [...closeListeners]) listener();
    },
  };
}
