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
SCORES = """found = pl.read_parquet(os.path.join(RUN, "predictions.parquet"))
column = "together" if (found["together"] >= 0).all() else "forest"
figure, axes = plt.subplots(figsize=(8, 3))
for bot, name in [(0, "people"), (1, "programs")]:
    axes.hist(found.filter(pl.col("bot") == bot)[column], bins=40, range=(0, 1), alpha=0.6, density=True, label=name)
axes.set_xlabel(f"score ({column}), all arms")
axes.set_ylabel("density")
axes.legend()
plt.show()"""
# Title; what is done, how to read it and what it cannot show; metrics to plot; arms to plot; whether there are predictions.
BOOKS = {
    "stability": ("JA3 against JA4", [
        "Every connection of the recordings has a JA3 (MD5 over the hello's lists as sent) and a JA4 (hash over the sorted lists). No model is involved.",
        "**Stability** is the chance that two different connections of one client agree, **collision** that two of different clients do. A fingerprint is useful where the first is high and the second low.",
        "A client that resumes sends another hello than one that does not, so a browser with two JA4 has a stability near one half. All browsers come from one distribution: intervals cover connections, not the choice of clients."],
        ["ja4_stability", "ja3_stability"], " / browser /", False),
    "voices": ("Voices, weights, meta-learner", [
        "Forest, autoencoder and boosted trees learn from the same parts of the same sessions; people are dealt into parts by address, programs by client, so that neither is scored by a model that saw it. `together` are the fixed weights, `meta` is the logistic regression.",
        "Intervals that overlap widely do not part two voices: the sample is small.",
        "Recall at 1 % false positives is the share of programs above every person but one in a hundred; with fewer than a hundred people it is the share above all of them."],
        ["auroc", "ap", "recall_at_1pct_fpr"], "", True),
    "impersonators": ("Which layer gives an impersonator away", [
        "A forest is fitted on people alone and sees the features of one layer alone. The generated scraper climbs six levels, from an honest library to a program that runs a browser at a person's pace; the recorded programs copy headers, handshakes or both.",
        "1 is found without fail, 0.5 is chance, and below 0.5 an impersonator looks *more* ordinary than people, for it is the most frequent browser.",
        "All recorded clients ran on one kernel, so TCP can say nothing here. The behaviour of the generated levels is what somebody wrote down."],
        ["auroc"], "adversary", True),
    "drift": ("Weeks that change", [
        "Six simulated weeks in which browsers, paces and tools change at known times. A model of the first week is kept, or fitted again each week on the week before or on all weeks before; no week is scored by a model that saw it.",
        "AUROC says whether the ranking holds, `false_positives_at_old_threshold` whether the threshold still means what it was set to: it was to be reached by five people in a hundred.",
        "Changes that nobody thought of are not in a scenario."],
        ["auroc", "false_positives_at_old_threshold"], "", True),
    "groups": ("Campaigns and fleets", [
        "Sessions that share a trait are one group, and the campaigns of the product are another way to group; both are held against the campaigns of the scenario that made the sessions.",
        "The adjusted Rand index (Hubert, Arabie 1985) is 1 for the same grouping and about 0 for chance; `within_campaigns` leaves out the sessions of no campaign. Purity is the share of sessions that are of the most frequent campaign of their group: it rises with the number of groups and says nothing alone.",
        "Campaigns in a scenario do not adapt to being grouped."],
        ["adjusted_rand", "adjusted_rand_within_campaigns", "purity"], "", False),
    "cost": ("Accuracy against size", [
        "AUROC as the forest grows, beside the other voices. Seconds and memory are those of one machine and moment and are no part of a digest."],
        ["auroc", "fit_seconds"], "", False),
    "contamination": ("Programs among what counts as ordinary", [
        "Forest and autoencoder learn from what counts as ordinary. Programs are smuggled into it in growing shares; those that are scored never were in it.",
        "The share at which a curve leaves its interval at 0 is what is survived."],
        ["auroc"], "", True),
    "join": ("The join against truth", [
        "Truth is the connection that the generator, or the recording's labels, says a request came over; the key log is an independent second truth. Precision is the share of joins that are right, recall the share of requests that are joined rightly.",
        "Window, server clock, capture loss and the kind of log are varied one at a time. The scenario is denser than any site: few ports, shared addresses, IPv6."],
        ["precision", "recall"], "", False),
    "ablation": ("What a family of features is worth", [
        "All voices learn again without one family, and with it alone. The loss is taken on the same draws of the bootstrap, so that its interval is that of a pair.",
        "An interval of the loss that holds 0 shows no loss; it does not show that there is none: other families may say the same."],
        ["auroc_lost_without", "auroc"], "", False),
    "techniques": ("What a technique of the thesis is worth", [
        "As the notebook `ablation`, by technique: coherence of layers, HTTP/2 fingerprint, bipartite graph of addresses and fingerprints, Jaccard similarity across sites, resource cascade, order of headers, share of the population, chain of Referers, a new JA3 for each connection. Techniques may share a feature.",
        "Only `site-module` tells HTTP/2 fingerprints and has four sites: on `site-small` the HTTP/2 fingerprint and the similarity across sites have next to nothing to say."],
        ["auroc_lost_without", "auroc"], "", False),
    "explanations": ("Do explanations name what a score rests on?", [
        "The features that an explanation puts first (ExIFFI for the forest, error by feature for the autoencoder, SHAP for the trees) are set to what people show, and as many features drawn by lot in another copy. Whoever names the right ones brings the score down to people's with few.",
        "1 is all the way from the program's score down to people's median, 0 none of it. This measures whether an explanation is faithful to its model, not whether an analyst finds it useful; a session with several features moved may be one that nobody could send."],
        ["removed_by_named", "removed_by_lot"], "", False),
    "unseen": ("Tools that training never saw", [
        "Each kind of client is left out of training in turn and scored beside people who were left out too: what a site meets when a new tool arrives.",
        "Kinds with few sessions have wide intervals; the notes below say which difference such a sample would miss."],
        ["auroc"], "together", True),
}


def cell(kind, text):
    base = {"cell_type": kind, "metadata": {}, "source": text.splitlines(keepends=True)}
    return base if kind == "markdown" else {**base, "execution_count": None, "outputs": []}


for name, (title, words, metrics, like, predicted) in BOOKS.items():
    cells = [cell("markdown", f"# {title}\n\n" + "\n\n".join(words) + f"\n\nReads only what `ja4-lab experiment run {name} -o DIR` wrote; set `RUNS` to the folder that holds the run."),
             cell("code", OPEN.format(name=name)), cell("code", BARS)]
    for metric in metrics:
        cells.append(cell("code", f"bars({metric!r}, {like!r})"))
    if predicted:
        cells += [cell("markdown", "Scores by kind of client, and their distribution:"), cell("code", PREDICTIONS), cell("code", SCORES)]
    cells.append(cell("markdown", "What the run itself notes about its samples:"))
    cells.append(cell("code", "for note in manifest[\"notes\"]:\n    print(\"-\", note)"))
    for number, made in enumerate(cells):
        made["id"] = f"{name}-{number}"
    book = {"cells": cells, "metadata": {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}, "nbformat": 4, "nbformat_minor": 5}
    with open(os.path.join(HERE, f"{name}.ipynb"), "w", encoding="utf-8") as file:
        json.dump(book, file, indent=1)
        file.write("\n")
