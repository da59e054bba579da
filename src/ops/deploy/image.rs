//! The base image: local, checked against its SHA-256, and in the hypervisor's pool once.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::super::blocking::blocking;
use super::super::host::HostConnection;
use super::super::hosts::Hosts;
use super::super::operation::Work;
use super::super::terraform_dir;
use super::super::user_dirs::CacheDirs;
use super::download::tell;
use super::{IMAGE, newest_release};
use crate::error::{Error, Result};
use crate::events::{Event, Pace, Unit};
use crate::model::{BaseImage, ImageLocation, UnfitImage, WarmBase, WarmUse, address_file_name, sha256_hex};
use crate::tools::http;

/// Leaves `base_volume` and `image_sha256` in the state. A provider whose machines are made from
/// an image of its own has nothing to do here.
///
/// `warm`: a warm base of that image is taken instead, if there is one.
pub(in crate::ops) async fn provide(work: &mut Work, offline: bool, warm: bool) -> Result<()> {
    let Some(hosts) = work.cluster.hosts().cloned() else { return Ok(()) };
    work.begin(IMAGE.id);
    if terraform_dir::has_any(&work.dir.terraform_dir(), work.cluster.provider.resources.machines) {
        // The machines' root disks stand on the volume that was recorded; another image is no reason to touch them.
        work.unchanged("the machines have their image already");
        return Ok(());
    }
    let host = hosts.first();
    let image = (host.row().base_image)(host.spec(), &work.dir.state().facts)?;
    // With its warm base nobody needs the image itself, which may have to be downloaded.
    let pinned = image.sha256.clone().or_else(|| work.dir.state().image_sha256.clone());
    let known = pinned.filter(|_| matches!(image.location, ImageLocation::Url(_)));
    if let Some(sha256) = known.as_deref().filter(|_| warm)
        && let Some((base, path)) = super::super::warm::choose(work, sha256).await?
    {
        return use_warm(work, &hosts, sha256, &base, path).await;
    }
    let (path, sha256) = local(work, offline, host, image).await?;
    if warm
        && known.is_none()
        && let Some((base, path)) = super::super::warm::choose(work, &sha256).await?
    {
        return use_warm(work, &hosts, &sha256, &base, path).await;
    }
    let volume = upload_everywhere(work, &hosts, path, &sha256).await?;
    work.done(volume.clone());
    work.dir.uploaded_image(sha256, volume, None)
}

async fn use_warm(work: &mut Work, hosts: &Hosts, of: &str, base: &WarmBase, path: PathBuf) -> Result<()> {
    let volume = upload_everywhere(work, hosts, path, &base.image_sha256).await?;
    work.done(format!(
        "{volume}: the warm base {} (--no-warm does without it)",
        super::super::warm::age(&base.made_at)
    ));
    let (key, image_sha256, made_at) = (base.key.clone(), base.image_sha256.clone(), base.made_at.clone());
    work.dir.uploaded_image(of.to_owned(), volume, Some(WarmUse { key, image_sha256, made_at }))
}

/// Returns the volume's name, which comes from its content: it is the same on each hypervisor.
async fn upload_everywhere(work: &Work, hosts: &Hosts, path: PathBuf, sha256: &str) -> Result<String> {
    let volume = upload(work, hosts.first(), path.clone(), sha256.to_owned()).await?;
    for host in hosts.all().skip(1) {
        upload(work, host, path.clone(), sha256.to_owned()).await?;
    }
    Ok(volume)
}

