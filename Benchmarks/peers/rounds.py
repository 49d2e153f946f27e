"""What the peers share: flags, threads, and the protocol of the driver.

With --serve a peer waits for lines on standard input; each `go` runs one round and answers with one line of JSON, so
that a driver can measure two programs alternately. Without it, it runs --rounds rounds and prints a line for each.
"""

import argparse
import json
import os
import resource
import sys
import time


def parse(description, **flags):
    """Parses the common flags and `flags` (name: default), and sets the threads before torch starts its own."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--serve", action="store_true")
    for name, default in flags.items():
        choices = ["float32", "bfloat16"] if name == "precision" else None
        parser.add_argument(f"--{name}", type=type(default), default=default, choices=choices)
    arguments = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = str(arguments.threads)
    import torch
    torch.set_num_threads(arguments.threads)
    return arguments


def peak_rss_mib():
    """The peak resident memory of this process, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def run(arguments, work):
    """Calls `work()`, which returns a round's figures, once per request."""
    rounds = (line for line in sys.stdin if line.strip() == "go") if arguments.serve else range(arguments.rounds)
    for _ in rounds:
        print(json.dumps(work() | {"peak_rss_mib": round(peak_rss_mib(), 1)}), flush=True)


def seconds_per_call(function, calls):
    """The wall time of each of `calls` calls, in seconds."""
    times = []
    for _ in range(calls):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return times
