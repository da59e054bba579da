use std::net::IpAddr;

/// Whether a release may come from there: encrypted, or from this machine.
pub fn is_safe(url: &str) -> bool {
    match url.split_once("://") {
        Some(("https", rest)) => !host(rest).is_empty(),
        Some(("http", rest)) => {
            let host = host(rest);
            host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
        }
        _ => false,
    }
}

fn host(rest: &str) -> &str {
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let place = authority.rsplit_once('@').map_or(authority, |(_, place)| place);
    match place.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => place.split(':').next().unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_asked_without_encryption() {
        for safe in
            ["https://h/x", "http://localhost:1/x", "http://127.0.0.2", "http://[::1]:80/x", "http://me:pw@127.0.0.1/"]
        {
            assert!(is_safe(safe), "{safe}");
        }
        for not in [
            "http://h/x",
            "http://localhost.example.com/x",
            "http://127.0.0.1@example.com/x",
            "https://",
            "https:///x",
            "ftp://h/x",
            "file:///x",
            "/x",
            "",
        ] {
            assert!(!is_safe(not), "{not}");
        }
    }
}
