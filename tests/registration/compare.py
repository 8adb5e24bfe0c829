#!/usr/bin/env python3
"""Compares the cases that doctest programs list with the tests ctest has: names, counts and labels.

    compare.py BUILD_FOLDER PROGRAM...

A program that is not built yet is left out: ctest reports it itself.
"""
import collections
import json
import os
import subprocess
import sys
import xml.etree.ElementTree as xml


def listed_cases(program):
    """(test name, label) of each case of a doctest program."""
    environment = dict(os.environ, ASAN_OPTIONS="detect_leaks=0")
    listing = subprocess.run([program, "--list-test-cases", "--reporters=xml"], env=environment,
                             capture_output=True, check=True).stdout
    prefix = os.path.basename(program) + ": "
    return [(prefix + case.get("name"), case.get("testsuite", "")) for case in xml.fromstring(listing).iter("TestCase")]


def registered_tests(build_folder):
    """(program or None, test name, label) of each test of ctest."""
    listing = subprocess.run(["ctest", "--show-only=json-v1"], cwd=build_folder, capture_output=True, check=True).stdout
    for test in json.loads(listing)["tests"]:
        properties = {entry["name"]: entry["value"] for entry in test.get("properties", [])}
        command = test.get("command", [None])
        yield command[0], test["name"], ",".join(properties.get("LABELS", []))


def main():
    build_folder, programs = sys.argv[1], [program for program in sys.argv[2:] if os.path.exists(program)]
    listed = collections.Counter(case for program in programs for case in listed_cases(program))
    tests = list(registered_tests(build_folder))
    registered = collections.Counter((name, label) for program, name, label in tests if program in programs)

    faults = [f"not registered, or with another label: {name!r} of suite {label!r}" for name, label in listed - registered]
    faults += [f"registered, but no such case: {name!r} with label {label!r}" for name, label in registered - listed]
    faults += [f"without a label, so no `ctest -L` finds it: {name!r}"
               for _, name, label in tests if not label and not name.endswith("_NOT_BUILT")]
    print("\n".join(faults))
    labels = collections.Counter(label for _, label in registered.elements())
    print(f"{listed.total()} cases in {len(programs)} programs, {registered.total()} of them in ctest, "
          f"labelled {', '.join(f'{label} {count}' for label, count in sorted(labels.items()))}")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
