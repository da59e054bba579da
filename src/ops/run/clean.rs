//! `run --clean`: destroys what runs have left that were killed.

use std::path::Path;

use super::super::Context;
use super::super::operation::in_dir;
use super::{Place, clear, destroy, save_logs};
use crate::deployment::DeploymentDir;
use crate::error::{Error, Result};
use crate::model::CleanReport;

/// `name`: only that run's. What a run still uses stays.
///
/// # Errors
/// That of the first destroy that failed, after the others were tried.
pub async fn clean(context: &Context, name: Option<&str>, logs: Option<&Path>) -> Result<CleanReport> {
    let (left, working) = Place::left()?;
    let wanted = |run: &str| name.is_none_or(|name| name == run);
    let mut report = CleanReport {
        destroyed: Vec::new(),
        at_work: working.into_iter().filter(|run| wanted(run)).collect(),
        warnings: Vec::new(),
    };
    let mut trouble = None;
    for place in left.into_iter().filter(|place| wanted(&place.name)) {
        if DeploymentDir::open(&place.dir).is_ok() {
            if let Err(error) = destroy(context, &place.dir).await {
                if matches!(error, Error::Interrupted { .. }) {
                    return Err(error);
                }
                report.warnings.push(format!("NOT DESTROYED: {error}; {}", in_dir("exasol destroy", &place.dir)));
                trouble.get_or_insert(error);
                continue;
            }
            report.destroyed.push(place.name.clone());
            save_logs(context, &place.dir, logs);
            clear(&place.dir)?;
        }
    }
    match trouble {
        None => Ok(report),
        Some(error) => {
            report.warnings.into_iter().for_each(|warning| context.sink.warn(warning));
            Err(error)
        }
    }
}
