"""Collector: files the temperatures of its input files as records. Started by caf in the job's output directory."""
import csv
import json
import os

with open(os.environ["CAF_JOB"], encoding="utf-8") as stream:
    job = json.load(stream)

# The payload named "parameters": what the previous iteration committed; {} in the first one.
low = job["parameters"].get("low", float("-inf"))
high = job["parameters"].get("high", float("inf"))

readings = {}
for path in job["files"]:
    with open(path, newline="", encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            run = (int(row["experiment"]), int(row["run"]))
            temperature = float(row["temperature"])
            if low <= temperature <= high:
                readings.setdefault(run, []).append(temperature)

with open("records.ndjson", "w", encoding="utf-8") as records:
    for run, values in sorted(readings.items()):
        records.write(json.dumps({"run": run, "name": "temperature", "value": values}) + "\n")

print(f"{sum(map(len, readings.values()))} readings of {len(readings)} runs between {low} and {high}")
