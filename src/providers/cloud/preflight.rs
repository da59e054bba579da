//! What can be known of a cloud without asking it.

use super::target::Target;
use crate::model::{Check, Options, Outcome};
use crate::providers::PreflightInput;

/// Region and machine type; records the region, so that it stays what it was at `init`.
pub(in crate::providers) fn preflight(input: &PreflightInput) -> Outcome {
    let facts = input.facts.cloned().unwrap_or_default();
    match Target::of(input.spec, &facts) {
        Ok(target) => Outcome { checks: vec![place(&target), machine(&target)], facts: recorded(facts, &target) },
        Err(error) => {
            let mut check = Check::failed("target", "region and machine type", error.to_string());
            check.exit_code = error.exit_code();
            Outcome { checks: vec![check], facts }
        }
    }
}

fn place(target: &Target) -> Check {
    match target.region_facts {
        Some(_) => Check::ok("region", "region", target.region.clone()),
        None => Check::warning("region", "region", format!("{} is not in the catalogue", target.region)),
    }
}

fn machine(target: &Target) -> Check {
    let Target { instance_type, arch, .. } = target;
    match target.listed {
        Some(t) => Check::ok(
            "instance_type",
            "machine type",
            format!("{instance_type}: {} vCPUs, {} GB, {arch}", t.size.vcpus, t.size.memory_mb / 1024),
        ),
        None => Check::warning(
            "instance_type",
            "machine type",
            format!("{instance_type} is not in the catalogue; assumed to be {arch}"),
        ),
    }
}

fn recorded(mut facts: Options, target: &Target) -> Options {
    facts.insert("region".into(), target.region.clone().into());
    facts
}
