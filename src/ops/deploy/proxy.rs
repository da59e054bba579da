//! The proxy settings of whoever deploys, as far as they are of use on a node.

use std::net::IpAddr;

use crate::render::Proxies;

/// As curl, apt and dnf read them.
const NAMES: [&str; 3] = ["http_proxy", "https_proxy", "no_proxy"];

/// From this process's environment.
pub(super) fn of_environment() -> Proxies {
    of(&|name| std::env::var(name).ok())
}

/// The variable in lower case counts before the other.
fn of(env: &dyn Fn(&str) -> Option<String>) -> Proxies {
    let mut proxies = Proxies::default();
    for name in NAMES {
        let set = |name: &str| env(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
        let Some(value) = set(name).or_else(|| set(&name.to_uppercase())) else { continue };
        if value.chars().any(char::is_control) {
            proxies
                .withheld
                .push(format!("{name} of the deployer has control characters: it is not passed on to the nodes"));
        } else if name != "no_proxy" && is_loopback(&value) {
            let (_, place) = parts(&value);
            proxies.withheld.push(format!(
                "the deployer's {name} ({place}) is on its loopback interface, which nodes cannot reach: they fetch \
                packages without it"
            ));
        } else {
            proxies.variables.push((name, value));
        }
    }
    proxies
}

/// What must not be told: values with a password in them, and the password itself.
pub(super) fn secrets(proxies: &Proxies) -> Vec<String> {
    let of = |value: &str| {
        let (login, _) = parts(value);
        let (_, password) = login?.split_once(':')?;
        Some([value.to_owned(), login?.to_owned(), password.to_owned()])
    };
    proxies.variables.iter().filter_map(|(_, value)| of(value)).flatten().collect()
}

/// `user:password` and `host:port` of `http://user:password@host:port/`; the scheme may be left out.
fn parts(value: &str) -> (Option<&str>, &str) {
    let rest = value.split_once("://").map_or(value, |(_, rest)| rest);
    let (login, place) = rest.rsplit_once('@').map_or((None, rest), |(login, place)| (Some(login), place));
    (login, place.split(['/', '?', '#']).next().unwrap_or_default())
}

fn is_loopback(value: &str) -> bool {
    let (_, place) = parts(value);
    let host = match place.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => place.split(':').next().unwrap_or_default(),
    };
    let host = host.trim_end_matches('.').to_lowercase();
    let address: Option<IpAddr> = host.parse().ok();
    address.is_some_and(|a| a.is_loopback() || a.is_unspecified())
        || host == "localhost"
        || host.ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(set: &'static [(&str, &str)]) -> Proxies {
        of(&|name| set.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned()))
    }

    #[test]
    fn either_case_is_read_and_the_lower_one_wins() {
        let proxies =
            with(&[("HTTP_PROXY", "http://a:1"), ("https_proxy", "http://b:2"), ("HTTPS_PROXY", "http://c:3")]);
        assert_eq!(proxies.variables, [("http_proxy", "http://a:1".into()), ("https_proxy", "http://b:2".into())]);
        let proxies = with(&[("NO_PROXY", "10.0.0.0/8,localhost"), ("http_proxy", " ")]);
        assert_eq!(proxies.variables, [("no_proxy", "10.0.0.0/8,localhost".into())]);
        assert_eq!(with(&[]), Proxies::default());
    }

    #[test]
    fn a_proxy_of_the_workstation_alone_is_withheld_and_said_without_its_password() {
        for value in
            ["http://127.0.0.1:3128", "localhost:3128", "http://me:secret@[::1]:8080/", "http://a.localhost.:1"]
        {
            assert!(is_loopback(value), "{value}");
        }
        for value in
            ["http://proxy.example:3128", "10.0.0.1:3128", "http://localhost:x@proxy.example:1", "http://[fd00::1]:1"]
        {
            assert!(!is_loopback(value), "{value}");
        }
        for value in ["http://me:secret@127.0.0.1:3128", "me:sec/ret@127.0.0.1:3128"] {
            let proxies = of(&|name| (name == "HTTPS_PROXY").then(|| value.to_owned()));
            assert_eq!(proxies.variables, []);
            let text = &proxies.withheld[0];
            assert!(text.contains("https_proxy (127.0.0.1:3128)") && !text.contains("sec"), "{text}");
        }
    }

    #[test]
    fn more_lines_than_one_are_no_value() {
        let proxies = with(&[("http_proxy", "http://a:1\nPATH=/tmp")]);
        assert_eq!((proxies.variables.len(), proxies.withheld.len()), (0, 1));
    }

    #[test]
    fn what_is_secret_is_known() {
        let proxies =
            with(&[("http_proxy", "http://me:s3cret@proxy.example:1/"), ("https_proxy", "http://proxy.example:1")]);
        assert_eq!(secrets(&proxies), ["http://me:s3cret@proxy.example:1/", "me:s3cret", "s3cret"]);
    }
}
