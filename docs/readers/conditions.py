"""Prints the value that is valid for a run (and event): python3 conditions.py CONDITIONS NAME EXPERIMENT RUN [EVENT]"""
import bisect, json, os, sys

directory, name, experiment, run, *event = sys.argv[1:]
at = (int(experiment), int(run))
for payload in json.load(open(os.path.join(directory, "index.json")))["payloads"].get(name, []):
    first_exp, first_run, last_exp, last_run = [float("inf") if bound == -1 else bound for bound in payload["iov"]]
    if (first_exp, first_run) <= at <= (last_exp, last_run):
        value = json.load(open(os.path.join(directory, payload["file"])))
        if "boundaries" in payload:
            value = value["parts"][bisect.bisect_right(payload["boundaries"], int(event[0]))]
        print(json.dumps(value))
        break
else:
    sys.exit(f"no {name} is valid for experiment {experiment}, run {run}")
