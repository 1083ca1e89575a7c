// Any command of a fake engine: asks the server at the socket, prints what it answers, and exits as it says.
import { connect } from 'node:net';

const [path, command, ...args] = process.argv.slice(2);
const socket = connect(path);
let answer = '';
socket.on('error', () => {
  process.stderr.write(`${command}: Connection refused\n`);
  process.exit(1);
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
