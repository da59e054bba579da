//! Long help on a screen: page by page if people read it.

use crate::error::Result;
use crate::model::ScriptReport;
use crate::ops::pager;
use crate::ui::{Format, Ui};

pub(in crate::cli) fn show(text: String, ui: &Ui) -> Result<()> {
    if ui.settings().format == Format::Text && ui.settings().stdout_terminal {
        pager::take_over(&text);
    }
    ui.result(&ScriptReport { text })
}
