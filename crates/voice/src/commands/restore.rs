//! `voice restore`: a copy made by `voice backup` takes the place of the database.

use std::fmt::Write as _;
use std::process::ExitCode;

use model::{Clock, SystemClock};

use crate::cli::{Options, RestoreArguments};
use crate::commands::backup::in_words;
use crate::{output, signals};

pub(crate) async fn run(options: &Options, arguments: &RestoreArguments) -> anyhow::Result<ExitCode> {
    let RestoreArguments { file, force } = arguments;
    let restoring = store::restore(&options.database, file, *force, SystemClock.now());
    let report = signals::unless_stopped(Box::pin(restoring)).await?;
    if options.json {
        output::print_json(&report)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut text = format!("{} holds {} now.\n", report.database, in_words(&report.holds));
    if let Some(kept) = &report.kept {
        let _ = writeln!(text, "What was there before is kept as {}.", kept.display());
    }
    output::print(&text)?;
    Ok(ExitCode::SUCCESS)
}
