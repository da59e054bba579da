use crate::events::{Event, EventSink, Unit};
use crate::tools::http::Progress;

/// What a download says, as events of a step.
pub(super) fn tell(sink: &EventSink, step: &'static str, progress: Progress) {
    match progress {
        Progress::Bytes { done, total } => sink.emit(Event::StepProgress { step, done, total, unit: Unit::Bytes }),
        Progress::Note(note) => sink.detail(step, note),
    }
}
