//! `voice backup`: a copy of the database, while it is used or not.

use std::path::Path;
use std::process::ExitCode;

use store::Holdings;

use crate::cli::Options;
use crate::{output, signals};

pub(crate) async fn run(options: &Options, file: &Path) -> anyhow::Result<ExitCode> {
    let report = signals::unless_stopped(Box::pin(store::back_up(&options.database, file))).await?;
    if options.json {
        output::print_json(&report)?;
    } else {
        output::print(&format!(
            "{} holds {} in {}.\n",
            report.file.display(),
            in_words(&report.holds),
            output::size(report.size_bytes),
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// How much a Voice holds.
pub(crate) fn in_words(holds: &Holdings) -> String {
    let Holdings {
        members,
        feeds,
        entries,
    } = holds;
    format!("{members} members, {feeds} feeds and {entries} entries")
}
