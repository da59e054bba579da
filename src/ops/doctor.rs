//! `doctor`: every preflight check at once; changes nothing.

use super::preflight::Preflight;
use super::{Context, Given};
use crate::error::Result;
use crate::model::{Check, DoctorReport, Spec};
use crate::providers;

pub async fn run(context: &Context, spec: Spec, given: &Given) -> Result<DoctorReport> {
    let provider = providers::find(&spec.provider)?;
    (provider.validate)(&spec)?;
    let Preflight { checks, .. } = Preflight::run(context, provider, &spec, given, None).await?;
    Ok(DoctorReport { provider: provider.name.into(), ok: !checks.iter().any(Check::is_failed), checks })
}
