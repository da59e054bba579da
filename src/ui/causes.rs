//! Common causes of failures, recognized by what tools print: one table. Each gets a sentence that says what is wrong,
//! and what to try.

/// What is behind a failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cause {
    /// Stable, for programs.
    pub code: &'static str,
    /// What is wrong, in one sentence.
    pub sentence: String,
    /// What to try, before the command is run again.
    pub try_first: &'static str,
}

struct Row {
    code: &'static str,
    /// In lower case; one of them is in the text. Of `this & that` both are.
    signs: &'static [&'static str],
    /// `{host}` is the host that the text names.
    sentence: &'static str,
    try_first: &'static str,
}

/// The first row that fits counts.
static TABLE: &[Row] = &[
    Row {
        code: "proxy",
        signs: &["proxyconnect", "proxy authentication required", "connect tunnel failed", "received http code 407"],
        sentence: "the proxy does not answer, or does not let this machine through",
        try_first: "check HTTPS_PROXY and NO_PROXY, then",
    },
    Row {
        code: "plugin_checksum",
        signs: &["doesn't match any of the checksums previously recorded"],
        sentence: "a plugin of Terraform's is not the one that its authors published",
        try_first: "find out where it comes from (if you build it yourself: EXASOL_PROVIDER_CHECKSUMS in exasol help env), then",
    },
    Row {
        code: "dns",
        signs: &[
            "no such host",
            "name or service not known",
            "temporary failure in name resolution",
            "could not resolve host",
            "failed to lookup address",
            "server misbehaving",
        ],
        sentence: "{host} is not found (DNS). Is this machine offline?",
        try_first: "check the network, the name server or the proxy (HTTPS_PROXY), then",
    },
    Row {
        code: "apparmor",
        signs: &["apparmor", "could not open ' & ': permission denied"],
        sentence: "QEMU may not open a file: AppArmor or the file's permissions forbid it",
        try_first: "look for DENIED in the host's kernel log (dmesg), and check with exasol doctor, then",
    },
    Row {
        code: "no_room",
        signs: &["no space left on device", "enospc", "disk quota exceeded", "not enough free space"],
        sentence: "there is no room left on a disk",
        try_first: "make room (df -h shows where), then",
    },
    Row {
        code: "quota",
        signs: &[
            "limitexceeded",
            "limit exceeded",
            "quotaexceeded",
            "quota exceeded",
            "approved quota",
            "exceeding approved",
            "quota ' & ' exceeded",
            "resource_limit_exceeded",
            "will exceed your",
            "exceeds the limit",
        ],
        sentence: "the account's quota does not allow that much",
        try_first: "ask the cloud for a higher limit, or choose smaller machines, then",
    },
    Row {
        code: "no_capacity",
        signs: &[
            "insufficientinstancecapacity",
            "out of host capacity",
            "skunotavailable",
            "zone_resource_pool_exhausted",
            "resource_unavailable",
            "allocationfailed",
        ],
        sentence: "the cloud has no such machine free there at the moment",
        try_first: "wait, or choose another machine type or another place, then",
    },
    Row {
        code: "credentials_refused",
        signs: &[
            "authfailure",
            "invalidclienttokenid",
            "signaturedoesnotmatch",
            "expiredtoken",
            "unable to authenticate",
            "invalid_grant",
            "invalidauthenticationtoken",
            "notauthenticated",
            "token is invalid",
            "token you are using is invalid",
            "no valid credential sources",
            "could not find default credentials",
            "401 unauthorized",
            "statuscode: 401",
        ],
        sentence: "the cloud refuses the credentials",
        try_first: "check the account's key or token (exasol doctor says where it was found), then",
    },
    Row {
        code: "permission",
        signs: &[
            "unauthorizedoperation",
            "accessdenied",
            "does not have authorization",
            "authorizationfailed",
            "permission_denied",
            "error 403: required",
            "notauthorizedornotfound",
            "insufficient permission",
            "403 forbidden",
            "you are not authorized",
        ],
        sentence: "the account is known, but may not do that",
        try_first: "give it the rights that exasol init --show-permissions prints, then",
    },
    Row {
        code: "registry_unreachable",
        signs: &[
            "could not connect to registry",
            "failed to query available provider packages",
            "failed to install provider",
            "error while installing",
        ],
        sentence: "Terraform cannot download a plugin: {host} cannot be reached",
        try_first: "check the network or the proxy (HTTPS_PROXY), then",
    },
    Row {
        code: "unreachable",
        signs: &[
            "no route to host",
            "network is unreachable",
            "connection timed out",
            "i/o timeout",
            "context deadline exceeded",
        ],
        sentence: "{host} cannot be reached over the network",
        try_first: "check the network and the firewalls in between, then",
    },
];

/// The cause that these words of a tool tell, if it is a common one.
pub(super) fn explain(text: &str) -> Option<Cause> {
    let lower = text.to_lowercase();
    let is_there = |sign: &&str| sign.split(" & ").all(|part| lower.contains(part));
    let row = TABLE.iter().find(|row| row.signs.iter().any(is_there))?;
    let host = host(text).unwrap_or("a host");
    let sentence = row.sentence.replace("{host}", host);
    Some(Cause { code: row.code, sentence, try_first: row.try_first })
}

