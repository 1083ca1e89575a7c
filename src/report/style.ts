// How words look: colours and symbols. Colour only adds; symbols and words carry the meaning.
import { styleText } from 'node:util';
import type { Io, Stream } from './io.ts';

export type Mark = 'done' | 'running' | 'waiting' | 'failed' | 'again' | 'warning';
export type Paint = 'green' | 'red' | 'yellow' | 'cyan' | 'dim' | 'bold';

export interface Style {
  readonly colour: boolean;
  readonly unicode: boolean;
  mark(mark: Mark): string;
  paint(paint: Paint, text: string): string;
  /** … or .. */
  readonly ellipsis: string;
  readonly rule: string;
  /** The line before quoted output. */
  readonly bar: string;
  readonly arrow: string;
}

const UNICODE: Readonly<Record<Mark, string>> = { done: '✔', running: '●', waiting: '○', failed: '✖', again: '↻', warning: '▲' };
/** All two wide, so that columns stay. */
const ASCII: Readonly<Record<Mark, string>> = { done: 'ok', running: '..', waiting: '--', failed: '!!', again: '~ ', warning: '? ' };
const COLOURS: Readonly<Record<Mark, Paint>> = {
  done: 'green',
  running: 'cyan',
  waiting: 'dim',
  failed: 'red',
  again: 'yellow',
  warning: 'yellow',
};

export function createStyle({ colour, unicode }: { readonly colour: boolean; readonly unicode: boolean }): Style {
  const paint = (name: Paint, text: string) => (colour ? styleText(name, text, { validateStream: false }) : text);
  return {
    colour,
    unicode,
    paint,
    mark: (mark) => paint(COLOURS[mark], (unicode ? UNICODE : ASCII)[mark]),
    ellipsis: unicode ? '…' : '..',
    rule: unicode ? '─' : '-',
    bar: unicode ? '│' : '|',
    arrow: unicode ? '→' : '->',
  };
}

/** The style for one stream. FORCE_COLOR wins over NO_COLOR, both over what the stream is; `--no-color` sets NO_COLOR alone. */
export const styleFor = (stream: Stream, env: Io['env']): Style => createStyle({ colour: wantsColour(stream, env), unicode: isUtf8(env) });

function wantsColour(stream: Stream, env: Io['env']): boolean {
  if (env.FORCE_COLOR !== undefined) return !['0', 'false'].includes(env.FORCE_COLOR);
  if (env.NO_COLOR !== undefined && env.NO_COLOR !== '') return false;
  return stream.isTTY && env.TERM !== 'dumb';
}

/** The locale of characters, as POSIX finds it. None set means the C locale, which has ASCII only. */
const isUtf8 = (env: Io['env']): boolean => /utf-?8/i.test(env.LC_ALL || env.LC_CTYPE || env.LANG || '');

/** Whether a live screen can be drawn there. */
export const isLive = (stream: Stream, env: Io['env']): boolean =>
  stream.isTTY && env.TERM !== 'dumb' && (env.CI === undefined || env.CI === '' || env.CI === 'false');
