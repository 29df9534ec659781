#!/usr/bin/env python3
"""Writes the notebooks, one for each experiment, without outputs. Standard library only; two runs give the same bytes."""
import json
import os

HERE = os.path.dirname(os.path.abspath(__file__))
OPEN = """import json, os
import duckdb, polars as pl
import matplotlib
matplotlib.use("Agg") if os.environ.get("HEADLESS") else None
import matplotlib.pyplot as plt
RUN = os.path.join(os.environ.get("RUNS", "../target/experiments"), "{name}")
manifest = json.load(open(os.path.join(RUN, "manifest.json")))
values = pl.DataFrame([{{**v, "low": (v.get("interval") or [None, None])[0], "high": (v.get("interval") or [None, None])[1]}} for v in json.load(open(os.path.join(RUN, "metrics.json")))],
                      schema=["arm", "metric", "value", "low", "high", "cases"], infer_schema_length=None)
print(manifest["question"], manifest["metrics_digest"][:12], manifest["data"])"""
BARS = """def bars(metric, like=""):
    rows = values.filter((pl.col("metric") == metric) & pl.col("arm").str.contains(like, literal=True))
    figure, axes = plt.subplots(figsize=(8, 0.3 * len(rows) + 1))
    axes.barh(rows["arm"], rows["value"])
    known = rows.drop_nulls(["low", "high"])
    axes.hlines(known["arm"], known["low"], known["high"], color="black")
    axes.set_xlabel(metric)
    axes.invert_yaxis()
    plt.show()
    return rows"""
PREDICTIONS = """answer = duckdb.sql(f\"\"\"SELECT kind, count(*) AS sessions, avg(together) AS mean_score, avg(forest) AS forest
  FROM read_parquet('{os.path.join(RUN, 'predictions.parquet')}') GROUP BY kind ORDER BY mean_score DESC, kind\"\"\")
pl.DataFrame(answer.fetchall(), schema=answer.columns, orient="row")"""
BOOKS = {
    "stability": ("JA3 against JA4", "Stability is the chance that two connections of one client agree; collision that two of different clients do.", ["ja4_stability", "ja3_stability"], "browser", False),
    "voices": ("Voices, weights, meta-learner", "Each voice on the same parts of the same sessions; a program is never scored by a model that saw its client.", ["auroc", "ap", "recall_at_1pct_fpr"], "", True),
    "impersonators": ("Which layer gives an impersonator away", "A forest fitted on people, from the features of one layer alone. Below 0.5 an impersonator looks more ordinary than people.", ["auroc"], "adversary", True),
    "drift": ("Weeks that change", "Frozen model against models fitted again; strict temporal split.", ["auroc", "false_positives_at_old_threshold"], "", True),
    "groups": ("Campaigns and fleets", "Adjusted Rand index (Hubert, Arabie 1985) and purity of groups against the campaigns that made the sessions.", ["adjusted_rand", "purity"], "", False),
    "cost": ("Accuracy against size", "AUROC as the forest grows; seconds are those of one machine and moment.", ["auroc", "fit_seconds"], "", False),
    "contamination": ("Programs among what counts as ordinary", "Programs are smuggled into the baseline in growing shares.", ["auroc"], "", True),
    "join": ("The join against truth", "Precision and recall over kind of log, window, clock skew and capture loss.", ["precision", "recall"], "", False),
    "ablation": ("What a family of features is worth", "AUROC lost without a family (interval of the pair), and reached by it alone.", ["auroc_lost_without"], "", False),
    "unseen": ("Tools that training never saw", "Each kind of client left out of training in turn.", ["auroc"], "together", True),
}


def cell(kind, text):
    base = {"cell_type": kind, "metadata": {}, "source": text.splitlines(keepends=True)}
    return base if kind == "markdown" else {**base, "execution_count": None, "outputs": []}


for name, (title, words, metrics, like, predicted) in BOOKS.items():
    cells = [cell("markdown", f"# {title}\n\n{words}\n\nReads only what `ja4-lab experiment run {name} -o DIR` wrote; set `RUNS` to the folder that holds the run."),
             cell("code", OPEN.format(name=name)), cell("code", BARS)]
    for metric in metrics:
        cells.append(cell("code", f"bars({metric!r}, {like!r})"))
    if predicted:
        cells.append(cell("code", PREDICTIONS))
    cells.append(cell("markdown", "What the run itself notes about its samples:"))
    cells.append(cell("code", "for note in manifest[\"notes\"]:\n    print(\"-\", note)"))
    for number, made in enumerate(cells):
        made["id"] = f"{name}-{number}"
    book = {"cells": cells, "metadata": {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}, "nbformat": 4, "nbformat_minor": 5}
    with open(os.path.join(HERE, f"{name}.ipynb"), "w", encoding="utf-8") as file:
        json.dump(book, file, indent=1)
        file.write("\n")
