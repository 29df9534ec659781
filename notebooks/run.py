#!/usr/bin/env python3
"""Executes the code cells of notebooks in order, without a notebook server, and says which cell failed.

usage: run.py [--html FOLDER] RUNS [NOTEBOOK.ipynb…]

RUNS holds one folder a run, as `ja4-lab experiment run NAME -o RUNS/NAME` makes them. Notebooks whose run is not there are skipped, by name.
With --html each becomes one page with its text, code, answers and figures, which needs nothing beside it. Needs what requirements.txt names.
"""
import argparse
import ast
import base64
import contextlib
import glob
import html
import io
import json
import os
import re
import sys
import traceback

os.environ["HEADLESS"] = "1"
HERE = os.path.dirname(os.path.abspath(__file__))
STYLE = """body{font:15px/1.5 sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem;color:#222}pre{background:#f5f5f5;padding:.7rem;overflow-x:auto}
table{border-collapse:collapse;font-size:13px}td,th{border:1px solid #ccc;padding:.15rem .5rem;text-align:left}img{max-width:100%}"""


def run_cell(code: str, name: str, scope: dict) -> object:
    """Executes a cell; gives the value of its last line, where that is an expression, as a notebook shows it."""
    tree = ast.parse(code, name)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, name, "exec"), scope)
    return eval(compile(ast.Expression(last.value), name, "eval"), scope) if last else None


def figures() -> list[str]:
    """Figures that a cell left open, as images inside the page."""
    plt = sys.modules.get("matplotlib.pyplot")
    found = []
    for number in plt.get_fignums() if plt else []:
        image = io.BytesIO()
        plt.figure(number).savefig(image, format="png", dpi=110, bbox_inches="tight")
        found.append(f'<img alt="figure" src="data:image/png;base64,{base64.b64encode(image.getvalue()).decode()}">')
    if plt:
        plt.close("all")
    return found


def prose(text: str) -> str:
    """The little Markdown that our notebooks use: headings, paragraphs, `code`, **strong**, *stressed*, [links](…)."""
    blocks = []
    for block in re.split(r"\n\s*\n", text.strip()):
        block = re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(block, quote=False))
        block = re.sub(r"\[([^\]]+)\]\([^)]*\)", r"\1", block)
        block = re.sub(r"\*\*([^*]+)\*\*", r"<b>\1</b>", block)
        block = re.sub(r"\*([^*]+)\*", r"<i>\1</i>", block)
        level = len(block) - len(block.lstrip("#"))
        blocks.append(f"<h{level}>{block.lstrip('# ')}</h{level}>" if level else f"<p>{block}</p>")
    return "".join(blocks)


def shown(value: object) -> str:
    if value is None:
        return ""
    if hasattr(value, "columns") and hasattr(value, "rows"):
        head = "".join(f"<th>{html.escape(str(name))}</th>" for name in value.columns)
        cell = lambda v: "" if v is None else f"{v:.4g}" if isinstance(v, float) else html.escape(str(v))
        rows = "".join(f"<tr>{''.join(f'<td>{cell(v)}</td>' for v in row)}</tr>" for row in value.rows())
        return f"<table><tr>{head}</tr>{rows}</table>"
    return f"<pre>{html.escape(str(value))}</pre>"


def run_book(path: str, name: str) -> str:
    """Executes every cell; gives the page."""
    book = json.load(open(path, encoding="utf-8"))
    if any(cell.get("outputs") for cell in book["cells"]):
        sys.exit(f"{name}: holds outputs; they do not belong into git")
    scope, page = {"__name__": "__main__"}, []
    for number, cell in enumerate(book["cells"]):
        source = "".join(cell["source"])
        if cell["cell_type"] != "code":
            page.append(prose(source))
            continue
        said = io.StringIO()
        try:
            with contextlib.redirect_stdout(said):
                value = run_cell(source, f"{name}, cell {number}", scope)
        except Exception:
            traceback.print_exc()
            sys.exit(f"{name}: cell {number} failed")
        text = f"<pre>{html.escape(said.getvalue())}</pre>" if said.getvalue() else ""
        page += [f"<details><summary>code</summary><pre>{html.escape(source)}</pre></details>", text, *figures(), shown(value)]
    return f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{name}</title><style>{STYLE}</style></head><body>{"".join(page)}</body></html>\n'


def main():
    given = argparse.ArgumentParser(usage=__doc__.split("usage: ")[1].split("\n")[0])
    given.add_argument("--html")
    given.add_argument("runs")
    given.add_argument("notebooks", nargs="*")
    given = given.parse_args()
    os.environ["RUNS"] = given.runs
    done = skipped = 0
    for path in given.notebooks or sorted(glob.glob(os.path.join(HERE, "*.ipynb"))):
        name = os.path.basename(path).removesuffix(".ipynb")
        if not os.path.isfile(os.path.join(given.runs, name, "manifest.json")):
            print(f"{name}: skipped, there is no run of it in {given.runs}")
            skipped += 1
            continue
        page = run_book(path, name)
        if given.html:
            os.makedirs(given.html, exist_ok=True)
            with open(os.path.join(given.html, name + ".html"), "w", encoding="utf-8") as out:
                out.write(page)
        print(f"{name}: every cell ran")
        done += 1
    if not done:
        sys.exit(f"no notebook ran, {skipped} were skipped")


if __name__ == "__main__":
    main()
