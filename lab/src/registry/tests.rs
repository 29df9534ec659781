//! The registry against damage and malice: what is kept is what was given, or it is refused with a sentence.

use ja4_models::{EnsembleParams, FeatureSet, Fit as _, Matrix, Rng, Voice as _};

use super::*;

fn model(seed: u64) -> Vec<u8> {
    let mut rng = Rng::stream(seed, 0);
    let values = (0..200).map(|_| rng.normal()).collect();
    let table = Matrix::new(FeatureSet::new(["a", "b"]).unwrap(), values).unwrap();
    let eif = ja4_models::EifParams::default().trees(5);
    EnsembleParams::default().eif(eif).autoencoder(None).boosted(None).check().unwrap().fit(&table, None, 1).unwrap().to_bytes()
}

fn kept(root: &Path, seed: u64) -> (Registry, String) {
    let registry = Registry::new(root);
    let manifest = Manifest { created_ns: i64::try_from(seed).unwrap(), ..Manifest::default() };
    let id = registry.add(manifest, &[("complete.ja4model", model(seed))]);
    (registry, id.unwrap())
}

#[test]
fn versions_come_back_whole_and_can_be_taken_into_use_and_back() {
    let folder = tempfile::tempdir().unwrap();
    let (registry, first) = kept(folder.path(), 1);
    let (_, second) = kept(folder.path(), 2);
    assert_eq!(kept(folder.path(), 1).1, first, "the same model is kept once");
    let (list, damaged) = registry.list().unwrap();
    assert_eq!((list.len(), damaged.len()), (2, 0));
    let manifest = registry.show(&first).unwrap();
    assert_eq!(manifest.models[0].features, ["a", "b"]);
    assert!(manifest.crates.contains_key("ndarray") && manifest.models[0].threshold > 0.0);
    registry.promote(&first).unwrap();
    registry.promote(&second).unwrap();
    assert_eq!(registry.current().unwrap().current, second);
    assert_eq!(registry.rollback().unwrap().current, first);
    assert!(registry.rollback().unwrap_err().to_string().contains("no other model was in use"));
}

#[test]
fn a_bundle_carries_a_version_and_damage_to_its_models_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (registry, id) = kept(&folder.path().join("here"), 3);
    let bundle = folder.path().join("x.ja4bundle");
    registry.export(&id, &bundle).unwrap();
    let there = Registry::new(&folder.path().join("there"));
    assert_eq!(there.import(&bundle).unwrap(), id);
    assert_eq!(there.files(&id).unwrap().1, registry.files(&id).unwrap().1);
    let whole = fs::read(&bundle).unwrap();
    let empty = Registry::new(&folder.path().join("empty"));
    for position in (0..whole.len()).step_by(whole.len() / 200 + 1) {
        let mut damaged = whole.clone();
        damaged[position] ^= 0x15;
        fs::write(&bundle, &damaged).unwrap();
        // A changed word of a note is no damage to the models; everything else must be refused.
        if let Ok(kept) = empty.import(&bundle) {
            assert_eq!(empty.files(&kept).unwrap().1, registry.files(&id).unwrap().1, "byte {position}");
        }
        fs::write(&bundle, &whole[..position]).unwrap();
        assert!(empty.import(&bundle).is_err(), "cut at {position}");
    }
}

#[test]
fn names_from_outside_never_become_paths() {
    let folder = tempfile::tempdir().unwrap();
    let (registry, id) = kept(folder.path(), 4);
    for name in ["../../etc", "", "..", "0123456789abcdeg", "0123456789ABCDEF"] {
        let message = registry.show(name).unwrap_err().to_string();
        assert!(message.contains("16 hexadecimal digits"), "{message}");
    }
    let path = folder.path().join("versions").join(&id).join("manifest.json");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("complete.ja4model", "../../../secret")).unwrap();
    assert!(registry.files(&id).unwrap_err().to_string().contains("a file that no model has"));
    fs::write(&path, "{").unwrap();
    assert!(registry.show(&id).unwrap_err().to_string().contains("no manifest"));
    assert_eq!(registry.list().unwrap().1.len(), 1, "one damaged version does not hide the list");
}

#[test]
fn a_changed_model_is_not_taken_into_use() {
    let folder = tempfile::tempdir().unwrap();
    let (registry, id) = kept(folder.path(), 5);
    let path = folder.path().join("versions").join(&id).join("complete.ja4model");
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&path, bytes).unwrap();
    assert!(registry.promote(&id).unwrap_err().to_string().contains("changed or damaged"));
    assert_eq!(registry.current().unwrap(), Current::default());
}
