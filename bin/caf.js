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
    const ended = require('node:child_process').spawnSync(bundled, process.argv.slice(1), { stdio: 'inherit' });
    process.exitCode = ended.status ?? 3;
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
