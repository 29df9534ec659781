//! Reads models that XGBoost saved as JSON (`Booster.save_model("model.json")`, versions 1.0 to 3.x).
//!
//! Accepted: booster `gbtree`, objective `binary:logistic`, one output, numeric splits. Everything else is refused by
//! name. Nodes are renumbered so that children lie side by side behind their parent; scores equal XGBoost's to 1e-6
//! (it adds margins in `f32`, we in `f64`). Source: XGBoost documentation, "Introduction to Model IO", and its schema.

use serde::Deserialize;

use super::model::{BoostedModel, check_tree};
use super::trees::{Node, Trees};
use crate::error::{ModelError, Result};
use crate::matrix::FeatureSet;

#[derive(Deserialize)]
struct File {
    learner: Learner,
}

#[derive(Deserialize)]
struct Learner {
    #[serde(default)]
    feature_names: Vec<String>,
    learner_model_param: LearnerParam,
    objective: Named,
    gradient_booster: Booster,
}

#[derive(Deserialize)]
struct LearnerParam {
    base_score: String,
    num_feature: String,
    #[serde(default)]
    num_class: String,
    #[serde(default)]
    num_target: String,
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

#[derive(Deserialize)]
struct Booster {
    name: String,
    #[serde(default)]
    model: Option<Model>,
}

#[derive(Deserialize)]
struct Model {
    trees: Vec<Tree>,
}

#[derive(Deserialize)]
struct Tree {
    left_children: Vec<i64>,
    right_children: Vec<i64>,
    split_indices: Vec<u64>,
    split_conditions: Vec<f64>,
    default_left: Vec<Flag>,
    sum_hessian: Vec<f64>,
    #[serde(default)]
    split_type: Vec<u8>,
}

/// Written as a boolean by 1.x, as 0 or 1 since.
#[derive(Deserialize)]
#[serde(untagged)]
enum Flag {
    Bool(bool),
    Number(u8),
}

pub(super) fn import(json: &[u8], features: Option<&FeatureSet>) -> Result<BoostedModel> {
    let refuse = |reason: String, place: &str| ModelError::XgboostImport { reason, place: place.to_owned() };
    let file: File =
        serde_json::from_slice(json).map_err(|error| refuse(format!("not an XGBoost JSON model: {error}"), "the file"))?;
    let learner = file.learner;
    if learner.objective.name != "binary:logistic" {
        return Err(refuse(
            format!("the objective is {:?}, only binary:logistic is read", learner.objective.name),
            "objective.name",
        ));
    }
    let parameters = &learner.learner_model_param;
    if parameters.num_class.parse().unwrap_or(0) > 1 || parameters.num_target.parse().unwrap_or(1) > 1 {
        return Err(refuse("the model has several outputs, only one is read".into(), "learner_model_param"));
    }
    let booster = learner.gradient_booster;
    let model = match (booster.name.as_str(), booster.model) {
        ("gbtree", Some(model)) => model,
        (name, _) => return Err(refuse(format!("the booster is {name:?}, only gbtree is read"), "gradient_booster.name")),
    };
    let columns: usize = parameters.num_feature.parse().map_err(|_| refuse("not a number".into(), "num_feature"))?;
    let features = feature_set(learner.feature_names, columns, features)?;
    let base_margin = base_margin(&parameters.base_score)?;
    let mut trees = Trees::default();
    for (index, tree) in model.trees.iter().enumerate() {
        let nodes = renumber(tree).and_then(|nodes| check_tree(&nodes, columns).map(|()| nodes));
        trees.push(&nodes.map_err(|reason| refuse(reason.to_owned(), &format!("tree {index}")))?);
    }
    Ok(BoostedModel::new(features, base_margin, trees))
}

fn feature_set(names: Vec<String>, columns: usize, given: Option<&FeatureSet>) -> Result<FeatureSet> {
    let mismatch = |found: usize| ModelError::XgboostImport {
        reason: format!("there are {found} column names for {columns} columns"),
        place: "feature_names".into(),
    };
    match (names.len(), given) {
        (0, Some(given)) if given.len() == columns => Ok(given.clone()),
        (0, Some(given)) => Err(mismatch(given.len())),
        // A bound on what a hostile file can make us allocate: names that are not there cost at most this many.
        (0, None) if columns <= 65_535 => FeatureSet::numbered(columns),
        (found, _) if found == columns => FeatureSet::new(names),
        (found, _) => Err(mismatch(found)),
    }
}

/// `"5E-1"` until 3.0, `"[5E-1]"` since: a probability; trees add to its log-odds.
fn base_margin(text: &str) -> Result<f64> {
    let number = text.trim().trim_start_matches('[').trim_end_matches(']').parse::<f64>();
    match number {
        // XGBoost keeps it as f32.
        Ok(base) if base > 0.0 && base < 1.0 => Ok(logit(f64::from(base as f32))),
        _ => Err(ModelError::XgboostImport {
            reason: format!("the base score is {text:?}, it must be one probability"),
            place: "learner_model_param.base_score".into(),
        }),
    }
}

fn logit(probability: f64) -> f64 {
    -(1.0 / probability - 1.0).ln()
}

/// Breadth-first renumbering; every index is checked.
fn renumber(tree: &Tree) -> Result<Vec<Node>, &'static str> {
    const SHORT: &str = "the node arrays differ in length";
    let count = tree.left_children.len();
    let mut nodes = Vec::with_capacity(count);
    let mut order = vec![0usize];
    let mut next = 0;
    while let Some(&at) = order.get(next) {
        next += 1;
        let (left, right) = (*tree.left_children.get(at).ok_or(SHORT)?, *tree.right_children.get(at).ok_or(SHORT)?);
        let number = *tree.split_conditions.get(at).ok_or(SHORT)? as f32;
        let cover = *tree.sum_hessian.get(at).ok_or(SHORT)?;
        if tree.split_type.get(at).is_some_and(|&kind| kind != 0) {
            return Err("a split is categorical, only numeric splits are read");
        }
        if left < 0 && right < 0 {
            nodes.push(Node::leaf(number, cover));
            continue;
        }
        let feature = usize::try_from(*tree.split_indices.get(at).ok_or(SHORT)?).unwrap_or(usize::MAX);
        let missing_left = match tree.default_left.get(at).ok_or(SHORT)? {
            Flag::Bool(flag) => *flag,
            Flag::Number(flag) => *flag != 0,
        };
        if feature > 65_535 {
            return Err("a cut names an unknown column");
        }
        nodes.push(Node::cut(feature, number, missing_left, order.len(), cover));
        for child in [left, right] {
            let child = usize::try_from(child).ok().filter(|&child| child < count).ok_or("a node points outside its tree")?;
            order.push(child);
        }
        if order.len() > count {
            return Err("the nodes do not form one tree");
        }
    }
    Ok(nodes)
}
