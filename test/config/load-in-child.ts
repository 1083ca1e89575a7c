// Started by load-config.test.ts: loads each config named on the command line and prints one JSON line about each.
import { relative } from 'node:path';
import { loadConfig } from '../../src/config/load-config.ts';
import { CafError } from '../../src/domain/errors.ts';

const cwd = process.cwd();
for (const path of process.argv.slice(2)) {
  try {
    const { raw, modules } = await loadConfig(path);
    console.log(JSON.stringify({ names: Object.keys(raw as object), modules: modules.map((each) => relative(cwd, each)) }));
  } catch (error) {
    if (!(error instanceof CafError)) throw error;
    const { code, message, hint, at } = error;
    console.log(JSON.stringify({ code, message, hint, at }).replaceAll(`${cwd}/`, ''));
  }
}
