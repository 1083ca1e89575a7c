// Text for terminals.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { cutEnd, cutMiddle, displayWidth, durationText, oneLine, spread, stripControls, wrapText } from '../../src/report/text.ts';

test.each([
  [-5, '0.0s'],
  [0.04, '0.0s'],
  [9.94, '9.9s'],
  [9.96, '10s'],
  [59.4, '59s'],
  [59.6, '1m 00s'],
  [400, '6m 40s'],
  [3599.6, '1h 00m'],
  [3720, '1h 02m'],
  [86_400, '1d 00h'],
  [1e6, '11d 13h'],
])('%d seconds are %s', (seconds, text) => {
  expect(durationText(seconds)).toBe(text);
});

test('names are cut in the middle', () => {
  expect(cutMiddle('svd-pixel-noise', 9)).toBe('svd-…oise');
  expect(cutMiddle('svd', 9)).toBe('svd');
  expect(cutMiddle('svd-pixel-noise', 2)).toBe('sv');
});

test('a cut text is never wider than asked, whatever it is made of', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }).map(oneLine), fc.integer({ min: 0, max: 30 }), (text, width) => {
      expect(displayWidth(cutMiddle(text, width))).toBeLessThanOrEqual(width);
      expect(displayWidth(cutEnd(text, width))).toBeLessThanOrEqual(width);
    }),
  );
});

test('nothing that steers a terminal survives', () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.constantFrom('\u001b[2J', '\u001b]0;t\u0007', '\u009b', '\r', '\b', '\u202e', '\u001bc', 'a', ' ', '\n', '\u001b', '[', ']'),
      ),
      (parts) => {
        // biome-ignore lint/suspicious/noControlCharactersInRegex: that none is left is the point
        expect(stripControls(parts.join(''))).not.toMatch(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202e]/);
      },
    ),
  );
});

test('wide characters take two columns, combining ones none, colours none', () => {
  expect(displayWidth('日本')).toBe(4);
  expect(displayWidth('e\u0301')).toBe(1);
  expect(displayWidth('\u001b[31mred\u001b[39m')).toBe(3);
});

test('two texts share a line only with space between', () => {
  expect(spread('a', 'b', 10)).toBe('a        b');
  expect(spread('aaaa', 'bbbb', 9)).toBeNull();
});

test('a word longer than a line stays whole, so that paths can be copied', () => {
  expect(wrapText('see /a/very/long/path/indeed now', 10)).toEqual(['see', '/a/very/long/path/indeed', 'now']);
});

test('a line that is broken at two spaces does not end with one of them', () => {
  expect(wrapText("there is no option 'splti'  (a.ts:6)", 27)).toEqual(["there is no option 'splti'", '(a.ts:6)']);
});
