# Functions of the recorders: run a command of an engine, keep what it said as a fixture, write its line into README.md.
# Sourced with ENGINE (the name of the fixture directory) set.
set -uo pipefail
export LC_ALL=C
RECORDERS=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
OUT=$RECORDERS/../../backends/fixtures/$ENGINE
WORK=$(mktemp -d "${TMPDIR:-/tmp}/caf-record-XXXXXX")
chmod 755 "$WORK"
rm -rf -- "$OUT"
mkdir -p "$OUT"
ROWS=$WORK/rows
: >"$ROWS"

# scrub FILE: host names and paths of the machine that recorded, nothing else.
scrub() {
  sed -i -e "s#$WORK#/data/jobs#g" -e "s#${ENGINE_ROOT:-/var/lib/engines}#/var/lib/engines#g" \
    -e "s#${WORK//\//\\\\/}#\\\\/data\\\\/jobs#g" -e "s#$(printf %s "${ENGINE_ROOT:-/var/lib/engines}" | sed 's#/#\\\\/#g')#\\\\/var\\\\/lib\\\\/engines#g" \
    -e "s#\b$(hostname)\b#login1#g" "$1"
}

# record NAME 'situation' COMMAND...: NAME.out is its stdout, NAME.err its stderr; an empty one is not kept.
record() {
  local name=$1 situation=$2 status=0 stream
  shift 2
  "$@" >"$OUT/$name.out" 2>"$OUT/$name.err" </dev/null || status=$?
  for stream in out err; do
    if [ -s "$OUT/$name.$stream" ]; then scrub "$OUT/$name.$stream"; else rm -f "$OUT/$name.$stream"; fi
  done
  row "$name" "$status" "$situation" "$@"
}

# keep NAME 'situation' FILE: a file an engine wrote, for example a user log.
keep() {
  cp "$3" "$OUT/$1"
  scrub "$OUT/$1"
  row "$1" - "$2" written by the engine
}

row() {
  local file=$1 status=$2 situation=$3 line=
  shift 3
  local word
  for word in "$@"; do
    case $word in *[!A-Za-z0-9_./:,=%+@-]* | '') word="'$word'" ;; esac
    line+="${line:+ }$word"
  done
  line=${line//|/\\|}
  printf '| %s | %s | %s | `%s` |\n' "$file" "$status" "$situation" "$line" >>"$ROWS"
}

# finish 'title': README.md of the fixtures, and an end to the temporary directory.
finish() {
  scrub "$ROWS"
  {
    printf '# %s\n\n' "$1"
    printf 'Recorded by `test/engines/record/%s.sh` from a real engine; only host names and paths were replaced.\n`NAME.out` is what went to stdout, `NAME.err` what went to stderr; one that is missing was empty.\n\n' "${RECORDER:-$ENGINE}"
    printf '| name | exit code | situation | command |\n|---|---|---|---|\n'
    LC_ALL=C sort "$ROWS"
  } >"$OUT/README.md"
  rm -rf -- "$WORK"
}

# until SECONDS COMMAND...: polls an outside fact.
wait_until() {
  local end=$((SECONDS + $1))
  shift
  while ! "$@" >/dev/null 2>&1; do
    ((SECONDS < end)) || { echo "record: gave up waiting for: $*" >&2; return 1; }
    sleep 0.2
  done
}
