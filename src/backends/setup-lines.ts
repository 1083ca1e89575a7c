// Lines of shell that a site needs before a program starts: sourced by sh, which then becomes the program.

/** The argument vector that runs `argv` after `setup`. Arguments are passed as parameters: they are never parsed by the shell. */
export const withSetup = (argv: readonly string[], setup: readonly string[]): readonly string[] =>
  setup.length === 0 ? argv : ['/bin/sh', '-c', ['set -e', ...setup, 'exec "$@"'].join('\n'), 'caf-setup', ...argv];
