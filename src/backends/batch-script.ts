// What an array job is made of: one shell script for all its tasks, a file with what each task runs, and the note a task leaves of its end.
import { ENDED_FILE, JOB_FILE, STARTED_FILE, STDERR_FILE, STDOUT_FILE } from '../worker/contract.ts';

/** A task that finds that it was started before exits with this status, and has done nothing. */
export const STARTED_TWICE = 85;
/** A task that cannot write in its directory exits with this one: the directory is read-only on its node, or full. */
export const CANNOT_WRITE = 86;

/** One task: an attempt and what it runs. */
export interface TaskText {
  readonly directory: string;
  readonly token: string;
  /** Which of the script's environments it has. */
  readonly environment: number;
  readonly ownEnv: Readonly<Record<string, string>>;
  readonly argv: readonly string[];
}

export interface ScriptParts {
  readonly header: readonly string[];
  /** Absolute directory of the array. */
  readonly array: string;
  /** Expression of shell for the task's number. */
  readonly taskNumber: string;
  /** Names, or prefixes and `*`, of variables that tasks get from the engine. */
  readonly passes: readonly string[];
  readonly environments: readonly Readonly<Record<string, string>>[];
  readonly passesSignalsOn: boolean;
  /** Absolute directory on the nodes in which each task gets a directory of its own; null = none. */
  readonly scratch: string | null;
}

/** What every program may expect of a machine. PATH: of a system, not of the user. */
const PERSONAL = ['HOME', 'USER', 'LOGNAME', 'SHELL', 'TMPDIR'];
const SYSTEM_PATH = '/usr/local/bin:/usr/bin:/bin';

/** A word of shell that is exactly this text. */
export const quoted = (text: string): string => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`);

const assignments = (env: Readonly<Record<string, string>>): string =>
  Object.entries(env)
    .map(([name, value]) => quoted(`${name}=${value}`))
    .join(' ');

// Each line of the index has this many bytes, so that a task reads only its own part of the file.
const INDEX_LINE = 24;

/** First an index of fixed width, offset and length in bytes of each task; then the tasks: words of shell that a task evaluates. */
export function tasksText(tasks: readonly TaskText[]): string {
  const texts = tasks.map(({ directory, token, environment, ownEnv, argv }) => {
    // `env` would take a program with such a name for a variable.
    const words = argv[0]?.includes('=') === true ? ['/bin/sh', '-c', 'exec "$@"', 'caf', ...argv] : argv;
    return `directory=${quoted(directory)} token=${quoted(token)} environment=${environment}; set -- ${assignments(ownEnv)} ${words.map(quoted).join(' ')}\n`;
  });
  let offset = tasks.length * INDEX_LINE;
  const index = texts.map((text) => {
    const length = Buffer.byteLength(text);
    const line = `${String(offset).padStart(12)} ${String(length).padStart(10)}\n`;
    offset += length;
    return line;
  });
  return `${index.join('')}${texts.join('')}`;
}

export function scriptText(parts: ScriptParts): string {
  const { header, array, taskNumber, passes, environments, passesSignalsOn, scratch } = parts;
  const names = [...PERSONAL, ...passes.filter((name) => !name.endsWith('*'))].join(' ');
  const prefixes = passes.filter((name) => name.endsWith('*')).map((name) => `-e 's/^\\(${name.slice(0, -1)}[A-Za-z0-9_]*\\)=.*/\\1/p'`);
  const signalled = passesSignalsOn ? `stopped=yes; trap : TERM; kill -TERM 0` : 'stopped=yes';
  return `#!/bin/sh
