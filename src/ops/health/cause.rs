//! Pure: which errors follow from others, so that a cause stands before its symptoms.

use crate::model::{Issue, Layer, Severity};

/// Marks what follows from an error below it, and puts the causes first, those of the lowest layer before others.
pub(super) fn order(issues: &mut [Issue]) {
    let causes: Vec<(String, Layer)> = issues.iter().filter(|issue| is_cause(issue)).filter_map(of_node).collect();
    for issue in issues.iter_mut() {
        issue.follows_from = explained(issue, &causes);
    }
    issues.sort_by_key(|issue| {
        let follows = issue.follows_from.is_some();
        (follows, std::cmp::Reverse(issue.severity), issue.layer, issue.node.clone())
    });
}

fn of_node(issue: &Issue) -> Option<(String, Layer)> {
    Some((issue.node.clone()?, issue.layer))
}

/// An error without which a node takes no part in the cluster.
fn is_cause(issue: &Issue) -> bool {
    use Layer::{Cos, Disks, Services, Ssh, Vm};
    issue.severity == Severity::Error && matches!(issue.layer, Vm | Ssh | Disks | Services | Cos)
}

/// The node whose error explains this one: a lower layer of the same node, or any other node without which the
/// cluster does not come up.
fn explained(issue: &Issue, causes: &[(String, Layer)]) -> Option<String> {
    let node = issue.node.as_ref()?;
    if issue.severity != Severity::Error {
        return None;
    }
    let own =
        causes.iter().filter(|(name, layer)| name == node && *layer < issue.layer).min_by_key(|(_, layer)| *layer);
    let of_cluster = matches!(issue.layer, Layer::Cluster | Layer::Sql);
    let others = causes.iter().filter(|(name, _)| of_cluster && name != node);
    own.or_else(|| others.min_by_key(|(name, layer)| (*layer, name.clone()))).map(|(name, _)| name.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn issue(node: &str, layer: Layer, severity: Severity) -> Issue {
        Issue {
            kind: String::new(),
            node: Some(node.into()),
            layer,
            severity,
            follows_from: None,
            detail: String::new(),
            hint: String::new(),
            command: None,
        }
    }

    fn told(mut issues: Vec<Issue>) -> Vec<String> {
        order(&mut issues);
        let follows = |issue: &Issue| issue.follows_from.as_ref().map(|of| format!(" < {of}")).unwrap_or_default();
        let node = |issue: &Issue| issue.node.clone().unwrap_or_default();
        issues.iter().map(|issue| format!("{} {}{}", node(issue), issue.layer.as_str(), follows(issue))).collect()
    }

    #[test]
    fn a_machine_that_is_off_explains_the_cluster() {
        use Layer::{Cluster, Space, Sql, Vm};
        use Severity::{Error, Warning};
        let issues = vec![
            issue("n11", Sql, Error),
            issue("n11", Cluster, Error),
            issue("n11", Space, Warning),
            issue("n12", Vm, Error),
            issue("n12", Cluster, Error),
        ];
        let expected = ["n12 vm", "n11 space", "n11 cluster < n12", "n12 cluster < n12", "n11 sql < n12"];
        assert_eq!(told(issues), expected);
    }

    #[test]
    fn what_nothing_explains_is_a_cause() {
        use Layer::{Clock, Cluster, Disks, Sql};
        use Severity::Error;
        assert_eq!(told(vec![issue("n11", Sql, Error), issue("n11", Cluster, Error)]), ["n11 cluster", "n11 sql"]);
        let disks = vec![issue("n12", Disks, Error), issue("n11", Disks, Error), issue("n12", Clock, Error)];
        assert_eq!(told(disks), ["n12 clock", "n11 disks", "n12 disks"]);
    }
}
