// The floor of program jobs: bare spawns of `true`, so many, so many at a time. argv: count, slots.
import { spawn } from 'node:child_process';

const [count, slots] = process.argv.slice(2).map(Number);
let started = 0;

function next() {
  if (started === count) return;
  started += 1;
  spawn('true', [], { stdio: 'ignore' }).once('exit', next);
}

for (let slot = 0; slot < slots; slot += 1) next();
