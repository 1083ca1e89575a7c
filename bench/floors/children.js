// The floor of iterations: Node children that load the config and end, one after the other. argv: config, count. Prints their milliseconds.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const [config, count] = process.argv.slice(2);
const began = performance.now();
for (let child = 0; child < Number(count); child += 1) {
  const { status } = spawnSync(process.execPath, ['--import', config, fileURLToPath(new URL('./empty.js', import.meta.url))], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  if (status !== 0) throw new Error(`the child ended with ${status}`);
}
process.stdout.write(`${performance.now() - began}\n`);
