// Checks further options for the command of an engine: those that caf gives itself would, said twice, break an array, its output or its end.
import { show } from './problems.ts';
import { type Reader, readList } from './readers.ts';

type Own = ReadonlyMap<string, string>;

const ownOptions = (why: string, words: string): readonly (readonly [string, string])[] => words.split(' ').map((word) => [word, why]);

const CAF = 'caf sets it';
const RESOURCES = 'caf sets it from the resources of its jobs';

const SBATCH: Own = new Map([
  ...ownOptions(
    CAF,
    '--array -a --job-name -J --output -o --error -e --input -i --open-mode --chdir -D --parsable --export --export-file --requeue --no-requeue --nodes -N --ntasks -n --wrap --wait -W --test-only --quiet -Q --hold -H --get-user-env --clusters -M',
  ),
  ...ownOptions(RESOURCES, '--cpus-per-task -c --mem --mem-per-cpu --mem-per-gpu --time -t --time-min'),
]);
const QSUB_OF_GRID_ENGINE: Own = new Map(ownOptions(CAF, '-N -t -tc -r -wd -cwd -o -e -j -b -shell -terse -sync -now -h -V -@ -C'));
const QSUB_OF_PBS: Own = new Map(ownOptions(CAF, '-N -J -t -r -v -V -o -e -j -k -C -I -X -h -S -z'));
const BSUB: Own = new Map(ownOptions(CAF, '-J -r -rn -cwd -o -oo -e -eo -I -Ip -Is -K -H -Q -pack'));

/** `--array=1-3`, `--array`, `-a1-3`: a value may be part of the word. */
const sbatchOption = (word: string): string => (word.startsWith('--') ? (word.split('=')[0] ?? word) : word.slice(0, 2));

const asItIs = (word: string): string => word;

/** `isWord`: whether it is a word at all, as `what` says. `nameOf`: the option that a word gives, where that is part of it. */
const readDirective =
  (own: Own, what: string, isWord: RegExp, nameOf: (word: string) => string): Reader<string> =>
  (value, place, problems) => {
    if (typeof value !== 'string' || !isWord.test(value)) {
      problems.expected(place, what, value);
      return undefined;
    }
    const why = own.get(nameOf(value));
    if (why === undefined) return value;
    problems.report(place, `${show(value)} cannot be set here: ${why}`);
    return undefined;
  };

const WORD = /^[^\n\0]+$/;
const SBATCH_OPTION = "an option of sbatch such as '--licenses=root:1'";
export const readSbatchOptions = readList(
  'an array of options of sbatch',
  readDirective(SBATCH, SBATCH_OPTION, /^-[^\n\0]+$/, sbatchOption),
);
const readWords = (command: string, own: Own) =>
  readList(`an array of words of ${command}`, readDirective(own, `a word of ${command}`, WORD, asItIs));
export const readGridEngineOptions = readWords('qsub', QSUB_OF_GRID_ENGINE);
export const readPbsOptions = readWords('qsub', QSUB_OF_PBS);
export const readLsfOptions = readWords('bsub', BSUB);
