//! `voice audit`: who did what.

use std::fmt::Write as _;
use std::process::ExitCode;

use store::Store;

use crate::cli::Options;
use crate::output;

pub(crate) async fn run(options: &Options, limit: u32) -> anyhow::Result<ExitCode> {
    let store = Store::open(&options.database).await?;
    let lines = store.audit(None, limit).await?;
    if options.json {
        output::print_json(&lines)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut text = String::new();
    for line in &lines {
        let at = line.at.format("%Y-%m-%d %H:%M UTC");
        let why = line
            .why
            .as_ref()
            .map_or_else(String::new, |why| format!(" ({why})"));
        let _ = writeln!(text, "{at}  {}: {} {}{why}", line.by, line.action, line.target);
    }
    if lines.is_empty() {
        text.push_str("Nobody has decided anything yet.\n");
    }
    output::print(&text)?;
    Ok(ExitCode::SUCCESS)
}
