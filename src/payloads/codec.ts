// Values to canonical bytes and back: the same value gives the same bytes everywhere, so that equal constants are recognised as equal.
import { CafError } from '../domain/errors.ts';

/** Deeper values are refused in both directions: readers of other languages recurse. */
export const MAX_DEPTH = 200;

const IDENTIFIER = /^[A-Za-z_$][A-Za-z0-9_$]*$/;
const FINITE_HINT =
  'Leave the value out, or say `null` where the schema allows it; a constant that could not be determined must not look like one.';

/**
 * JSON with sorted keys, no white space and one form per number (RFC 8785; -0 becomes 0), as UTF-8.
 * Refuses what JSON cannot hold with CAF_PAYLOAD_INVALID, naming the place inside the value: `mean[3].x`.
 */
export function encodePayload(value: unknown): Buffer {
  return Buffer.from(canonicalJson(value), 'utf8');
}

/** The text of encodePayload. */
export function canonicalJson(value: unknown): string {
  try {
    return write(value, [], new Set());
  } catch (error) {
    if (error instanceof RangeError) {
      throw new CafError('CAF_PAYLOAD_INVALID', 'The value is too large for JSON text (about 500 MB)', {
        hint: 'Write it to a file and commit the file.',
        cause: error,
      });
    }
    throw error;
  }
}

type Path = (string | number)[];

function write(value: unknown, path: Path, ancestors: Set<object>): string {
  switch (typeof value) {
    case 'number':
      if (!Number.isFinite(value)) throw refuse(path, `is ${value}, not a finite number`, FINITE_HINT);
      return value === 0 ? '0' : String(value);
    case 'string':
      return JSON.stringify(value);
    case 'boolean':
      return value ? 'true' : 'false';
    case 'undefined':
      throw refuse(path, 'is undefined', 'Leave the key out, or give it a value.');
    case 'bigint':
      throw refuse(path, `is the BigInt ${value}n`, 'Use a number, or a string for integers beyond 2^53.');
    case 'function':
    case 'symbol':
      throw refuse(path, `is a ${typeof value}`, 'A payload holds only numbers, text, booleans, null, arrays and plain objects.');
    case 'object':
      return value === null ? 'null' : writeObject(value, path, ancestors);
  }
}

function writeObject(value: object, path: Path, ancestors: Set<object>): string {
  if (path.length >= MAX_DEPTH) throw refuse(path, `is nested more than ${MAX_DEPTH} deep`, 'Use a flatter shape, or commit a file.');
  if (ancestors.has(value)) throw refuse(path, 'contains itself', 'Break the circle: refer to the other part by name or number.');
  ancestors.add(value);
  const text = Array.isArray(value) ? writeArray(value, path, ancestors) : writeRecord(value, path, ancestors);
  ancestors.delete(value);
  return text;
}

function writeArray(value: readonly unknown[], path: Path, ancestors: Set<object>): string {
  const parts = new Array<string>(value.length);
  for (let index = 0; index < value.length; index++) {
    path.push(index);
    parts[index] = write(value[index], path, ancestors);
    path.pop();
  }
  return `[${parts.join(',')}]`;
}

function writeRecord(value: object, path: Path, ancestors: Set<object>): string {
  const prototype: object | null = Object.getPrototypeOf(value);
  // A prototype without one of its own is Object.prototype, be it of another realm.
  if (prototype !== null && Object.getPrototypeOf(prototype) !== null) {
    const hint = ArrayBuffer.isView(value) ? 'Use Array.from(values).' : 'Convert it to numbers, text, arrays or plain objects.';
    throw refuse(path, `is ${describeClass(value)}, not a plain object`, hint);
  }
  if (Object.getOwnPropertySymbols(value).length > 0) throw refuse(path, 'has a symbol as a key', 'Use text as keys.');
  const record = value as Record<string, unknown>;
  // The default sort compares UTF-16 code units, as RFC 8785 asks.
  const parts = Object.keys(record)
    .sort()
    .map((name) => {
      path.push(name);
      const part = `${JSON.stringify(name)}:${write(record[name], path, ancestors)}`;
      path.pop();
      return part;
    });
  return `{${parts.join(',')}}`;
}

function describeClass(value: object): string {
  const name = (value as { constructor?: { name?: unknown } }).constructor?.name;
  return typeof name === 'string' && name !== '' ? `a ${name}` : 'an instance of a class';
}

function refuse(path: Path, problem: string, hint: string): CafError {
  const where = pathText(path);
  return new CafError('CAF_PAYLOAD_INVALID', `${where} ${problem}`, { hint, problems: [{ path: where, message: problem }] });
}

/** `mean[3].x`; `value` for the whole. */
function pathText(path: Path): string {
  let text = '';
  for (const part of path.slice(0, 20)) {
    if (typeof part === 'number') text += `[${part}]`;
    else if (IDENTIFIER.test(part)) text += text === '' ? part : `.${part}`;
    else text += `[${JSON.stringify(part)}]`;
  }
  return text === '' ? 'value' : path.length > 20 ? `${text}...` : text;
}

/** The value of JSON bytes, canonical or not. CAF_PAYLOAD_INVALID when they are no JSON in UTF-8, or too deep. */
export function decodePayload(bytes: Uint8Array): unknown {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    throw new CafError('CAF_PAYLOAD_INVALID', 'The bytes are not UTF-8 text', { hint: 'Read it as a file payload.', cause: error });
  }
  if (depthOf(text) > MAX_DEPTH) {
    throw new CafError('CAF_PAYLOAD_INVALID', `The value is nested more than ${MAX_DEPTH} deep`, { hint: 'Read it as a file payload.' });
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new CafError('CAF_PAYLOAD_INVALID', `The bytes are not JSON: ${reason}`, { hint: 'Read it as a file payload.', cause: error });
  }
}

/** Whether the bytes are what encodePayload would write for the value they hold. */
export function isCanonical(bytes: Uint8Array): boolean {
  try {
    return encodePayload(decodePayload(bytes)).equals(bytes);
  } catch (error) {
    if (error instanceof CafError) return false;
    throw error;
  }
}

/** Deepest nesting of brackets outside strings. */
function depthOf(text: string): number {
  let depth = 0;
  let deepest = 0;
  for (let index = 0; index < text.length; index++) {
    switch (text.charCodeAt(index)) {
      case 0x22: // a string: go to its closing quote
        for (index += 1; index < text.length && text.charCodeAt(index) !== 0x22; index++) if (text.charCodeAt(index) === 0x5c) index += 1;
        break;
      case 0x5b:
      case 0x7b:
        depth += 1;
        if (depth > deepest) deepest = depth;
        break;
      case 0x5d:
      case 0x7d:
        depth -= 1;
        break;
    }
  }
  return deepest;
}
