#!/bin/sh
# Algorithm: adds up the counts of all jobs. Usage: sum.sh COUNTS...
set -eu
awk '
  { readings += $1; outside += $2 }
  END { printf "{\"result\":\"ok\",\"payloads\":[{\"name\":\"Outliers\",\"value\":{\"readings\":%d,\"outside\":%d}}]}\n", readings, outside }
' "$@" > result.json.new
mv result.json.new result.json