/// The image as a local file, and its checksum.
async fn local(work: &mut Work, offline: bool, host: &HostConnection, image: BaseImage) -> Result<(PathBuf, String)> {
    // What was pinned at the first download stays, whatever the server says today.
    let pinned = image.sha256.or_else(|| work.dir.state().image_sha256.clone());
    match image.location {
        ImageLocation::File(path) => {
            let hashed = path.clone();
            let sha256 = work.interrupt.run(blocking(move || http::sha256_of(&hashed))).await??;
            match pinned {
                Some(expected) if expected != sha256 => {
                    Err(Error::Checksum { what: path.display().to_string(), expected, found: sha256 })
                }
                _ => match unfit(work, host, &path).await? {
                    Some(UnfitImage { cause, fix }) => {
                        Err(Error::Usage { message: format!("image {} {cause}", path.display()), hint: Some(fix) })
                    }
                    None => Ok((path, sha256)),
                },
            }
        }
        ImageLocation::Url(url) => {
            let dest = CacheDirs::of_user()?.images().join(cache_name(pinned.as_deref(), &url));
            let request = http::Request { url: &url, dest: &dest, sha256: pinned.as_deref(), offline };
            let done = http::download(&request, &mut |n| tell(&work.sink, work.step(), n), &work.interrupt).await;
            let done = match done {
                Ok(done) => done,
                Err(error) => return Err(newest_release::advise(work, offline, &url, error).await),
            };
            if let Some(UnfitImage { cause, fix }) = unfit(work, host, &dest).await? {
                // Else it would be taken from the cache the next time.
                http::discard(&dest)?;
                return Err(Error::Download { url, cause: format!("what came {cause}"), hint: Some(fix) });
            }
            if pinned.is_none() {
                work.detail(format!("the image is pinned from now on: SHA-256 {}", done.sha256));
            }
            // Here, not after the upload: a second attempt shall not take another image.
            work.dir.pinned_image(done.sha256.clone())?;
            let kept = dest.with_file_name(cache_name(Some(&done.sha256), &url));
            match std::fs::rename(&dest, &kept) {
                // Another deployment waited for the same download, and was faster here.
                Err(error) if error.kind() == ErrorKind::NotFound && kept.is_file() => {}
                renamed => renamed.map_err(Error::io(format!("storing {}", kept.display())))?,
            }
            Ok((kept, done.sha256))
        }
    }
}

/// Named by content, or by address while the content is not known. The name itself is for people.
fn cache_name(sha256: Option<&str>, url: &str) -> String {
    // A file system takes 255 bytes; a download adds its own endings.
    const LONGEST: usize = 100;
    let of_address = || sha256_hex(url);
    let id: String = sha256.map_or_else(of_address, str::to_owned);
    let name = address_file_name(url);
    let cut = (name.len().saturating_sub(LONGEST)..name.len()).find(|at| name.is_char_boundary(*at)).unwrap_or(0);
    let name = if name.is_empty() { "image" } else { &name[cut..] };
    format!("{}-{name}", id.get(..16).unwrap_or(&id))
}

/// Before it is pinned or sent anywhere.
pub(in crate::ops) async fn unfit(work: &Work, host: &HostConnection, path: &Path) -> Result<Option<UnfitImage>> {
    let (check, spec) = (host.row().check_image, host.spec().clone());
    let (facts, path) = (work.dir.state().facts.clone(), path.to_owned());
    blocking(move || check(&spec, &facts, &path)).await
}

async fn upload(work: &Work, host: &HostConnection, path: PathBuf, sha256: String) -> Result<String> {
    let (sink, step, changes) = (work.sink.clone(), work.step(), work.on_change());
    // Of an image that is in the pool already nothing is sent, and nothing changes.
    let mut pace = Pace::default();
    let tell = move |done, total| {
        changes();
        if pace.is_due() || done == total {
            sink.emit(Event::StepProgress { step, done, total: Some(total), unit: Unit::Bytes });
        }
    };
    host.upload(path, sha256, tell).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_in_the_cache_is_short_and_has_no_query() {
        let sha256 = "0123456789abcdef".repeat(4);
        let url = format!("https://h/a/noble.img?X-Amz-Signature={}", "f".repeat(300));
        assert_eq!(cache_name(Some(&sha256), &url), "0123456789abcdef-noble.img");
        let unknown = cache_name(None, &url);
        assert!(unknown.ends_with("-noble.img") && !unknown.starts_with("0123456789abcdef"), "{unknown}");
        let long = cache_name(Some(&sha256), &format!("https://h/{}.img", "ü".repeat(200)));
        assert!(long.len() < 130 && long.ends_with("ü.img"), "{long}");
        assert_eq!(cache_name(Some(&sha256), "https://h/"), "0123456789abcdef-image");
    }
}
