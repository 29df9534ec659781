#!/usr/bin/env python3
"""Executes the code cells of notebooks in order, without a notebook server, and says which cell failed.

usage: run.py RUNS [NOTEBOOK.ipynb…]

RUNS holds one folder a run, as `ja4-lab experiment run NAME -o RUNS/NAME` makes them. Notebooks whose run is not there are skipped, by name.
Needs what requirements.txt names.
"""
import glob
import json
import os
import sys
import traceback

os.environ["HEADLESS"] = "1"


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    os.environ["RUNS"] = sys.argv[1]
    here = os.path.dirname(os.path.abspath(__file__))
    done = skipped = 0
    for path in sys.argv[2:] or sorted(glob.glob(os.path.join(here, "*.ipynb"))):
        name = os.path.basename(path).removesuffix(".ipynb")
        if not os.path.isfile(os.path.join(sys.argv[1], name, "manifest.json")):
            print(f"{name}: skipped, there is no run of it in {sys.argv[1]}")
            skipped += 1
            continue
        book = json.load(open(path, encoding="utf-8"))
        if any(cell.get("outputs") for cell in book["cells"]):
            sys.exit(f"{name}: holds outputs; they do not belong into git")
        scope = {"__name__": "__main__"}
        for number, cell in enumerate(book["cells"]):
            if cell["cell_type"] == "code":
                try:
                    exec(compile("".join(cell["source"]), f"{name}, cell {number}", "exec"), scope)
                except Exception:
                    traceback.print_exc()
                    sys.exit(f"{name}: cell {number} failed")
        print(f"{name}: every cell ran")
        done += 1
    if not done:
        sys.exit(f"no notebook ran, {skipped} were skipped")


if __name__ == "__main__":
    main()
