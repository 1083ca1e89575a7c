#!/bin/sh
# Collector: counts the readings outside [LOW, HIGH]. Usage: count.sh LOW HIGH FILE...
set -eu
low=$1
high=$2
shift 2
awk -F, -v low="$low" -v high="$high" '
  FNR == 1 { next }
  { readings += 1; if ($4 < low || $4 > high) outside += 1 }
  END { print readings + 0, outside + 0 }
' "$@" > counts.txt
