#!/usr/bin/env node
// Checks the Node version before anything native is loaded, then starts the bundle.

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major > 22 || (major === 22 && minor >= 18)) {
  // A timer or server that the user's config left open must not keep caf alive: all is written down by then.
  require('../dist/cli.cjs')
    .start(process.argv.slice(2))
    .then(() => process.exit());
} else {
  const bundled = bundledNode();
  if (bundled === null) {
    process.stderr.write(
      `✖ caf needs Node 22.18 or newer; this is ${process.versions.node} (${process.execPath})  CAF_NODE_VERSION\n  hint: module load nodejs/24   or   npx -p node@24 -p calibration-framework caf ${process.argv.slice(2).join(' ')}\n`,
    );
    process.exitCode = 2;
  } else {
    startWith(bundled);
  }
}

/** The same command in another Node, which gets the signals that are meant for it and whose exit code becomes that of this process. */
function startWith(node) {
  const { constants } = require('node:os');
  const caf = require('node:child_process').spawn(node, process.argv.slice(1), { stdio: 'inherit' });
  // What a terminal sends (Ctrl-C, that it was closed) reaches both processes; passed on as well it would count as a second wish, which ends running jobs.
  const ofTerminal = hasTerminal() ? ['SIGINT', 'SIGHUP'] : [];
  for (const signal of ['SIGINT', 'SIGHUP', 'SIGTERM']) process.on(signal, () => ofTerminal.includes(signal) || caf.kill(signal));
  caf.on('error', (error) => {
    process.stderr.write(`✖ ${node} cannot be started: ${error.message}  CAF_NODE_VERSION\n`);
    process.exitCode = 3;
  });
  caf.on('exit', (code, signal) => {
    process.exitCode = code ?? 128 + constants.signals[signal];
  });
}

/** Also where all output goes elsewhere. */
function hasTerminal() {
  const { closeSync, openSync } = require('node:fs');
  try {
    closeSync(openSync('/dev/tty', 'r'));
    return true;
  } catch {
    return false;
  }
}

/** The Node that the development dependency `node` carries, when it is installed. */
function bundledNode() {
  try {
    return require('node:path').join(require.resolve('node/package.json'), '..', 'bin', 'node');
  } catch {
    return null;
  }
}
