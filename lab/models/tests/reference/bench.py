"""Quality on the benchmark tables and speed against PyPI peers: makes the figures of docs/SCIENCE.md.

    cargo build --release -p ja4-models --examples
    python bench.py quality TABLES_DIR EXAMPLES_DIR     # forest (5 seeds) and boosted trees (5 folds), against reference.json there
    python bench.py speed EXAMPLES_DIR [ROUNDS]         # forest, boosted trees, SHAP on 1,000,000 x 80 made-up rows
    python bench.py network EXAMPLES_DIR [ROUNDS]       # autoencoder on 200,000 x 80, against PyTorch

Needs numpy, pandas, pyarrow, scikit-learn; speed also isotree, xgboost, shap; network also torch. Runs alternate
between the programs within each round; medians over rounds are printed, wall seconds.
"""

import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np

SCRATCH = pathlib.Path(tempfile.gettempdir()) / "ja4-models-bench"
ROWS, COLUMNS = 1_000_000, 80


def example(folder, name, *arguments):
    command = [str(pathlib.Path(folder) / name), *map(str, arguments)]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    return [json.loads(line) for line in lines]


def mean(rows, key):
    return sum(row[key] for row in rows) / len(rows)


def quality(tables, examples):
    import pandas
    from sklearn.model_selection import StratifiedKFold

    reference = json.loads((pathlib.Path(tables) / "reference.json").read_text())
    print("| table | scikit-learn | isotree | forest | XGBoost | boosted |\n|---|---|---|---|---|---|")
    sums = []
    for name, known in reference.items():
        frame = pandas.read_parquet(pathlib.Path(tables) / f"{name}.parquet")
        labels = frame.pop("label").to_numpy().astype("u1")
        x, y, fold_file = (SCRATCH / f"{name}.{part}.npy" for part in "xyf")
        np.save(x, np.ascontiguousarray(frame.to_numpy(), dtype="<f8"))
        np.save(y, labels)
        forest = mean(example(examples, "bench_eif", x, y, "--seeds", 5), "auroc")
        row = [known["sklearn_iforest_auroc"], known["isotree_eif_auroc"], forest, known.get("xgboost_5fold_auroc")]
        if row[3]:
            folds = np.zeros(len(labels))
            for number, (_, held) in enumerate(StratifiedKFold(5, shuffle=True, random_state=0).split(frame, labels)):
                folds[held] = number
            np.save(fold_file, folds)
            row.append(example(examples, "bench_boosted", x, y, "--folds", fold_file)[0]["auroc"])
        else:
            row.append(None)
        sums.append(row)
        print(f"| {name} | " + " | ".join("–" if value is None else f"{value:.4f}" for value in row) + " |", flush=True)
    means = [statistics.mean(value for value in column if value is not None) for column in zip(*sums)]
    print("| **mean** | " + " | ".join(f"**{value:.4f}**" for value in means) + " |")


def made_up():
    """Columns of three kinds; one row in a hundred is shifted and wider."""
    x_file, y_file = SCRATCH / "big.x.npy", SCRATCH / "big.y.npy"
    rng = np.random.default_rng(3)
    x = rng.standard_normal((ROWS, COLUMNS))
    x[:, ::3] = np.exp(x[:, ::3])
    x[:, 1::5] = np.round(x[:, 1::5] * 2)
    odd = rng.random(ROWS) < 0.01
    x[odd] += rng.standard_normal((odd.sum(), COLUMNS)) * 1.5 + 0.7
    np.save(x_file, x)
    np.save(y_file, odd.astype("u1"))
    return x, odd, x_file, y_file


class Clock:
    def __init__(self):
        self.secs = {}

    def run(self, name, work):
        start = time.perf_counter()
        given = work()
        self.secs.setdefault(name, []).append(given if isinstance(given, float) else time.perf_counter() - start)

    def print(self):
        for name, secs in self.secs.items():
            print(f"{name:28} median {statistics.median(secs):8.3f} s   {' '.join(f'{value:.3f}' for value in secs)}")


def speed(examples, rounds=5):
    import shap
    import xgboost
    from isotree import IsolationForest as Isotree
    from sklearn.ensemble import IsolationForest

    x, odd, x_file, y_file = made_up()
    clock = Clock()
    for seed in range(int(rounds)):
        ours = example(examples, "bench_eif", x_file, y_file, "--seeds", 1, "--trees", 100)[0]
        clock.run("forest, ours", lambda: ours["fit_secs"] + ours["score_secs"])
        for jobs in (None, 2):
            forest = IsolationForest(n_estimators=100, max_samples=256, n_jobs=jobs, random_state=seed)
            clock.run(f"forest, scikit-learn, {jobs}", lambda: forest.fit(x).score_samples(x) is None)
        isotree = Isotree(ntrees=100, sample_size=256, ndim=2, standardize_data=True, nthreads=2, random_seed=seed + 1)
        clock.run("forest, isotree", lambda: isotree.fit(x).predict(x) is None)
        ours = example(examples, "bench_boosted", x_file, y_file)[0]
        clock.run("boosted fit, ours", lambda: ours["fit_secs"])
        clock.run("SHAP 10,000 rows, ours", lambda: ours["shap_secs"])
        model = xgboost.XGBClassifier(n_estimators=100, n_jobs=2)
        clock.run("boosted fit, XGBoost", lambda: model.fit(x, odd) is None)
        clock.run("SHAP 10,000 rows, shap", lambda: shap.TreeExplainer(model).shap_values(x[:10_000]) is None)
    clock.print()


def network(examples, rounds=5):
    import torch

    x = made_up()[0][:200_000]
    file = SCRATCH / "network.x.npy"
    np.save(file, x)
    torch.set_num_threads(2)

    def theirs():
        quartiles = np.percentile(x, [25, 50, 75], axis=0)
        scaled = np.arcsinh((x - quartiles[1]) / ((quartiles[2] - quartiles[0]) / 1.349)).astype("f4")
        table, layer, curve = torch.from_numpy(scaled), torch.nn.Linear, torch.nn.Softsign
        model = torch.nn.Sequential(
            layer(80, 64), curve(), layer(64, 16), curve(), layer(16, 64), curve(), layer(64, 80)
        )
        optimizer, loss = torch.optim.Adam(model.parameters(), lr=2e-3), torch.nn.HuberLoss(delta=0.3)
        held, train = table[:20_000], table[20_000:]
        for _ in range(5):
            order = torch.randperm(len(train))
            for start in range(0, len(train), 256):
                batch = train[order[start : start + 256]]
                optimizer.zero_grad(set_to_none=True)
                loss(model(batch), batch).backward()
                optimizer.step()
            with torch.no_grad():
                loss(model(held), held).item()

    clock = Clock()
    for _ in range(int(rounds)):
        ours = example(examples, "bench_autoencoder", file, "--seeds", 1, "--epochs", 5)[0]
        clock.run("autoencoder, ours", lambda: ours["fit_secs"])
        clock.run("autoencoder, PyTorch", theirs)
    clock.print()


if __name__ == "__main__":
    if len(sys.argv) < 3 or sys.argv[1] not in ("quality", "speed", "network"):
        sys.exit(__doc__)
    SCRATCH.mkdir(exist_ok=True)
    globals()[sys.argv[1]](*sys.argv[2:])
