//! `voice migrate-database`: everything from one database to another.

use std::fmt::Write as _;
use std::process::ExitCode;

use crate::cli::Options;
use crate::{output, signals};

pub(crate) async fn run(options: &Options, from: &str, to: &str) -> anyhow::Result<ExitCode> {
    let report = signals::unless_stopped(Box::pin(store::carry(from, to))).await?;
    if options.json {
        output::print_json(&report)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut text = if report.changed {
        "Carried over, read back and found equal:\n".to_owned()
    } else {
        "Nothing to do: both databases hold the same already.\n".to_owned()
    };
    for table in &report.tables {
        let _ = writeln!(text, "{:>10}  {}", table.rows, table.table);
    }
    output::print(&text)?;
    Ok(ExitCode::SUCCESS)
}
