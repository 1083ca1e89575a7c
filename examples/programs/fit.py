"""Algorithm: mean temperature without outliers; iterates until clipping at 3 standard deviations removes nothing more."""
import json
import os
import statistics

with open(os.environ["CAF_JOB"], encoding="utf-8") as stream:
    job = json.load(stream)

temperatures = []
for path in job["data"]["records"]:
    with open(path, encoding="utf-8") as stream:
        for line in stream:
            record = json.loads(line)
            if record["name"] == "temperature":
                temperatures.extend(record["value"])


def answer(result, payloads=()):
    """Written under another name and renamed, so that caf never sees half a result."""
    with open("result.json.new", "w", encoding="utf-8") as stream:
        json.dump({"result": result, "payloads": list(payloads)}, stream)
    os.rename("result.json.new", "result.json")


if len(temperatures) < 10:
    answer("not-enough-data")
else:
    mean = statistics.fmean(temperatures)
    spread = statistics.stdev(temperatures)
    low, high = mean - 3 * spread, mean + 3 * spread
    clipped = [value for value in temperatures if not low <= value <= high]
    value = {"mean": mean, "spread": spread, "low": low, "high": high, "readings": len(temperatures)}
    print(f"mean {mean:.3f}, spread {spread:.3f}, {len(clipped)} of {len(temperatures)} to be clipped")
    answer("iterate" if clipped else "ok", [{"name": "parameters", "value": value}])
