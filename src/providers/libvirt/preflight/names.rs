//! Names that the deployment is about to give.

use super::{Context, unanswered};
use crate::model::Check;

pub(super) fn check(context: &Context, checks: &mut Vec<Check>) {
    let title = "names of domains and volumes are free";
    let Some(id) = context.input.id else {
        return checks.push(Check::ok("names", title, "they begin with an id that init makes"));
    };
    let mut taken = Vec::new();
    match context.client.domain_names() {
        Ok(names) => taken.extend(names),
        Err(fault) => return checks.push(unanswered("names", title, &fault)),
    }
    // A pool that is missing or inactive has a check of its own.
    taken.extend(context.client.volume_names(&context.options.pool).unwrap_or_default());
    taken.retain(|name| id.owns(name));
    checks.push(if taken.is_empty() {
        Check::ok("names", title, format!("nothing is called {id}-…"))
    } else if context.input.facts.is_some() {
        // An earlier deploy of this directory has made them.
        Check::ok("names", title, format!("{} of this deployment are there already", taken.len()))
    } else {
        let detail = format!("taken: {}", taken.join(", "));
        Check::failed("names", title, detail).fix("run the command again: it chooses another id")
    });
}
