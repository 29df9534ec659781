//! Prefixes are kept exactly, names are gone, the same key gives the same words.

use std::net::IpAddr;

use proptest::prelude::*;

use super::*;

fn key() -> Key {
    Key::new([7; 32])
}

fn common(a: IpAddr, b: IpAddr) -> u32 {
    match (a, b) {
        (IpAddr::V4(a), IpAddr::V4(b)) => (u32::from(a) ^ u32::from(b)).leading_zeros(),
        (IpAddr::V6(a), IpAddr::V6(b)) => (u128::from(a) ^ u128::from(b)).leading_zeros(),
        _ => 0,
    }
}

proptest! {
    #[test]
    fn common_prefixes_stay_as_long_as_they_are(a in any::<u32>(), b in any::<u32>(), near in 0_u32..32, c in any::<u128>(), d in any::<u128>()) {
        let b = a ^ b.checked_shr(near).unwrap_or(0);
        for (a, b) in [(IpAddr::from(a.to_be_bytes()), IpAddr::from(b.to_be_bytes())), (IpAddr::from(c.to_be_bytes()), IpAddr::from(d.to_be_bytes()))] {
            prop_assert_eq!(common(a, b), common(key().address(a), key().address(b)));
        }
    }

    #[test]
    fn no_part_of_a_host_or_path_is_left(host in "[a-z]{5,9}\\.[a-z]{5,9}", path in "/[g-z]{5,9}/[g-z]{5,9}") {
        let mut names = Pseudonyms::new(key());
        let (new_host, new_path) = (names.text("host", &host), names.text("path", &path));
        for part in host.split('.').chain(path.split('/')).filter(|part| !part.is_empty()) {
            prop_assert!(!new_host.contains(part) && !new_path.contains(part), "{} {}", new_host, new_path);
        }
        prop_assert_eq!(new_path.matches('/').count(), 2);
        prop_assert_eq!(new_host.matches('.').count(), 1);
    }
}

#[test]
fn names_are_replaced_and_figures_stay() {
    let mut names = Pseudonyms::new(key());
    let (a, b) = (names.text("host", "www.shop.example"), names.text("host", "api.shop.example:8443"));
    let end = |host: &str| host.split(':').next().unwrap().split_once('.').unwrap().1.to_owned();
    assert_eq!(end(&a), end(&b), "hosts of one site keep their common end");
    assert_ne!(a.split('.').next(), names.text("host", "www.other.example").split('.').next());
    let referer = names.text("referer", "https://www.shop.example/basket?user=anna");
    assert!(referer.starts_with(&format!("https://{a}/p")) && !referer.contains("anna"), "{referer}");
    assert_eq!(names.text("ua_family", "chrome"), "chrome");
    assert_eq!(names.text("ja4", "t13d1516h2_8daaf6152771_e5627efa2ab1"), "t13d1516h2_8daaf6152771_e5627efa2ab1");
    // A column that nobody thought of is replaced; an address is one wherever it stands.
    assert_ne!(names.text("something_new", "anna"), "anna");
    assert_eq!(names.text("source", "192.0.2.7"), names.text("src_ip", "192.0.2.7"));
    assert_ne!(names.text("source", "192.0.2.7"), "192.0.2.7");
    let batch = RecordBatch::try_from_iter([
        ("hits", Arc::new(Int64Array::from(vec![3])) as ArrayRef),
        ("asn", Arc::new(Int64Array::from(vec![64_500]))),
        ("user_agent", Arc::new(StringArray::from(vec!["Mozilla/5.0 anna"]))),
    ])
    .unwrap();
    let out = names.batch(&batch).unwrap();
    let int = |column: usize| out.column(column).as_any().downcast_ref::<Int64Array>().unwrap().value(0);
    assert_eq!(int(0), 3);
    assert!((4_200_000_000..4_294_967_295).contains(&int(1)));
    assert_ne!(
        names.text("user_agent", "Mozilla/5.0 anna"),
        Pseudonyms::new(Key::new([8; 32])).text("user_agent", "Mozilla/5.0 anna")
    );
}

#[test]
fn a_key_file_is_made_once_and_only_its_owner_reads_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.key");
    let made = Key::open(&path).unwrap();
    assert_eq!(Key::open(&path).unwrap(), made);
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&path).unwrap().permissions()) & 0o077, 0);
    let secret = std::fs::read_to_string(&path).unwrap();
    assert!(!format!("{made:?}").contains(&secret[..8]), "a key is not printed");
    std::fs::write(&path, "no key").unwrap();
    assert!(Key::open(&path).unwrap_err().to_string().contains("holds no key"));
}
