//! The image that nodes boot from, as a volume that deployments share.
//!
//! It is named by its content's hash, and a second, tiny volume beside it, written last, says that
//! it is whole. libvirt has no lock for this (two uploads into one volume are both let through, and
//! a volume under upload can be deleted: tried with 9.0), and needs none: whoever uploads to that
//! name writes the same bytes to the same places, and marks the volume only after writing all of
//! them. So a killed upload leaves a volume without a mark, which the next one writes again from the
//! start; of two at once, the second waits while the first gets on. What is sent is summed up on its
//! way: a file that was changed since its hash was taken is not marked.

use std::fs::File;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::client::{Access, Answer, Client, FaultKind, Upload, Volume};
use super::connection::Libvirt;
use crate::error::{Error, Result};
use crate::model::quote;
use crate::providers::CachedVolume;

const PREFIX: &str = "exasol-base-";
const IMAGE: &str = ".qcow2";
const MARK: &str = ".ok";
/// Bytes of the mark, which has no content.
const MARK_BYTES: u64 = 512;
/// Another upload that has written nothing for so long has been killed.
const STALLED: Duration = Duration::from_secs(5);
/// An image without a mark that changed so recently is taken for one that is being uploaded.
const FRESH_SECONDS: i64 = 600;

/// `exasol-base-` and 16 hex digits of the content's SHA-256.
fn names(sha256: &str) -> (String, String) {
    let short = sha256.get(..16).unwrap_or(sha256);
    (format!("{PREFIX}{short}{IMAGE}"), format!("{PREFIX}{short}{MARK}"))
}

/// The whole volume with that content, if it is in the pool.
pub(super) fn find(client: &Client, pool: &str, sha256: &str) -> Answer<Option<Volume>> {
    let (image, mark) = names(sha256);
    match client.volume(pool, &image)? {
        Some(volume) if client.volume(pool, &mark)?.is_some() => Ok(Some(volume)),
        _ => Ok(None),
    }
}

/// Puts a local image into the pool, once; returns the volume's name.
pub(super) fn upload(
    host: &Libvirt,
    path: &Path,
    sha256: &str,
    progress: &mut dyn FnMut(u64, u64) -> bool,
) -> Result<String> {
    let Libvirt { client, site, .. } = host;
    let during = format!("upload {} to storage pool '{}'", path.display(), site.pool);
    let file = || File::open(path).map_err(Error::io(format!("cannot read {}", path.display())));
    let length = file()?.metadata().map_err(Error::io(format!("cannot read {}", path.display())))?.len();
    let (image, mark) = names(sha256);
    let job = Job { client, pool: &site.pool, image: &image, mark: &mark, length };
    // The pool is looked at anew: other programs may have changed its folder.
    client.pool(&site.pool).map_err(|f| f.during(&during))?;
    loop {
        match job.state().map_err(|f| f.during(&during))? {
            State::Whole => return Ok(image),
            State::Absent => job.create().map_err(|f| f.during(&during))?,
            State::Partial(volume) => {
                if job.somebody_gets_on(volume, progress).map_err(|f| f.during(&during))? {
                    continue;
                }
            }
            State::Foreign(found) => {
                let (uri, pool, volume) = (quote(&site.uri.to_string()), quote(&site.pool), quote(&image));
                let fix = format!("remove it: virsh -c {uri} vol-delete --pool {pool} {volume}");
                let message = format!("volume {image} has {found} bytes, the image has {length}");
                return Err(Error::Usage { message, hint: Some(fix) });
            }
        }
        match job.fill(&mut file()?, progress).map_err(|f| f.during(&during))? {
            Upload::Complete { sha256: sent } if sent == sha256 => job.mark().map_err(|f| f.during(&during))?,
            Upload::Complete { sha256: found } => {
                // Without a mark nobody uses it; that it goes as well is only tidy.
                let _ = client.delete_volume(&site.pool, &image);
                let (what, expected) = (format!("{}, as it was sent,", path.display()), sha256.to_owned());
                return Err(Error::Checksum { what, expected, found });
            }
            Upload::GivenUp => return Err(Error::other(format!("{during}: given up"))),
        }
    }
}

struct Job<'a> {
    client: &'a Client,
    pool: &'a str,
    image: &'a str,
    mark: &'a str,
    length: u64,
}

enum State {
    Absent,
    Partial(Volume),
    Whole,
    /// A volume of that name that no upload of this image has made; its length.
    Foreign(u64),
}

