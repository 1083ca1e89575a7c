// Completion for bash, zsh and fish: a short script each, which asks the hidden `caf __complete` for candidates.
import { Argument, type Command } from 'commander';
import { addExamples } from '../examples.ts';
import type { Io } from '../io.ts';
import { findResults } from '../results.ts';

const SCRIPTS: Readonly<Record<string, string>> = {
  bash: `_caf() {
  local IFS=$'\\n'
  COMPREPLY=($(compgen -W "$(caf __complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _caf caf
`,
  zsh: `#compdef caf
_caf() {
  local -a candidates
  candidates=("\${(@f)$(caf __complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  compadd -a candidates
  _files
}
compdef _caf caf
`,
  fish: `function __caf_complete
  set -l words (commandline -opc) (commandline -ct)
  caf __complete -- $words[2..-1] 2>/dev/null
end
complete -c caf -a '(__caf_complete)'
`,
};

export function registerCompletion(program: Command, io: Io): void {
  const command = program
    .command('completion')
    .summary('completion for bash, zsh or fish')
    .description('Prints a completion script for a shell.')
    .addArgument(new Argument('<shell>').choices(Object.keys(SCRIPTS)))
    .action((shell: string) => io.stdout.write(SCRIPTS[shell] ?? ''));
  addExamples(command, [
    ['source <(caf completion bash)', 'for this shell; put it into ~/.bashrc'],
    ['caf completion fish > ~/.config/fish/completions/caf.fish', 'for every fish'],
  ]);
  program
    .command('__complete', { hidden: true })
    .argument('[words...]')
    .action(async (words: readonly string[]) => {
      const candidates = await completeWords(program, words, io);
      if (candidates.length > 0) io.stdout.write(`${candidates.join('\n')}\n`);
    });
}

/** Commands whose argument or `--only` is the name of a calibration. */
const TAKES_CALIBRATION = ['logs', 'reset'];

/** What may stand in place of the last word. */
async function completeWords(program: Command, words: readonly string[], io: Io): Promise<readonly string[]> {
  const before = words.slice(0, -1);
  const last = words.at(-1) ?? '';
  let command = program;
  for (const word of before) command = command.commands.find((each) => each.name() === word) ?? command;
  const options = command.options.filter((option) => !option.hidden).flatMap((option) => option.long ?? []);
  const previous = command.options.find((option) => option.long === before.at(-1) && option.required);
  const starting = (candidates: readonly string[]) => candidates.filter((candidate) => candidate.startsWith(last));
  if (previous?.argChoices !== undefined) return starting(previous.argChoices);
  if (previous?.long === '--only') return starting(await calibrationNames(io));
  if (previous?.long === '--backend') return starting(await backendNames(command.name()));
  if (previous !== undefined) return [];
  if (last.startsWith('-')) return starting([...options, '--help']);
  const names = command.commands.map((each) => each.name()).filter((name) => !name.startsWith('__'));
  const choices = command.registeredArguments.flatMap((argument) => argument.argChoices ?? []);
  const calibrations = TAKES_CALIBRATION.includes(command.name()) ? await calibrationNames(io) : [];
  return starting([...names, ...choices, ...calibrations]);
}

/** A campaign is submitted to an engine; its jobs may also run here. */
async function backendNames(command: string): Promise<readonly string[]> {
  const { BACKENDS } = await import('../../config/check/check-backend.ts');
  return command === 'submit' ? BACKENDS.filter((kind) => kind !== 'local') : BACKENDS;
}

async function calibrationNames(io: Io): Promise<readonly string[]> {
  try {
    const { readStatus } = await import('../../report/status-model.ts');
    return readStatus(await findResults(undefined, io)).calibrations.map((calibration) => calibration.name);
  } catch {
    // A shell that waits for candidates must not be told about anything else.
    return [];
  }
}
