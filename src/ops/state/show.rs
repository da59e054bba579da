//! The files that nothing else can bring back, and their copies, as rows.

use crate::deployment::{Content, Copied, Kept, Reading, Remains, Unreadable};
use crate::model::RecordedFile;

pub(super) fn files(remains: &Remains) -> Vec<RecordedFile> {
    let with_copies = |kept: Kept| {
        let copies = remains.copies(kept);
        let rows = copies.into_iter().map(move |copy| of_copy(remains, kept, copy));
        std::iter::once(of_file(remains, kept)).chain(rows)
    };
    Kept::ALL.into_iter().flat_map(with_copies).collect()
}

fn of_file(remains: &Remains, kept: Kept) -> RecordedFile {
    let row = RecordedFile { file: kept.path().into(), at: remains.changed_at(kept), ..empty() };
    match remains.read(kept) {
        Reading::Missing => RecordedFile { at: None, ..row },
        Reading::Unreadable(Unreadable { why, .. }) => RecordedFile { problem: Some(why), ..row },
        Reading::Content(content) => with(row, &content),
    }
}

fn of_copy(remains: &Remains, kept: Kept, copy: Copied) -> RecordedFile {
    let same = remains.is_as(kept, &copy);
    let row = RecordedFile { file: copy.path, at: copy.made_at, same, ..empty() };
    match copy.content {
        Ok(content) => with(row, &content),
        Err(Unreadable { why, .. }) => RecordedFile { problem: Some(why), ..row },
    }
}

/// The state says itself when it was written.
fn with(row: RecordedFile, content: &Content) -> RecordedFile {
    match content {
        Content::State(state) => RecordedFile {
            at: Some(state.updated_at.clone()),
            phase: Some(state.phase),
            nodes: Some(state.nodes.len()),
            ..row
        },
        Content::Terraform(state) => {
            RecordedFile { serial: Some(state.serial), resources: Some(state.addresses().len()), ..row }
        }
        Content::Secrets(_) => row,
    }
}

fn empty() -> RecordedFile {
    RecordedFile {
        file: Default::default(),
        at: None,
        same: false,
        problem: None,
        phase: None,
        nodes: None,
        serial: None,
        resources: None,
    }
}