${header.map((line) => `${line}\n`).join('')}# A task of an array job of caf: finds the attempt with its number, runs it, and notes how it ended as the last thing.
array=${quoted(array)}
number=${taskNumber}
tries=0
# The file system of a node may show it late.
while [ ! -r "$array/tasks" ] && [ "$tries" -lt 60 ]; do tries=$((tries + 1)); sleep 1; done
# Removed by caf, which does not want it any more.
[ -r "$array/tasks" ] || exit 1
# Given up by caf before it began.
[ -e "$array/void" ] && exit 0
part() { tail -c "+$(($1 + 1))" "$array/tasks" | head -c "$2"; }
set -- $(part "$((number * ${INDEX_LINE}))" ${INDEX_LINE})
eval "$(part "$1" "$2")"
cd "$directory" || exit 1
# Another attempt works here by now: this one is not wanted any more.
if [ -e ${JOB_FILE} ] && ! grep -qF "$token" ${JOB_FILE}; then exit ${STARTED_TWICE}; fi
# Started a second time by the engine: the first one may still write here. caf makes a new attempt in another directory.
[ -e ${ENDED_FILE} ] && exit ${STARTED_TWICE}
read -r began rest < /proc/uptime
(set -C; : > ${STARTED_FILE}) 2> /dev/null || { [ -e ${STARTED_FILE} ] && exit ${STARTED_TWICE}; exit ${CANNOT_WRITE}; }
echo "$(uname -n) $began" 2> /dev/null > ${STARTED_FILE} || exit ${CANNOT_WRITE}
case $environment in
${environments.map((env, i) => `${i}) set -- ${assignments(env)} "$@" ;;`).join('\n')}
esac
${scratch === null ? '' : `TMPDIR=$(mktemp -d ${quoted(`${scratch}/caf.XXXXXX`)}) || exit 1\nexport TMPDIR\n`}for name in ${names}${prefixes.length === 0 ? '' : ` $(env | sed -n ${prefixes.join(' ')})`}; do
  eval "isSet=\\\${$name+yes} value=\\\${$name-}"
  [ -n "$isSet" ] && set -- "$name=$value" "$@"
done
stopped=
trap '${signalled}' TERM
env -i PATH=${SYSTEM_PATH} "$@" < /dev/null >> ${STDOUT_FILE} 2>> ${STDERR_FILE} &
child=$!
wait "$child"
status=$?
# A signal ends the waiting, not the program.
while [ -n "$stopped" ] && kill -0 "$child" 2> /dev/null; do
  wait "$child"
  status=$?
done
read -r ended rest < /proc/uptime
{ echo "token $token"; echo "node $(uname -n)"; echo "seconds $began $ended"; echo "status $status"; echo "stopped \${stopped:-no}"; } > ${ENDED_FILE}.tmp &&
  mv ${ENDED_FILE}.tmp ${ENDED_FILE} || exit 1
rm -f ${STARTED_FILE}
${scratch === null ? '' : 'rm -rf "$TMPDIR"\n'}# Only a hint: on some network file systems lines of different nodes overwrite each other.
echo "$number" 2> /dev/null >> "$array/ended"
exit "$status"
`;
}

/** How a task says that it ended. */
export interface TaskEnd {
  readonly token: string;
  readonly node: string;
  readonly seconds: number;
  /** Of the program; above 128 = ended by the signal with this number less 128, as shells count. */
  readonly status: number;
  /** It was asked to end before it did. */
  readonly stopped: boolean;
}

/** Null = not all of it is there. */
export function readTaskEnd(text: string): TaskEnd | null {
  const fields = new Map(
    text.split('\n').map((line) => {
      const [name = '', ...rest] = line.split(' ');
      return [name, rest.join(' ')] as const;
    }),
  );
  const [began = NaN, ended = NaN] = (fields.get('seconds') ?? '').split(' ').map(Number);
  const status = Number(fields.get('status') ?? 'none');
  const token = fields.get('token');
  const stopped = fields.get('stopped');
  if (token === undefined || stopped === undefined || !Number.isInteger(status)) return null;
  const seconds = ended - began;
  // Kept between 0 and what fits: a clock that jumps must not make an end unreadable.
  return {
    token,
    node: fields.get('node') ?? '',
    seconds: Number.isFinite(seconds) ? Math.max(0, Math.round(seconds * 100) / 100) : 0,
    status,
    stopped: stopped === 'yes',
  };
}

/** Makes `module` known where it is not, and loads. Sites define it in different files. */
export function moduleLines(modules: readonly string[]): readonly string[] {
  if (modules.length === 0) return [];
  const places = [
    '/etc/profile.d/lmod.sh',
    '/etc/profile.d/z00_lmod.sh',
    '/etc/profile.d/modules.sh',
    '/usr/share/modules/init/sh',
    '/usr/share/lmod/lmod/init/sh',
  ];
  return [
    `for caf_file in ${places.join(' ')}; do command -v module > /dev/null && break; [ ! -r "$caf_file" ] || . "$caf_file"; done`,
    ...modules.map((name) => `module load ${quoted(name)}`),
  ];
}
