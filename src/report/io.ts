// Where words go: the two streams, and everything about the surroundings that decides how they look.

export interface Stream {
  write(text: string | Uint8Array): void;
  readonly isTTY: boolean;
  /** Width and height in characters; 80 and 24 when it is not a terminal. */
  readonly columns: number;
  readonly rows: number;
  /** True once the reader has gone (`caf logs | head`): what is written from then on is dropped. */
  readonly isClosed: boolean;
  /** Both return how to stop listening. */
  onResize(listener: () => void): () => void;
  onClose(listener: () => void): () => void;
}

export interface Io {
  /** The answer. */
  readonly stdout: Stream;
  /** The conversation. */
  readonly stderr: Stream;
  readonly env: NodeJS.ProcessEnv;
  readonly cwd: string;
  setExitCode(code: number): void;
}
