// Text for terminals: widths, cuts, durations, sizes, and nothing that could steer the terminal.

// biome-ignore lint/suspicious/noControlCharactersInRegex: finding them is the purpose
const ESCAPES = /\u001b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\u0007\u001b]*(?:\u0007|\u001b\\)?|[ -/]*[0-~])/g;
// biome-ignore lint/suspicious/noControlCharactersInRegex: finding them is the purpose
const CONTROLS = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/g;
const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/u;
const ZERO = /[\p{M}\u200b-\u200d]/u;

/** Removes escape sequences and control characters, all but tab and newline; what programs print must not steer a terminal. */
export const stripControls = (text: string): string => text.replace(ESCAPES, '').replace(CONTROLS, '');

/** One line without control characters, tabs or newlines. */
export const oneLine = (text: string): string => stripControls(text).replace(/\s+/g, ' ').trim();

/** Columns a text takes on a terminal; colours take none. */
export function displayWidth(text: string): number {
  const plain = text.includes('\u001b') ? text.replace(ESCAPES, '') : text;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the range of ASCII
  if (/^[\u0000-\u007f]*$/.test(plain)) return plain.length;
  let width = 0;
  for (const character of plain) width += ZERO.test(character) ? 0 : WIDE.test(character) ? 2 : 1;
  return width;
}

/** Cuts an uncoloured text at its end. */
export function cutEnd(text: string, width: number, ellipsis = '…'): string {
  if (displayWidth(text) <= width) return text;
  if (width <= displayWidth(ellipsis)) return takeWidth([...text], width);
  return takeWidth([...text], width - displayWidth(ellipsis)) + ellipsis;
}

/** Cuts an uncoloured text in the middle: names differ at both ends. */
export function cutMiddle(text: string, width: number, ellipsis = '…'): string {
  if (displayWidth(text) <= width) return text;
  const room = width - displayWidth(ellipsis);
  if (room < 2) return takeWidth([...text], Math.max(width, 0));
  const end = takeWidth([...text].reverse(), Math.floor(room / 2));
  return takeWidth([...text], room - displayWidth(end)) + ellipsis + [...end].reverse().join('');
}

function takeWidth(characters: readonly string[], width: number): string {
  let taken = '';
  let used = 0;
  for (const character of characters) {
    used += displayWidth(character);
    if (used > width) break;
    taken += character;
  }
  return taken;
}

export const padEnd = (text: string, width: number): string => text + ' '.repeat(Math.max(width - displayWidth(text), 0));
export const padStart = (text: string, width: number): string => ' '.repeat(Math.max(width - displayWidth(text), 0)) + text;

/** `left` and `right` on one line of `columns` with at least two spaces between; null when they do not fit. */
export function spread(left: string, right: string, columns: number): string | null {
  const space = columns - displayWidth(left) - displayWidth(right);
  return space < 2 ? null : left + ' '.repeat(space) + right;
}

/** Breaks an uncoloured text at spaces; a word longer than a line keeps its line to itself, so that paths can be copied. */
export function wrapText(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const paragraph of text.split('\n')) {
    let line = '';
    for (const word of paragraph.split(' ')) {
      if (line !== '' && displayWidth(line) + 1 + displayWidth(word) > width) {
        lines.push(line.trimEnd());
        line = word;
      } else line = line === '' ? word : `${line} ${word}`;
    }
    lines.push(line);
  }
  return lines;
}

/** 0.2s, 41s, 6m 40s, 1h 02m, 3d 04h. Never negative: clocks jump. */
export function durationText(seconds: number): string {
  const s = Math.max(seconds, 0);
  if (s < 9.95) return `${s.toFixed(1)}s`;
  const whole = Math.round(s);
  if (whole < 60) return `${whole}s`;
  const two = (value: number) => String(value).padStart(2, '0');
  if (whole < 3600) return `${Math.floor(whole / 60)}m ${two(whole % 60)}s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 1440) return `${Math.floor(minutes / 60)}h ${two(minutes % 60)}m`;
  return `${Math.floor(minutes / 1440)}d ${two(Math.floor((minutes % 1440) / 60))}h`;
}

/** 1 job, 2 jobs */
export const count = (n: number, singular: string, plural = `${singular}s`): string => `${n} ${n === 1 ? singular : plural}`;

/** Lines of a table with two or more spaces between columns, headers first; the last column is not padded. */
export function drawTable(header: readonly string[], rows: readonly (readonly string[])[], gap = 3): string[] {
  const all = header.length === 0 ? rows : [header, ...rows];
  const widths: number[] = [];
  for (const row of all) for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, displayWidth(cell));
  return all.map((row) =>
    row
      .map((cell, i) => (i === row.length - 1 ? cell : padEnd(cell, (widths[i] ?? 0) + gap)))
      .join('')
      .trimEnd(),
  );
}
