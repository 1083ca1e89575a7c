"""Prints the value that is valid for a run (and event): python3 localdb.py DIRECTORY NAME EXPERIMENT RUN [EVENT]"""
import bisect, glob, json, os, sqlite3, sys

directory, name, experiment, run, *event = sys.argv[1:]
key = int(experiment) * 2**32 + int(run)
database = sqlite3.connect(f"file:{os.path.abspath(directory)}/conditions.sqlite?immutable=1", uri=True)
found = database.execute(
    "SELECT p.rev, p.kind FROM seg s JOIN name n USING(name_id) JOIN payload p USING(payload_id) "
    "WHERE n.name = ? AND s.lo <= ? AND s.hi >= ?", (name, key, key)).fetchone()
if found is None:
    sys.exit(f"no {name} is valid for experiment {experiment}, run {run}")
[path] = glob.glob(os.path.join(glob.escape(directory), f"{name}_rev_{found[0]}.*"))
value = json.load(open(path))
if found[1] == "intrarun":
    value = value["parts"][bisect.bisect_right(value["boundaries"], int(event[0]))]
print(json.dumps(value))
