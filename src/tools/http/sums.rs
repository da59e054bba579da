use crate::model::is_sha256;

/// The SHA-256 that a checksum file gives for `filename`, in lower case. Reads what `sha256sum`
/// writes (`<hex>  name`, `<hex> *name`) and its `--tag` form (`SHA256 (name) = <hex>`).
pub fn parse_sha256sums(text: &str, filename: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let (hex, name) = plain(line).or_else(|| tagged(line))?;
        let name = name.strip_prefix("./").unwrap_or(name);
        (name == filename && is_sha256(hex)).then(|| hex.to_ascii_lowercase())
    })
}

fn plain(line: &str) -> Option<(&str, &str)> {
    let (hex, name) = line.trim_end().split_once(' ')?;
    Some((hex, name.strip_prefix([' ', '*'])?)).filter(|(hex, _)| is_sha256(hex))
}

fn tagged(line: &str) -> Option<(&str, &str)> {
    let (name, hex) = line.trim_end().strip_prefix("SHA256 (")?.rsplit_once(") = ")?;
    Some((hex, name))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    // The form of https://cloud-images.ubuntu.com/releases/noble/release/SHA256SUMS.
    const UBUNTU: &str = "\
e85adde2b1c5d1aaab39ee1c1cb9e0ee6bd3f1c1f0e1a2f6cbdd4d2e1f0aaaaa *ubuntu-24.04-server-cloudimg-amd64.img
0123456789abcdef0123456789abcdef0123456789abcdef0123456789ABCDEF *ubuntu-24.04-server-cloudimg-amd64.img.xz
";

    #[test]
    fn the_whole_name_decides() {
        let found = parse_sha256sums(UBUNTU, "ubuntu-24.04-server-cloudimg-amd64.img").unwrap();
        assert!(found.starts_with("e85adde2"));
        let found = parse_sha256sums(UBUNTU, "ubuntu-24.04-server-cloudimg-amd64.img.xz").unwrap();
        assert!(found.ends_with("abcdef"), "lower case");
        assert_eq!(parse_sha256sums(UBUNTU, "amd64.img"), None);
    }

    #[test]
    fn other_forms_are_read_and_garbage_is_not() {
        let hex = "ab".repeat(32);
        for line in [format!("{hex}  c4"), format!("{hex}  ./c4\r\n"), format!("SHA256 (c4) = {hex}")] {
            assert_eq!(parse_sha256sums(&line, "c4"), Some(hex.clone()), "{line}");
        }
        for line in [format!("{hex} c4"), format!("{}  c4", &hex[1..]), format!("{}  c4", "zz".repeat(32)), "c4".into()]
        {
            assert_eq!(parse_sha256sums(&line, "c4"), None, "{line}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC*") {
            let _ = parse_sha256sums(&text, "c4");
        }
    }

    #[test]
    fn fuzz_sha256sums() {
        let hex = "ab".repeat(32);
        let seed = format!("{hex} *a.img\n{hex}  ./b.img\nSHA256 (c.img) = {hex}\n");
        crate::fuzz::text_target("sha256sums", &[&seed], |text| {
            for name in ["a.img", "b.img", "c.img"] {
                assert!(parse_sha256sums(text, name).is_none_or(|sum| is_sha256(&sum)));
            }
        });
    }
}
