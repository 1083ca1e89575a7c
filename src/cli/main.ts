// Starts the command line: the version at once, everything else after loading what it needs. Sets process.exitCode, never exits: bin/caf.js does.
import { useCompileCache } from '../host/compile-cache.ts';
import { createIo, type Io } from './io.ts';
import { VERSION } from './version.ts';

/** What bin/caf.js calls. Resolves when all is done and written. */
export async function start(argv: readonly string[]): Promise<void> {
  const io = createIo();
  const onStranded = () => void tellStranded(argv, io);
  process.once('beforeExit', onStranded);
  await main(argv, io);
  process.off('beforeExit', onStranded);
  await io.flush();
}

/** Node ends a process that waits for nothing that could still come, with 0: nobody must take that for success. */
async function tellStranded(argv: readonly string[], io: ReturnType<typeof createIo>): Promise<void> {
  const { reportFailure } = await import('./program.ts');
  reportFailure(new Error('it waits for something that can never come, and has ended before its work was done'), argv, io);
  await io.flush();
}

export async function main(argv: readonly string[], streams: Io): Promise<void> {
  if (argv.length === 1 && (argv[0] === '--version' || argv[0] === '-V')) {
    streams.stdout.write(`${VERSION}\n`);
    return;
  }
  useCompileCache(streams.env);
  const io = argv.includes('--no-color') ? withoutColour(streams) : streams;
  const { buildProgram, reportFailure } = await import('./program.ts');
  const program = buildProgram(io, argv[0]);
  try {
    await program.parseAsync(argv.length === 0 ? ['--help'] : [...argv], { from: 'user' });
  } catch (error) {
    reportFailure(error, argv, io, program);
  }
}

function withoutColour(io: Io): Io {
  const { FORCE_COLOR: _, ...env } = io.env;
  return { ...io, cwd: io.cwd, env: { ...env, NO_COLOR: '1' } };
}
