// Any command of the fake Slurm: asks the server whose socket SLURM_CONF names, prints what it answers, and exits as it says.
import { connect } from 'node:net';

const [command, ...args] = process.argv.slice(2);
const socket = connect(process.env.SLURM_CONF ?? '');
let answer = '';
socket.on('error', () => {
  process.stderr.write(`${command}: error: Unable to contact slurm controller (connect failure)\n`);
  process.exit(command === 'scancel' ? 8 : 1);
});
socket.on('data', (data) => {
  answer += data;
});
socket.on('end', () => {
  const { stdout, stderr, code } = JSON.parse(answer);
  process.stderr.write(stderr);
  process.stdout.write(stdout, () => process.exit(code));
});
socket.write(`${JSON.stringify({ command, args, env: process.env })}\n`);
