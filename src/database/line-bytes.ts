// Lines that end in an interval, `<beginning>e,r,e,r`, as bytes: no string is made for any of a million lines.
import { FOREVER, RUNS_PER_EXPERIMENT } from '../domain/iov.ts';

/** Four numbers of at most 10 digits, three commas and the end of the line. */
const LONGEST_INTERVAL = 44;
const PIECE_BYTES = 1 << 16;

const COMMA = 0x2c;
const MINUS = 0x2d;
const ZERO = 0x30;
const ONE = 0x31;
const NEWLINE = 0x0a;

export interface LineWriter {
  /** Bytes that go before the next line. */
  addBytes(bytes: Uint8Array): void;
  add(beginning: Uint8Array, lo: number, hi: number): void;
  /** The rest; nothing may be added afterwards. */
  finish(): void;
}

/** Of the writer that finished last: making one anew costs as much as 200 lines. */
let spare: Uint8Array | null = null;

/** `take` gets the bytes in pieces, each to be used before it returns. */
export function createLineWriter(take: (piece: Uint8Array) => void): LineWriter {
  const piece = spare ?? new Uint8Array(PIECE_BYTES);
  spare = null;
  let at = 0;

  const makeRoom = (bytes: number): void => {
    if (at + bytes <= PIECE_BYTES) return;
    take(piece.subarray(0, at));
    at = 0;
  };
  const writeNumber = (value: number): void => {
    if (value < 10) {
      piece[at++] = ZERO + value;
      return;
    }
    let digits = 1;
    for (let bound = 10; bound <= value; bound *= 10) digits++;
    let rest = value;
    for (let place = at + digits - 1; place >= at; place--) {
      const tens = Math.floor(rest / 10);
      piece[place] = ZERO + (rest - tens * 10);
      rest = tens;
    }
    at += digits;
  };
  const writeOpen = (): void => {
    piece[at++] = MINUS;
    piece[at++] = ONE;
  };
  const addBytes = (bytes: Uint8Array): void => {
    makeRoom(bytes.length);
    if (bytes.length > PIECE_BYTES) {
      take(bytes);
      return;
    }
    piece.set(bytes, at);
    at += bytes.length;
  };

  return {
    addBytes,
    add(beginning, lo, hi) {
      makeRoom(beginning.length + LONGEST_INTERVAL);
      addBytes(beginning);
      const expLow = Math.floor(lo / RUNS_PER_EXPERIMENT);
      writeNumber(expLow);
      piece[at++] = COMMA;
      writeNumber(lo - expLow * RUNS_PER_EXPERIMENT);
      piece[at++] = COMMA;
      const isForever = hi >= FOREVER;
      const expHigh = Math.floor(hi / RUNS_PER_EXPERIMENT);
      const runHigh = hi - expHigh * RUNS_PER_EXPERIMENT;
      if (isForever) writeOpen();
      else writeNumber(expHigh);
      piece[at++] = COMMA;
      if (isForever || runHigh === RUNS_PER_EXPERIMENT - 1) writeOpen();
      else writeNumber(runHigh);
      piece[at++] = NEWLINE;
    },
    finish() {
      if (at > 0) take(piece.subarray(0, at));
      spare = piece;
    },
  };
}
