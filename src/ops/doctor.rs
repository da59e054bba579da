//! `doctor`: every preflight check at once; changes nothing.

use super::Context;
use super::preflight::Preflight;
use crate::error::Result;
use crate::model::{Check, DoctorReport, Spec};
use crate::providers;

pub async fn run(context: &Context, spec: Spec) -> Result<DoctorReport> {
    let provider = providers::find(&spec.provider)?;
    (provider.validate)(&spec)?;
    let Preflight { checks, .. } = Preflight::run(context, provider, &spec, None).await?;
    Ok(DoctorReport { provider: provider.name.into(), ok: !checks.iter().any(Check::is_failed), checks })
}
