//! Options that every cloud has.

use crate::model::{OptionDef, OptionKind};

pub(super) const NETWORK_CIDR: &str = "network_cidr";
pub(super) const ALLOW_UNLISTED: &str = "allow_unlisted";

pub const OPTIONS: &[OptionDef] = &[
    OptionDef {
        flag: "network-cidr",
        key: NETWORK_CIDR,
        env: &[],
        value_name: "CIDR",
        kind: OptionKind::Text,
        default: None,
        help: "Private IPv4 network of the nodes [default: the deployment's own /24 in 10.0.0.0/8]",
    },
    OptionDef {
        flag: "allow-unlisted",
        key: ALLOW_UNLISTED,
        env: &[],
        value_name: "",
        kind: OptionKind::Flag,
        default: None,
        help: "Accept a region or machine type that the catalogue does not list",
    },
];
