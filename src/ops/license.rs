//! `license show` and `license upload`, through confd on the first node.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::access::Access;
use super::node_program::NodeProgram;
use super::operation::in_dir;
use super::{Context, recorded};
use crate::deployment::DeploymentDir;
use crate::error::{Error, Result};
use crate::model::{LicenseReport, Operation};

const PROGRAM: &str = "license.sh";
const ARGUMENT: &str = "FILE";
const MAX_BYTES: u64 = 1 << 20;
/// Exasol: it may take a few minutes until a new license is in force; confd has it at once, or soon.
const KEPT_LIMIT: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_secs(2);

pub struct UploadRequest {
    pub dir: PathBuf,
    pub file: PathBuf,
}

pub async fn show(context: &Context, root: &Path) -> Result<LicenseReport> {
    let dir = DeploymentDir::open(root)?;
    let program = NodeProgram::first(&dir, &Access::to(&dir)?, PROGRAM)?;
    let fields = context.interrupt.run(program.run("show", Vec::new())).await??;
    Ok(report(&dir, &fields, None, Vec::new()))
}

pub async fn upload(context: &Context, request: UploadRequest) -> Result<LicenseReport> {
    let license = read(&request.file)?;
    let dir = DeploymentDir::open(&request.dir)?.lock(Operation::Update)?;
    let program = NodeProgram::first(&dir, &Access::to(&dir)?, PROGRAM)?;
    let work = async {
        program.run("upload", license.clone().into_bytes()).await?;
        let warning = proven(&program, &license).await?;
        Ok::<_, Error>((program.run("show", Vec::new()).await?, warning))
    };
    let (fields, warning) = context.interrupt.run(work).await??;
    Ok(report(&dir, &fields, Some(request.file), warning.into_iter().collect()))
}

fn read(path: &Path) -> Result<String> {
    let invalid = |why: String| Error::invalid(ARGUMENT, path.display().to_string(), format!("cannot be used: {why}"));
    let unread = |error: std::io::Error| invalid(format!("it cannot be read: {error}"));
    let found = fs::metadata(path).map_err(unread)?;
    if !found.is_file() || found.len() > MAX_BYTES {
        return Err(invalid(format!("a license is a regular file of at most {} MiB", MAX_BYTES >> 20)));
    }
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(MAX_BYTES).read_to_end(&mut bytes)).map_err(unread)?;
    let text = String::from_utf8(bytes).ok().filter(|text| !text.contains('\0'));
    match text {
        None => Err(invalid("a license is a text file, but this is not text".into())),
        Some(text) if text.trim().is_empty() => Err(invalid("it is empty".into())),
        Some(text) => Ok(text),
    }
}

/// confd gives it back as it was given. A warning where it gives none back.
async fn proven(program: &NodeProgram, license: &str) -> Result<Option<String>> {
    let since = Instant::now();
    loop {
        let kept = match program.run("kept", Vec::new()).await {
            Ok(kept) => kept,
            Err(error) => {
                return Ok(Some(format!("confd accepted it, but does not return it for comparison: {error}")));
            }
        };
        if is_same(&kept, license) {
            return Ok(None);
        }
        if since.elapsed() > KEPT_LIMIT {
            let why = format!("confd accepted the license, but has another one {} s later", KEPT_LIMIT.as_secs());
            return Err(Error::other(why));
        }
        tokio::time::sleep(POLL).await;
    }
}

/// Line ends and blanks at the ends of lines are the transport's.
fn is_same(answer: &str, license: &str) -> bool {
    let lines = |text: &str| text.trim().lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>();
    let text = serde_json::from_str::<String>(answer.trim()).unwrap_or_else(|_| answer.to_owned());
    lines(&text) == lines(license)
}

fn report(dir: &DeploymentDir, fields: &str, uploaded: Option<PathBuf>, warnings: Vec<String>) -> LicenseReport {
    let next = match uploaded {
        Some(_) => Vec::new(),
        None => vec![in_dir("exasol license upload FILE", dir.named())],
    };
    LicenseReport {
        whose: dir.whose(),
        rehearsal: recorded::is_rehearsal(dir),
        uploaded,
        license: serde_json::from_str(fields.trim()).unwrap_or_else(|_| Value::String(fields.trim().to_owned())),
        warnings,
        next,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_license_is_known_in_the_forms_of_confd() {
        let license = "Contract:\r\n  id: 1  \nLimits: x\n";
        assert!(is_same("\"Contract:\\n  id: 1\\nLimits: x\"\n", license));
        assert!(is_same("Contract:\n  id: 1\nLimits: x\n", license));
        assert!(!is_same("\"Contract:\\n  id: 2\"", license));
    }

    #[test]
    fn what_is_no_license_is_refused_before_anybody_is_asked() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a.exasol_license");
        for (content, wanted) in
            [(&b"  \n"[..], "empty"), (b"a\0b", "text"), (b"\xff\xfe", "text"), (&[b'x'; (1 << 20) + 1], "1 MiB")]
        {
            fs::write(&file, content).unwrap();
            let error = read(&file).unwrap_err().to_string();
            assert!(error.contains(wanted), "{error}");
        }
        assert!(read(dir.path()).unwrap_err().to_string().contains("regular file"));
        fs::write(&file, "x").unwrap();
        assert_eq!(read(&file).unwrap(), "x");
    }

    #[test]
    fn fuzz_confd_license() {
        let seeds = ["\"Contract:\\n  id: 1\\nLimits: x\"\n", "{\"license\": {\"valid\": true}}", "Contract:\n"];
        crate::fuzz::text_target("confd-license", &seeds, |text| {
            is_same(text, "Contract:\n  id: 1\n");
        });
    }
}
