"""Another checker of the same files, which shares nothing with ours: reads JSON lines of one register, says for each file
whether it is linearizable (Wing and Gong's search with Lowe's memory, as porcupine has it). Python 3 alone.

    python3 oracle.py FILE...

A line is a call: {"client":0,"operation":"read","called":4,"returned":7,"outcome":{"read":0}}. Operations are "read",
{"write":v} and {"swap":[expected,v]}; outcomes {"read":v}, "done" and "lost", or none, if nobody knows. The register holds 0.
"""

import json
import sys


def step(state, operation, outcome):
    """The state after it, or None if it cannot be answered so."""
    if operation == "read":
        told, after = {"read": state}, state
    elif "write" in operation:
        told, after = "done", operation["write"]
    else:
        expected, value = operation["swap"]
        told, after = ("done", value) if expected == state else ("lost", state)
    return after if outcome is None or outcome == told else None


def is_linearizable(calls):
    seen = set()
    stack = [(frozenset(range(len(calls))), 0)]
    while stack:
        place = stack.pop()
        if place in seen:
            continue
        seen.add(place)
        waiting, state = place
        if all(calls[call].get("outcome") is None for call in waiting):
            return True
        ends = [calls[c]["returned"] for c in waiting if calls[c].get("outcome") is not None]
        end = min(ends)
        for call in waiting:
            if calls[call]["called"] <= end:
                after = step(state, calls[call]["operation"], calls[call].get("outcome"))
                if after is not None:
                    stack.append((waiting - {call}, after))
    return False


for path in sys.argv[1:]:
    with open(path) as file:
        calls = [json.loads(line) for line in file if line.strip()]
    print(path, "good" if is_linearizable(calls) else "bad")
