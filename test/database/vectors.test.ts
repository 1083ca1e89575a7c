// The index of the agreed cases T01 to T44 (IoV algebra, databases, chains, payloads, versions, files): each has a test that names it in its title.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const root = join(import.meta.dirname, '..');
const CASES = Array.from({ length: 44 }, (_, index) => `T${String(index + 1).padStart(2, '0')}`);

/** Titles of the tests in a file: the first string of it(...), test(...) and it.each(...)(...). */
const titlesIn = (text: string): string[] =>
  Array.from(
    text.matchAll(/(?:\b(?:it|test)(?:\.each\(.*\))?|^ *\](?: as const)?\))\(\s*(['"`])((?:\\.|(?!\1).)*)\1/gm),
    ([, , title = '']) => title,
  );

/** `T03`, and all from `T03 to T08`. */
const casesIn = (title: string): string[] =>
  Array.from(title.matchAll(/\bT(\d\d)(?: to T(\d\d))?\b/g)).flatMap(([, first = '', last = first]) =>
    CASES.slice(Number(first) - 1, Number(last)),
  );

it('every agreed case from the first to the last has a test', () => {
  const index = new Map<string, string[]>(CASES.map((id) => [id, []]));
  for (const file of readdirSync(root, { recursive: true, encoding: 'utf8' })) {
    if (!file.endsWith('.test.ts')) continue;
    for (const title of titlesIn(readFileSync(join(root, file), 'utf8'))) {
      for (const id of casesIn(title)) index.get(id)?.push(`${file}: ${title}`);
    }
  }
  const missing = [...index].filter(([, titles]) => titles.length === 0).map(([id]) => id);
  expect(missing).toEqual([]);
});
