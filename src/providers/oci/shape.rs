//! Machine types, which have their size in their name.

use crate::error::{Error, Result};
use crate::providers::cloud::Target;

/// What `--instance-type` stands for: SHAPE:OCPUS:GB, or the name of a shape alone.
#[derive(Debug, PartialEq)]
pub(super) struct Shape {
    pub name: String,
    /// OCPUs and memory in GB of a flexible shape.
    pub size: Option<(u64, u64)>,
}

impl Shape {
    pub fn of(target: &Target) -> Result<Self> {
        let parts: Vec<_> = target.instance_type.split(':').collect();
        let flexible = parts[0].ends_with(".Flex");
        let number = |text: &str| text.parse().ok().filter(|n: &u64| *n > 0);
        let size = match (target.listed, &parts[1..]) {
            (Some(listed), _) => {
                let ocpus = listed.facts.get("ocpus").and_then(toml::Value::as_integer);
                ocpus.and_then(|n| u64::try_from(n).ok()).map(|ocpus| (ocpus, listed.size.memory_mb / 1024))
            }
            (None, [ocpus, memory]) if flexible => number(ocpus).zip(number(memory)),
            (None, _) => None,
        };
        if flexible != size.is_some() || (!flexible && parts.len() > 1) || parts[0].is_empty() {
            return Err(Error::invalid(
                "--instance-type",
                &target.instance_type,
                "must be SHAPE:OCPUS:GB for a flexible shape, e.g. VM.Standard.E5.Flex:2:16; the shape alone for others",
            ));
        }
        Ok(Self { name: parts[0].to_owned(), size })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::PROVIDER;
    use super::*;
    use crate::model::Options;
    use crate::providers::cloud::testing;

    #[test]
    fn a_shape_has_the_size_that_its_name_tells() {
        let shape = |name: &str| {
            let mut spec = testing::spec(&PROVIDER, json!({"allow_unlisted": true}));
            spec.instance_type = Some(name.into());
            Shape::of(&Target::of(&spec, &Options::new()).unwrap())
        };
        let of = |name: &str, size| Shape { name: name.into(), size };
        assert_eq!(shape("VM.Standard.E5.Flex").unwrap(), of("VM.Standard.E5.Flex", Some((2, 16))));
        assert_eq!(shape("VM.Standard.A1.Flex:4:24").unwrap(), of("VM.Standard.A1.Flex", Some((4, 24))));
        assert_eq!(shape("VM.Standard.E9.Flex:3:20").unwrap(), of("VM.Standard.E9.Flex", Some((3, 20))));
        assert_eq!(shape("VM.Standard2.4").unwrap(), of("VM.Standard2.4", None));
        for wrong in
            ["VM.X.Flex", "VM.X.Flex:2", "VM.X.Flex:0:4", "VM.X.Flex:2:4:1", "VM.X.Flex:a:b", "VM.X:2:4", ":1:2"]
        {
            assert_eq!(shape(wrong).unwrap_err().exit_code(), 2, "{wrong}");
        }
    }

    #[test]
    fn every_listed_shape_can_be_asked_for() {
        for name in crate::catalog::instance_types(PROVIDER.name) {
            let mut spec = testing::spec(&PROVIDER, json!({}));
            spec.instance_type = Some(name.clone());
            let shape = Shape::of(&Target::of(&spec, &Options::new()).unwrap()).unwrap();
            let listed = crate::catalog::instance_type(PROVIDER.name, &name).unwrap();
            let (ocpus, memory) = shape.size.unwrap();
            assert_eq!(memory * 1024, listed.size.memory_mb);
            if name.contains(':') {
                assert_eq!(name, format!("{}:{ocpus}:{memory}", shape.name));
            }
        }
    }
}
