#!/usr/bin/env python3
"""Records where the sensor's time goes and draws it: a flame graph as one SVG file.

usage: flame.py OUT.svg PROGRAM CAPTURE [--threads 1] [--hertz 4000] [--smallest 0.2]

PROGRAM is the example `fingerprint` of the capture crate. Needs `perf` (Debian: linux-perf) and rights to use it. Width is share of
processor time, from the bottom up: who called whom. Calls narrower than --smallest percent are left out. Threads stand side by side.
"""
import argparse
import collections
import html
import os
import re
import subprocess
import tempfile

ROW, WIDTH = 17, 1200


def samples(program, capture, threads, hertz):
    """-> counts by stack, each a tuple of names from the outermost call."""
    with tempfile.TemporaryDirectory() as folder:
        data = os.path.join(folder, "perf.data")
        with open(os.path.join(folder, "out"), "wb") as out:
            record = ["perf", "record", "-q", "-F", str(hertz), "-e", "cpu-clock", "--call-graph", "dwarf,16384", "-o", data, program, capture]
            subprocess.run(record, stdout=out, stderr=subprocess.DEVNULL, env={**os.environ, "THREADS": str(threads)}, check=True)
        text = subprocess.run(["perf", "script", "-i", data, "-F", "tid,ip,sym"], capture_output=True, text=True, check=True).stdout
    counts, stack, thread = collections.Counter(), [], None
    for line in text.splitlines() + [""]:
        words = line.split(None, 1)
        if not words:
            if stack:
                counts[(thread, *reversed(stack))] += 1
            stack, thread = [], None
        elif thread is None:
            thread = words[0]
        else:
            stack.append(short(words[1] if len(words) > 1 else "?"))
    names = {thread: f"thread {n + 1}" for n, thread in enumerate(sorted({stack[0] for stack in counts}, key=int))}
    return {(names[thread], *cleaned(stack)): count for (thread, *stack), count in counts.items()}


def short(name):
    """The name of a function without hash, type parameters and the path of its crate."""
    name = re.sub(r"::h[0-9a-f]{16}$", "", name)
    name = re.sub(r"<([^<>]* as )?([^<>]*)>", lambda m: m.group(2) if m.start() == 0 else "", name)
    return name.replace("ja4_capture::", "")[:80] or "?"


def cleaned(stack):
    """Without what starts every program, and what could not be resolved."""
    outer = re.compile(r"^(_start|__libc_start|main$|std::|core::ops|__clone|start_thread|clone3?$|\[unknown\]|\?$|0x|thread_start)")
    kept = [name for name in stack if name not in ("[unknown]", "?")]
    while kept and outer.match(kept[0]):
        kept.pop(0)
    return kept


def tree(counts):
    root = [0, {}]
    for stack, count in counts.items():
        node = root
        node[0] += count
        for name in stack:
            node = node[1].setdefault(name, [0, {}])
            node[0] += count
    return root


def draw(root, smallest):
    total, boxes, deepest = root[0], [], 0

    def place(node, at, depth):
        nonlocal deepest
        for name, child in sorted(node[1].items()):
            width = child[0] / total * WIDTH
            if width >= smallest / 100 * WIDTH:
                deepest = max(deepest, depth)
                boxes.append((name, at, depth, width, child[0]))
                place(child, at, depth + 1)
            at += width

    place(root, 0, 0)
    height = (deepest + 2) * ROW
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="11">',
           f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>']
    for name, at, depth, width, count in boxes:
        y = height - (depth + 1) * ROW - 4
        hue = 20 + sum(map(ord, name.split("::")[0])) % 6 * 12
        label = html.escape(f"{name}: {count / total:.1%}")
        text = html.escape(name[-int(width / 6):] if len(name) * 6 > width else name) if width > 20 else ""
        out.append(f'<g><title>{label}</title><rect x="{at:.1f}" y="{y}" width="{width:.1f}" height="{ROW - 1}" fill="hsl({hue},75%,72%)"/>'
                   f'<text x="{at + 3:.1f}" y="{y + 12}">{text}</text></g>')
    return "\n".join(out + ["</svg>", ""])


def main():
    options = argparse.ArgumentParser(usage=__doc__)
    for name in ("out", "program", "capture"):
        options.add_argument(name)
    options.add_argument("--threads", type=int, default=1)
    options.add_argument("--hertz", type=int, default=4000)
    options.add_argument("--smallest", type=float, default=0.2)
    given = options.parse_args()
    svg = draw(tree(samples(given.program, given.capture, given.threads, given.hertz)), given.smallest)
    with open(given.out, "w", encoding="utf-8") as out:
        out.write(svg)
    print(f"{given.out}: {len(svg)} bytes")


if __name__ == "__main__":
    main()