impl Job<'_> {
    fn state(&self) -> Answer<State> {
        let marked = self.client.volume(self.pool, self.mark)?.is_some();
        Ok(match self.client.volume(self.pool, self.image)? {
            None => {
                if marked {
                    // Its image was taken away: the next one must not be trusted before it is whole.
                    self.client.delete_volume(self.pool, self.mark)?;
                }
                State::Absent
            }
            // Made with the image's own length from the beginning.
            Some(volume) if volume.physical.is_some_and(|bytes| bytes != self.length) => {
                State::Foreign(volume.physical.unwrap_or_default())
            }
            Some(_) if marked => State::Whole,
            Some(volume) => State::Partial(volume),
        })
    }

    /// An empty file of the image's length. Of two that do this at once one comes too late, which is no harm.
    fn create(&self) -> Answer<()> {
        match self.client.create_raw_volume(self.pool, self.image, self.length, Access::Everybody) {
            Err(fault) if fault.kind == FaultKind::Exists => Ok(()),
            other => other,
        }
    }

    fn fill(&self, file: &mut File, progress: &mut dyn FnMut(u64, u64) -> bool) -> Answer<Upload> {
        self.client.upload(self.pool, self.image, file, self.length, progress)
    }

    fn mark(&self) -> Answer<()> {
        match self.client.create_raw_volume(self.pool, self.mark, MARK_BYTES, Access::Everybody) {
            Err(fault) if fault.kind == FaultKind::Exists => Ok(()),
            other => other,
        }
    }

    /// Waits while a volume without a mark changes. True: look again; false: nobody is at it, write it.
    fn somebody_gets_on(&self, mut volume: Volume, progress: &mut dyn FnMut(u64, u64) -> bool) -> Answer<bool> {
        if !is_fresh(&volume) {
            return Ok(false);
        }
        let mut changed = Instant::now();
        while changed.elapsed() < STALLED {
            if !progress(volume.allocation.min(self.length), self.length) {
                return Ok(false);
            }
            sleep(Duration::from_millis(500));
            self.client.pool(self.pool)?;
            match self.state()? {
                State::Partial(now) if now.allocation == volume.allocation && now.modified == volume.modified => {}
                State::Partial(now) => {
                    changed = Instant::now();
                    volume = now;
                }
                _ => return Ok(true),
            }
        }
        Ok(false)
    }
}

/// By this machine's clock: a hypervisor whose clock is far off makes an upload wait for nothing, or not wait.
fn is_fresh(volume: &Volume) -> bool {
    let now =
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| i64::try_from(d.as_secs()).unwrap_or(i64::MAX));
    volume.modified.is_some_and(|modified| (now - modified).abs() < FRESH_SECONDS)
}

/// Base images in the pool, each with the volumes that need it.
pub(super) fn cached(Libvirt { client, site, .. }: &Libvirt) -> Result<Vec<CachedVolume>> {
    let during = format!("list the volumes of storage pool '{}'", site.pool);
    if !client.pool(&site.pool).map_err(|f| f.during(&during))?.is_some_and(|pool| pool.active) {
        return Ok(Vec::new());
    }
    list(client, &site.pool).map_err(|f| f.during(&during))
}

fn list(client: &Client, pool: &str) -> Answer<Vec<CachedVolume>> {
    // A layer may be in another pool than the image below it.
    let mut all = Vec::new();
    for other in client.active_pools()? {
        match client.volumes(&other.name) {
            Ok(volumes) => all.extend(volumes),
            Err(fault) if other.name == pool => return Err(fault),
            // Somebody else's pool that cannot be read holds no layers of ours.
            Err(_) => {}
        }
    }
    let backs =
        |path: &str| all.iter().filter(|v| v.backing.as_deref() == Some(path)).map(|v| v.name.clone()).collect();
    let images = all.iter().filter(|v| v.pool == pool && is_image(&v.name));
    Ok(images
        .map(|v| CachedVolume {
            pool: pool.to_owned(),
            name: v.name.clone(),
            bytes: v.allocation,
            backs: backs(&v.path),
        })
        .collect())
}

fn is_image(name: &str) -> bool {
    name.starts_with(PREFIX) && name.ends_with(IMAGE)
}

/// Removes a base image that backs nothing and that nobody is uploading.
pub(super) fn remove(Libvirt { client, site, .. }: &Libvirt, name: &str) -> Result<()> {
    let pool = site.pool.as_str();
    if !is_image(name) {
        return Err(Error::other(format!("{name} is not a base image of this tool")));
    }
    let during = format!("remove volume {name} from storage pool '{pool}'");
    let in_use = || -> Result<()> {
        let images = list(client, pool).map_err(|f| f.during(&during))?;
        match images.into_iter().find(|v| v.name == name) {
            Some(volume) if !volume.backs.is_empty() => {
                Err(Error::other(format!("{during}: {} need it", volume.backs.join(", "))))
            }
            _ => Ok(()),
        }
    };
    client.pool(pool).map_err(|f| f.during(&during))?;
    in_use()?;
    let mark = format!("{}{MARK}", name.trim_end_matches(IMAGE));
    let marked = client.volume(pool, &mark).map_err(|f| f.during(&during))?.is_some();
    let volume = client.volume(pool, name).map_err(|f| f.during(&during))?;
    if !marked && volume.as_ref().is_some_and(is_fresh) {
        return Err(Error::other(format!("{during}: it is being uploaded")));
    }
    // The mark first: without it nobody begins to use the image.
    client.delete_volume(pool, &mark).map_err(|f| f.during(&during))?;
    if let Err(error) = in_use() {
        client.create_raw_volume(pool, &mark, MARK_BYTES, Access::Everybody).map_err(|f| f.during(&during))?;
        return Err(error);
    }
    client.delete_volume(pool, name).map_err(|f| f.during(&during))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_the_content_s() {
        let (image, mark) = names(&"0123456789abcdef".repeat(4));
        assert_eq!(image, "exasol-base-0123456789abcdef.qcow2");
        assert_eq!(mark, "exasol-base-0123456789abcdef.ok");
        assert!(is_image(&image) && !is_image(&mark));
    }
}
