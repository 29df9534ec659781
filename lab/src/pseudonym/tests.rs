//! Prefixes are kept exactly, names are gone, the same key gives the same words.

use std::net::IpAddr;

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

/// Numbers that look random and are the same in every run (splitmix64).
fn numbers() -> impl Iterator<Item = u64> {
    let mut state = 42_u64;
    std::iter::repeat_with(move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    })
}

#[test]
fn common_prefixes_stay_as_long_as_they_are() {
    let mut numbers = numbers();
    let mut next = || numbers.next().unwrap();
    for near in (0..128).cycle().take(2_000) {
        let a = u128::from(next()) << 64 | u128::from(next());
        // The same up to a place, other after it.
        let b = a ^ (u128::from(next()) << 64 | 1) >> near;
        let pairs = [
            (IpAddr::from(a.to_be_bytes()), IpAddr::from(b.to_be_bytes())),
            (IpAddr::from(((a >> 96) as u32).to_be_bytes()), IpAddr::from(((b >> 96) as u32).to_be_bytes())),
        ];
        for (a, b) in pairs {
            assert_eq!(common(a, b), common(key().address(a), key().address(b)), "{a} {b}");
        }
    }
}

#[test]
fn no_part_of_a_host_or_path_is_left() {
    let mut names = Pseudonyms::new(key());
    let mut numbers = numbers();
    let mut word =
        || numbers.next().unwrap().to_string().bytes().take(7).map(|digit| char::from(b'g' + digit - b'0')).collect::<String>();
    for _ in 0..300 {
        let (host, path) = (format!("{}.{}", word(), word()), format!("/{}/{}", word(), word()));
        let (new_host, new_path) = (names.text("host", &host), names.text("path", &path));
        for part in host.split('.').chain(path.split('/')).filter(|part| !part.is_empty()) {
            assert!(!new_host.contains(part) && !new_path.contains(part), "{new_host} {new_path}");
        }
        assert_eq!((new_path.matches('/').count(), new_host.matches('.').count()), (2, 1));
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
