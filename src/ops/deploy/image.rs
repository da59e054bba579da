//! The base image: local, checked against its SHA-256, and in the hypervisor's pool once.

use std::path::PathBuf;

use super::super::blocking::blocking;
use super::super::cache_dirs::CacheDirs;
use super::super::operation::Work;
use super::super::terraform_dir;
use super::{IMAGE, Plan};
use crate::error::{Error, Result};
use crate::events::{Event, EventSink, Unit};
use crate::model::{BaseImage, ImageLocation};
use crate::tools::http::{self, Progress};

/// Leaves `base_volume` and `image_sha256` in the state. A provider whose machines are made from
/// an image of its own has nothing to do here.
pub(super) async fn provide(work: &mut Work, plan: &Plan<'_>) -> Result<()> {
    let Some(hypervisor) = plan.cluster.provider.hypervisor.as_ref() else { return Ok(()) };
    work.begin(IMAGE.id);
    if terraform_dir::has_any(&work.dir.terraform_dir(), plan.cluster.provider.machine_types) {
        // The machines' root disks stand on the volume that was recorded; another image is no reason to touch them.
        work.unchanged("the machines have theirs");
        return Ok(());
    }
    let spec = work.dir.state().spec.clone();
    let image = (hypervisor.base_image)(&spec)?;
    let (path, sha256) = local(work, plan, image).await?;
    let volume = upload(work, plan, path, sha256.clone()).await?;
    work.done(volume.clone());
    work.dir.update(|state| {
        state.image_sha256 = Some(sha256);
        state.base_volume = Some(volume);
    })
}

/// The image as a local file, and its checksum.
async fn local(work: &Work, plan: &Plan<'_>, image: BaseImage) -> Result<(PathBuf, String)> {
    // What was pinned at the first download stays, whatever the server says today.
    let pinned = image.sha256.or_else(|| work.dir.state().image_sha256.clone());
    match image.location {
        ImageLocation::File(path) => {
            let hashed = path.clone();
            let sha256 = work.unless_interrupted(blocking(move || http::sha256_of(&hashed))).await?;
            match pinned {
                Some(expected) if expected != sha256 => {
                    Err(Error::Checksum { what: path.display().to_string(), expected, found: sha256 })
                }
                _ => Ok((path, sha256)),
            }
        }
        ImageLocation::Url(url) => {
            let expected = match (pinned, image.checksums_url) {
                (Some(sha256), _) => sha256,
                (None, Some(sums)) => published_checksum(work, plan, &sums, &url).await?,
                (None, None) => {
                    return Err(Error::Usage {
                        message: format!("the image {url} has no checksum"),
                        hint: Some("give it with --libvirt-image-sha256".into()),
                    });
                }
            };
            let name = url.rsplit('/').next().unwrap_or("image");
            let dest = CacheDirs::of_user()?.images().join(format!("{}-{name}", &expected[..16]));
            let request =
                http::Request { url: &url, dest: &dest, sha256: Some(&expected), offline: plan.request.offline };
            let done = http::download(&request, &mut |n| tell(&work.sink, work.step(), n), &work.interrupt).await?;
            Ok((dest, done.sha256))
        }
    }
}

async fn published_checksum(work: &Work, plan: &Plan<'_>, sums: &str, url: &str) -> Result<String> {
    let mut report = |notice: Progress| tell(&work.sink, work.step(), notice);
    let text = http::get_text(sums, plan.request.offline, &mut report, &work.interrupt).await?;
    let file = url.rsplit('/').next().unwrap_or_default();
    http::parse_sha256sums(&text, file).ok_or_else(|| Error::Download {
        url: sums.to_owned(),
        cause: format!("it has no line for {file}"),
        hint: Some("give the checksum with --libvirt-image-sha256".into()),
    })
}

async fn upload(work: &Work, plan: &Plan<'_>, path: PathBuf, sha256: String) -> Result<String> {
    let Some(hypervisor) = plan.cluster.provider.hypervisor.as_ref() else { return Ok(String::new()) };
    let spec = work.dir.state().spec.clone();
    let (sink, interrupt, step) = (work.sink.clone(), work.interrupt.clone(), work.step());
    let result = blocking(move || {
        let mut progress = |done, total| {
            sink.emit(Event::StepProgress { step, done, total: Some(total), unit: Unit::Bytes });
            interrupt.signal().is_none()
        };
        (hypervisor.upload_image)(&spec, &path, &sha256, &mut progress)
    })
    .await;
    match work.interrupt.signal() {
        Some(signal) => Err(Error::Interrupted { signal }),
        None => result,
    }
}

/// What a download says, as events of a step.
pub(super) fn tell(sink: &EventSink, step: &'static str, progress: Progress) {
    match progress {
        Progress::Bytes { done, total } => sink.emit(Event::StepProgress { step, done, total, unit: Unit::Bytes }),
        Progress::Note(note) => sink.detail(step, note),
    }
}
