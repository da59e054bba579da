//! The line by which a guest tells its address where nobody else knows it.
//!
//! On a bridge that is attached directly, addresses come from a DHCP server outside. cloud-init
//! prints `exasol-address: n11 192.0.2.5` on the serial console once the network is up.

use std::net::IpAddr;

const KEY: &str = "exasol-address:";

/// The node and its address, if the line tells them. Whatever the console puts before it
/// (timestamps, a process's name, colours) and behind it is no matter.
pub(super) fn parse(line: &str) -> Option<(String, IpAddr)> {
    let (_, told) = line.rsplit_once(KEY)?;
    let mut words = told.split(|c: char| c.is_whitespace() || c.is_control()).filter(|w| !w.is_empty());
    let node = words.next().filter(|name| is_node(name))?;
    let address: IpAddr = words.next()?.parse().ok()?;
    let dialable = !address.is_loopback() && !address.is_unspecified() && !address.is_multicast();
    dialable.then(|| (node.to_owned(), address))
}

fn is_node(name: &str) -> bool {
    name.strip_prefix('n').is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_address_is_read_from_what_a_console_prints() {
        let expected = Some(("n11".to_owned(), "192.0.2.5".parse().unwrap()));
        assert_eq!(parse("exasol-address: n11 192.0.2.5"), expected);
        assert_eq!(parse("[   41.2] cloud-init[512]: exasol-address: n11 192.0.2.5\r"), expected);
        assert_eq!(parse("\x1b[0mexasol-address: n11 192.0.2.5 \r\r"), expected);
        assert_eq!(parse("exasol-address: n12 2001:db8::7").unwrap().0, "n12");
    }

    #[test]
    fn anything_else_is_not_an_address() {
        for line in [
            "",
            "n11 192.0.2.5",
            "exasol-address: n11",
            "exasol-address: root 192.0.2.5",
            "exasol-address: n11 127.0.0.1",
            "exasol-address: n11 192.0.2",
            "exasol-address: n 192.0.2.5",
        ] {
            assert_eq!(parse(line), None, "{line}");
        }
    }

    proptest! {
        #[test]
        fn a_console_may_print_anything(line in ".{0,80}") {
            let _ = parse(&line);
        }
    }

    #[test]
    fn fuzz_address_lines() {
        let seeds = ["[   12.3] cloud-init[7]: exasol-address: n11 192.0.2.5\r", "exasol-address: n12 2001:db8::1"];
        crate::fuzz::text_target("address-lines", &seeds, |line| {
            assert!(parse(line).is_none_or(|(node, address)| is_node(&node) && !address.is_loopback()));
        });
    }
}