/// The host that a text is about: of a failed look-up, or else of the first address.
fn host(text: &str) -> Option<&str> {
    ["lookup ", "resolve host: ", "https://", "connect to host "].into_iter().find_map(|mark| {
        let name = text.split_once(mark)?.1;
        let end = name.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '-'))).unwrap_or(name.len());
        Some(name[..end].trim_end_matches('.')).filter(|name| name.contains('.'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What tools really print, as their makers document or we have recorded it.
    const RECORDED: &[(&str, &str)] = &[
        (
            "dns",
            "Error: Failed to query available provider packages: Could not retrieve the list of available versions for \
          provider hetznercloud/hcloud: could not connect to registry.terraform.io: failed to request discovery document: \
          Get \"https://registry.terraform.io/.well-known/terraform.json\": dial tcp: lookup registry.terraform.io on \
          127.0.0.53:53: server misbehaving",
        ),
        (
            "dns",
            "error sending request for url (https://x-up.s3.amazonaws.com/releases/c4): failed to lookup address \
          information: Name or service not known",
        ),
        (
            "proxy",
            "Get \"https://registry.terraform.io/.well-known/terraform.json\": proxyconnect tcp: dial tcp 10.0.0.1:3128: \
          connect: connection refused",
        ),
        (
            "registry_unreachable",
            "Error: Failed to query available provider packages: Could not retrieve the list of available \
          versions for provider dmacvicar/libvirt: could not connect to registry.terraform.io: Failed to request discovery \
          document: Get \"https://registry.terraform.io/.well-known/terraform.json\": dial tcp 127.0.0.1:443: connect: \
          connection refused",
        ),
        (
            "credentials_refused",
            "operation error EC2: DescribeImages, https response error StatusCode: 401, RequestID: 0c1, api \
          error AuthFailure: AWS was not able to validate the provided access credentials",
        ),
        (
            "credentials_refused",
            "GET https://api.digitalocean.com/v2/account: 401 (request \"7f\") Unable to authenticate you",
        ),
        (
            "credentials_refused",
            "401-NotAuthenticated, The required information to complete authentication was not provided or was incorrect.",
        ),
        (
            "quota",
            "api error VcpuLimitExceeded: You have requested more vCPU capacity than your current vCPU limit of 32 allows \
          for the instance bucket that the specified instance type belongs to.",
        ),
        (
            "quota",
            "Error: creating Linux Virtual Machine: OperationNotAllowed: Operation could not be completed as it results in \
          exceeding approved standardDSv5Family Cores quota.",
        ),
        ("quota", "googleapi: Error 403: Quota 'CPUS' exceeded.  Limit: 8.0 in region europe-west3., quotaExceeded"),
        ("quota", "server limit exceeded (resource_limit_exceeded, 6b2c)"),
        (
            "quota",
            "POST https://api.digitalocean.com/v2/droplets: 422 creating this/these droplet(s) will exceed your droplet limit",
        ),
        ("no_capacity", "500-InternalError, Out of host capacity."),
        ("no_capacity", "error during placement (resource_unavailable, 1f)"),
        (
            "no_room",
            "virError(Code=38, Domain=18, Message='cannot fill file '/var/lib/libvirt/images/x-n11-root': No space left on device')",
        ),
        (
            "permission",
            "api error UnauthorizedOperation: You are not authorized to perform this operation. User: \
          arn:aws:iam::1:user/ci is not authorized to perform: ec2:RunInstances",
        ),
        (
            "permission",
            "AuthorizationFailed: The client 'x' with object id 'y' does not have authorization to perform action \
          'Microsoft.Network/virtualNetworks/write' over scope",
        ),
        (
            "permission",
            "googleapi: Error 403: Required 'compute.instances.create' permission for 'projects/p/zones/z/instances/n11', forbidden",
        ),
        ("permission", "404-NotAuthorizedOrNotFound, Authorization failed or requested resource not found."),
        (
            "apparmor",
            "internal error: process exited while connecting to monitor: qemu-system-x86_64: -blockdev \
          {\"driver\":\"file\",\"filename\":\"/srv/pool/x-n11-root\"}: Could not open '/srv/pool/x-n11-root': Permission denied",
        ),
        (
            "unreachable",
            "n11: Gathering Facts: unreachable: Failed to connect to the host via ssh: ssh: connect to host \
          192.168.122.71 port 22: No route to host",
        ),
    ];

    #[test]
    fn what_tools_really_print_is_understood() {
        for (code, text) in RECORDED {
            assert_eq!(explain(text).map(|cause| cause.code), Some(*code), "{text}");
        }
    }

    #[test]
    fn recorded_runs_of_terraform_are_understood() {
        let unreachable = include_str!("../../tests/fixtures/terraform/init-unreachable.jsonl");
        let cause = explain(unreachable).unwrap();
        assert!(matches!(cause.code, "dns" | "registry_unreachable" | "proxy" | "unreachable"), "{cause:?}");
        assert!(cause.sentence.contains("registry."), "{cause:?}");
    }

    #[test]
    fn the_host_is_named() {
        let sentence = |text: &str| explain(text).unwrap().sentence;
        assert!(sentence(RECORDED[0].1).starts_with("registry.terraform.io is not found (DNS)"));
        assert!(
            sentence(RECORDED[1].1).starts_with("x-up.s3.amazonaws.com is not found"),
            "{}",
            sentence(RECORDED[1].1)
        );
        assert!(sentence("dial tcp: no such host").starts_with("a host is not found"));
    }

    #[test]
    fn what_is_not_known_is_not_guessed() {
        for text in ["", "exit status 9: error with ******** inside", "n11: Install: exit status 1: stage c"] {
            assert_eq!(explain(text), None, "{text}");
        }
        let denied = "Permission denied (publickey).";
        assert_eq!(explain(denied), None, "that is no matter of the cloud, nor of QEMU");
    }

    #[test]
    fn fuzz_causes() {
        let seeds: Vec<_> = RECORDED.iter().map(|(_, text)| *text).collect();
        crate::fuzz::text_target("causes", &seeds, |text| drop(explain(text)));
    }
}
