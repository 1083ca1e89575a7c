// A small terminal: applies the escapes that the live report uses, so that tests see the screen and not the bytes.

/** The lines a terminal of this width shows after these bytes, scroll-back included, and whether the cursor is visible. */
export function showOnTerminal(text: string, columns: number): { readonly lines: readonly string[]; readonly isCursorVisible: boolean } {
  const lines: string[] = [''];
  let row = 0;
  let column = 0;
  let isCursorVisible = true;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: escapes are what it reads
  for (const [token] of text.matchAll(/\u001b\[[?\d;]*[A-Za-z]|[\s\S]/gu)) {
    if (token === '\n') {
      row += 1;
      column = 0;
    } else if (token === '\r') column = 0;
    else if (token.startsWith('\u001b[')) {
      const code = token.at(-1);
      const n = Number(token.slice(2, -1));
      if (code === 'A') row = Math.max(row - n, 0);
      if (code === 'J') {
        lines.length = row + 1;
        lines[row] = (lines[row] ?? '').slice(0, column);
      }
      if (token === '\u001b[?25l') isCursorVisible = false;
      if (token === '\u001b[?25h') isCursorVisible = true;
    } else {
      if (column === columns) {
        row += 1;
        column = 0;
      }
      lines[row] = (lines[row] ?? '').padEnd(column).slice(0, column) + token + (lines[row] ?? '').slice(column + 1);
      column += 1;
    }
    while (lines.length <= row) lines.push('');
  }
  return { lines, isCursorVisible };
}
