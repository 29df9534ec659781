"""Makes the reference values of ja4-models' tests with public tools.

    python3 -m venv venv && venv/bin/pip install numpy scikit-learn==1.9.1 isotree==0.6.1.post10 xgboost==3.2.0
    venv/bin/python make.py        # rewrites reference.json and xgboost_model.json beside this file

Inputs are stored with the outputs, rounded to four decimals, so that nothing depends on a random generator twice.
"""

import json
import pathlib

import numpy as np
import xgboost
from isotree import IsolationForest as Isotree
from sklearn.ensemble import IsolationForest
from sklearn.ensemble._iforest import _average_path_length
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

HERE = pathlib.Path(__file__).parent
rng = np.random.default_rng(20)
out = {}

# Metrics: ten rows with ties.
scores = [0.1, 0.4, 0.35, 0.8, 0.8, 0.2, 0.4, 0.9, 0.05, 0.4]
labels = [0, 0, 1, 1, 0, 0, 1, 1, 0, 0]
out["metrics"] = {
    "scores": scores,
    "labels": labels,
    "auroc": roc_auc_score(labels, scores),
    "ap": average_precision_score(labels, scores),
    "brier": brier_score_loss(labels, scores),
}

# Path lengths: c(n) as scikit-learn approximates it.
out["path_lengths"] = {str(n): float(_average_path_length(np.array([n]))[0]) for n in (2, 3, 10, 256, 4096)}

# Isolation forests: two clusters of different scale and ten rows from elsewhere; many trees, so that the scores of two
# implementations with different random numbers may be compared.
points = np.vstack([rng.normal(size=(250, 3)) * [1, 10, 0.1], rng.normal(size=(120, 3)) * [0.5, 3, 0.2] + [6, 0, 1]])
points = np.vstack([points, rng.uniform(-1, 1, size=(10, 3)) * [12, 60, 3]]).round(4)
rows = list(range(0, 370, 30)) + list(range(370, 380))
standard = IsolationForest(n_estimators=2000, max_samples=256, random_state=1).fit(points)
extended = Isotree(
    ntrees=2000, sample_size=256, ndim=2, standardize_data=True, penalize_range=False, random_seed=1, nthreads=1
).fit(points)
out["forest"] = {
    "points": points.tolist(),
    "rows": rows,
    "sklearn_scores": (-standard.score_samples(points))[rows].tolist(),
    "isotree_scores": extended.predict(points)[rows].tolist(),
}

# Isotonic and logistic regression.
x = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8]
y = [0, 1, 0, 0, 1, 1, 0, 1]
out["isotonic"] = {"x": x, "y": y, "p": IsotonicRegression(out_of_bounds="clip").fit_transform(x, y).tolist()}
design = rng.normal(size=(80, 3)).round(4)
target = (design @ [1.5, -2.0, 0.3] + rng.normal(size=80) > 0.4).astype(int)
logistic = LogisticRegression(C=1 / 0.7, tol=1e-12, max_iter=10_000).fit(design, target)
out["logistic"] = {
    "rows": design.tolist(),
    "labels": target.tolist(),
    "penalty": 0.7,
    "intercept": float(logistic.intercept_[0]),
    "coefficients": logistic.coef_[0].tolist(),
}

# XGBoost: missing values, a repeated column along paths, an anomaly share of about one in four.
table = rng.normal(size=(300, 4)).round(4)
table[rng.random(table.shape) < 0.15] = np.nan
signal = np.nan_to_num(table[:, 0]) * 2 - np.nan_to_num(table[:, 1]) ** 2 + np.isnan(table[:, 2]) * 2
target = (signal + rng.normal(size=300) * 0.5 > 0.8).astype(int)
names = ["gap_mean_secs", "path_entropy_bits", "hello_extensions", "night_share"]
data = xgboost.DMatrix(table, label=target, feature_names=names)
settings = {"objective": "binary:logistic", "max_depth": 4, "eta": 0.3, "tree_method": "hist", "nthread": 1}
booster = xgboost.train(settings, data, num_boost_round=12)
booster.save_model(HERE / "xgboost_model.json")
query = table[:40].copy()
query[0] = np.nan
query[1] = [1e30, -1e30, 0, 0]
matrix = xgboost.DMatrix(query, feature_names=names)
out["xgboost"] = {
    "names": names,
    "rows": [[None if np.isnan(value) else value for value in row] for row in query.tolist()],
    "probabilities": booster.predict(matrix).astype(float).tolist(),
    "margins": booster.predict(matrix, output_margin=True).astype(float).tolist(),
    "contributions": booster.predict(matrix, pred_contribs=True).astype(float).tolist(),
}
# Boosting from the same table with the same settings must come close in quality, not equal in cuts.
held = xgboost.train(settings | {"max_depth": 6}, xgboost.DMatrix(table[:200], label=target[:200]), num_boost_round=100)
out["boosting"] = {
    "rows": [[None if np.isnan(value) else value for value in row] for row in table.tolist()],
    "labels": target.tolist(),
    "train_rows": 200,
    "auroc_of_the_rest": roc_auc_score(target[200:], held.predict(xgboost.DMatrix(table[200:]))),
}

(HERE / "reference.json").write_text(json.dumps(out, separators=(",", ":")) + "\n")
