"""Reference values and speed of density clustering, by PyPI hdbscan and scikit-learn.

    python3 -m venv venv && venv/bin/pip install numpy scikit-learn==1.9.1 hdbscan==0.8.44
    venv/bin/python clusters.py make                            rewrites clusters.json beside this file
    venv/bin/python clusters.py bench BENCH [ROWS COLUMNS [KIND]]   BENCH is target/release/examples/bench_clusters

Tables are stored rounded to four decimals with the results, so that nothing depends on a random generator twice. With `min_samples` 1
they have no equal lengths; with more, a row's core distance is the length of several edges, programs take such ties in any order, and
hdbscan and scikit-learn differ from each other. hdbscan's `min_samples` does not count
the row itself, scikit-learn's does; `approx_min_span_tree=False` asks hdbscan for the exact tree.
`bench` runs each program in turn, three rounds, and prints seconds of each, their ratio, and the adjusted Rand index of the labels.
"""
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np

SETTINGS = [
    (5, 1, "eom", 0.0, False), (12, 1, "eom", 0.0, False), (5, 1, "leaf", 0.0, False), (4, 1, "eom", 1.0, False), (8, 1, "eom", 0.0, True),
    (5, 5, "eom", 0.0, False), (12, 3, "eom", 0.0, False),
]
HERE = pathlib.Path(__file__).parent


def blobs(rng, rows, columns, centres, noise):
    """Normal clusters of different width and some rows from anywhere."""
    middle = rng.uniform(-10, 10, size=(centres, columns))
    width = rng.uniform(0.3, 1.5, size=centres)
    which = rng.integers(0, centres, size=rows)
    table = middle[which] + rng.normal(size=(rows, columns)) * width[which, None]
    scattered = rng.uniform(size=rows) < noise
    table[scattered] = rng.uniform(-12, 12, size=(scattered.sum(), columns))
    return table


def rings(rng, rows):
    """Two rings one inside the other, and a bar."""
    angle, part = rng.uniform(0, 2 * np.pi, rows), rng.integers(0, 3, rows)
    radius = np.where(part == 0, 1.0, 3.0) + rng.normal(size=rows) * 0.08
    table = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    bar = part == 2
    table[bar] = np.stack([rng.uniform(5, 9, bar.sum()), rng.normal(size=bar.sum()) * 0.1], axis=1)
    return table


def make():
    import hdbscan
    from sklearn.cluster import HDBSCAN

    rng = np.random.default_rng(7)
    tables = {
        "blobs": blobs(rng, 400, 3, 5, 0.1),
        "wide": blobs(rng, 300, 8, 4, 0.05),
        "rings": rings(rng, 400),
        "noise": rng.uniform(size=(150, 2)),
    }
    cases = []
    for name, table in tables.items():
        table = table.round(4)
        for size, samples, method, epsilon, single in SETTINGS:
            fit = hdbscan.HDBSCAN(
                min_cluster_size=size, min_samples=samples, cluster_selection_method=method, cluster_selection_epsilon=epsilon,
                allow_single_cluster=single, approx_min_span_tree=False, algorithm="boruvka_kdtree",
            ).fit(table)
            try:
                second = HDBSCAN(
                    min_cluster_size=size, min_samples=samples + 1, cluster_selection_method=method,
                    cluster_selection_epsilon=epsilon, allow_single_cluster=single, copy=True,
                ).fit(table).labels_.tolist()
            except TypeError:
                second = None  # its epsilon search does not run with this numpy
            cases.append({
                "table": name, "size": size, "samples": samples, "method": method, "epsilon": epsilon, "single": single,
                "hdbscan": fit.labels_.tolist(), "probabilities": fit.probabilities_.round(9).tolist(), "sklearn": second,
            })
    out = {"tables": {name: table.round(4).tolist() for name, table in tables.items()}, "cases": cases}
    (HERE / "clusters.json").write_text(json.dumps(out, separators=(",", ":")) + "\n")


def bench(program, rows=50_000, columns=20, kind="blobs"):
    import hdbscan
    from sklearn.metrics import adjusted_rand_score

    rng = np.random.default_rng(1)
    table = blobs(rng, rows, columns, 30, 0.1) if kind == "blobs" else rng.normal(size=(rows, columns))
    with tempfile.TemporaryDirectory() as folder:
        file = f"{folder}/X.npy"
        np.save(file, np.ascontiguousarray(table))
        times = {"ours": [], "hdbscan": [], "petal": []}
        for _ in range(3):
            ours = json.loads(subprocess.run([program, file, "--labels", f"{folder}/labels"], check=True, capture_output=True, text=True).stdout)
            times["ours"].append(ours["secs"])
            start = time.perf_counter()
            theirs = hdbscan.HDBSCAN(min_cluster_size=5, min_samples=5, core_dist_n_jobs=-1).fit(table).labels_
            times["hdbscan"].append(time.perf_counter() - start)
            mine = [int(line.split()[0]) for line in open(f"{folder}/labels")]
            print(ours, f"hdbscan {times['hdbscan'][-1]:.2f} s, {theirs.max() + 1} clusters, {(theirs < 0).sum()} noise, "
                  f"adjusted Rand {adjusted_rand_score(theirs, mine):.4f}", flush=True)
        if rows <= 50_000 and "--petal" in sys.argv:
            petal = json.loads(subprocess.run([program, file, "--petal", "1", "--labels", f"{folder}/petal"], check=True, capture_output=True, text=True).stdout)
            again = [int(line.split()[0]) for line in open(f"{folder}/petal")]
            print("petal", petal, f"adjusted Rand {adjusted_rand_score(theirs, again):.4f}")
        ours, theirs = statistics.median(times["ours"]), statistics.median(times["hdbscan"])
        print(f"{kind} {rows} x {columns}: ours {ours:.2f} s, hdbscan {theirs:.2f} s, ratio {theirs / ours:.1f}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["make"]:
        make()
    elif sys.argv[1:2] == ["bench"]:
        words = [word for word in sys.argv[2:] if not word.startswith("--")]
        bench(words[0], *map(int, words[1:3]), *words[3:4])
    else:
        sys.exit(__doc__)
