// Reads the usual line of a database.txt, `dbstore/name revision e,r,e,r`, a million times: by character, without cutting it into pieces. Pure.
import { type Iov, iovOrNull } from '../domain/iov.ts';
import { isPayloadName } from '../payloads/name.ts';

export interface UsualLine {
  readonly name: string;
  readonly revision: string;
  readonly iov: Iov;
  /** Where the next line begins. */
  readonly end: number;
}

const PREFIX = 'dbstore/';
const SPACE = 0x20;
const COMMA = 0x2c;
const MINUS = 0x2d;
const NEWLINE = 0x0a;
const REVISION = /^[A-Za-z0-9]{1,64}$/;

/** Prefix, name and revision; beyond that there is another line. */
const LONGEST = 300;

/**
 * A reader for one text, asked from its beginning to its end. It gives null for every line that is anything else, good or bad; what it gives is
 * overwritten by the next call.
 */
export function createUsualLineReader(text: string): (at: number) => UsualLine | null {
  const line: { -readonly [Key in keyof UsualLine]: UsualLine[Key] } = { name: '', revision: '', iov: [0, 0, 0, 0], end: 0 };
  const names = createWords(isPayloadName);
  const revisions = createWords((word) => REVISION.test(word));
  let cursor = 0;

  /** The digits at the cursor and the character after them; -2 when it is not so. */
  const wholeNumber = (after: number): number => {
    let value = 0;
    const begin = cursor;
    for (; cursor - begin < 12; cursor++) {
      const digit = text.charCodeAt(cursor) - 0x30;
      if (!(digit >= 0 && digit <= 9)) break;
      value = value * 10 + digit;
    }
    return cursor > begin && text.charCodeAt(cursor++) === after ? value : -2;
  };
  /** As wholeNumber, or -1. */
  const orOpen = (after: number): number => {
    if (text.charCodeAt(cursor) !== MINUS) return wholeNumber(after);
    cursor += 1;
    return wholeNumber(after) === 1 ? -1 : -2;
  };

  /** The first space at or behind the beginning of a line. Remembered: a text with tabs has none, which is not found out anew for each line. */
  let space = -1;
  const spaceFrom = (at: number): number => {
    if (space < at) {
      const found = text.indexOf(' ', at);
      space = found === -1 ? Number.POSITIVE_INFINITY : found;
    }
    return space;
  };

  return (at) => {
    if (!text.startsWith(PREFIX, at)) return null;
    const nameEnd = spaceFrom(at);
    if (nameEnd - at > LONGEST) return null;
    const revisionEnd = text.indexOf(' ', nameEnd + 1);
    if (revisionEnd === -1 || revisionEnd - at > LONGEST) return null;
    const name = names(text.slice(at + PREFIX.length, nameEnd));
    const revision = revisions(text.slice(nameEnd + 1, revisionEnd));
    if (name === null || revision === null || text.charCodeAt(revisionEnd) !== SPACE) return null;
    cursor = revisionEnd + 1;
    const iov = iovOrNull(wholeNumber(COMMA), wholeNumber(COMMA), orOpen(COMMA), orOpen(NEWLINE));
    if (iov === null) return null;
    line.name = name;
    line.revision = revision;
    line.iov = iov;
    line.end = cursor;
    return line;
  };
}

/** One string for equal words (a piece of a text keeps the whole text in memory), checked once; null for those that are not good. */
function createWords(isGood: (word: string) => boolean): (word: string) => string | null {
  const words = new Map<string, string | null>();
  return (word) => {
    const known = words.get(word);
    if (known !== undefined) return known;
    const own = isGood(word) ? Buffer.from(word, 'latin1').toString('latin1') : null;
    words.set(own ?? word, own);
    return own;
  };
}
