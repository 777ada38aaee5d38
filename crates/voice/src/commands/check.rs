//! `voice check`: what the Voice makes of a blog or a feed.

use std::fmt::Write as _;
use std::io::{IsTerminal, Read};
use std::process::ExitCode;
use std::sync::Arc;

use export::EntryJson;
use model::{Clock, SystemClock};
use normalize::{Format, Problem, Severity, Tagger};
use poll::{CheckReport, CheckSource, CheckedCandidate};
use serde::Serialize;
use url::Url;

use crate::cli::{CheckArguments, Options};
use crate::{context, output};

/// How many entries are shown in words; `--json` has them all.
const SHOWN_ENTRIES: usize = 10;

pub(crate) async fn run(options: &Options, arguments: &CheckArguments) -> anyhow::Result<ExitCode> {
    let settings = context::settings_or_defaults(options)?;
    let fetcher = context::fetcher(&settings)?;
    let tagger = Arc::new(Tagger::new(&settings.site.topics));
    let paint = Paint {
        // https://no-color.org
        coloured: std::io::stdout().is_terminal()
            && context::environment("NO_COLOR").is_none_or(|value| value.is_empty()),
    };
    let mut all_are_feeds = true;
    for name in &arguments.sources {
        let report = poll::check(
            name,
            source(name)?,
            arguments.base_url.as_ref(),
            &fetcher,
            &tagger,
            settings.site.timezone,
            SystemClock.now(),
        )
        .await;
        all_are_feeds &= report.is_feed();
        if options.json {
            output::print(&as_json(&report))?;
        } else {
            output::print(&in_words(&report, &paint))?;
        }
    }
    Ok(ExitCode::from(u8::from(!all_are_feeds)))
}

fn source(name: &str) -> anyhow::Result<CheckSource> {
    if name == "-" {
        let mut bytes = Vec::new();
        std::io::stdin().read_to_end(&mut bytes)?;
        return Ok(CheckSource::Bytes(bytes));
    }
    Ok(match Url::parse(name) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => CheckSource::Address(url),
        _ => CheckSource::File(name.into()),
    })
}

/// The report as one line of JSON (contract section 4).
fn as_json(report: &CheckReport) -> String {
    #[derive(Serialize)]
    struct Report<'a> {
        source: &'a str,
        url: Option<&'a str>,
        format: Option<Format>,
        title: Option<&'a str>,
        site: Option<&'a str>,
        language: Option<&'a str>,
        candidates: &'a [CheckedCandidate],
        problems: &'a [Problem],
        entries: Vec<EntryJson<'a>>,
    }
    let mut line = export::json(&Report {
        source: &report.source,
        url: report.url.as_deref(),
        format: report.format,
        title: report.title.as_deref(),
        site: report.site.as_deref(),
        language: report.language.as_deref(),
        candidates: &report.candidates,
        problems: &report.problems,
        entries: report.entries.iter().map(export::draft_json).collect(),
    });
    line.push('\n');
    line
}

/// Colours for a terminal, and none elsewhere.
struct Paint {
    coloured: bool,
}

impl Paint {
    /// `text` under a code of ECMA-48 section 8.3.117.
    fn with(&self, code: &str, text: &str) -> String {
        if self.coloured {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }

    fn severity(&self, severity: Severity) -> String {
        let code = match severity {
            Severity::Error => "1;31",
            Severity::Warning => "1;33",
            Severity::Info => "1;36",
        };
        self.with(code, severity.as_str())
    }
}

fn in_words(report: &CheckReport, paint: &Paint) -> String {
    let mut text = format!("{}\n", paint.with("1", &report.source));
    match (&report.format, &report.url) {
        (Some(format), url) => {
            let title = report.title.as_deref().unwrap_or("a feed without a title");
            let _ = write!(text, "  {title}, {format} with {} entries", report.entries.len());
            if let Some(url) = url.as_ref().filter(|url| **url != report.source) {
                let _ = write!(text, ", at {url}");
            }
            text.push('\n');
        }
        (None, _) => text.push_str("  no feed was found\n"),
    }
    for problem in &report.problems {
        let severity = paint.severity(problem.severity);
        let place = paint.with("2", &format!("{}: {}", problem.place, problem.code));
        let _ = writeln!(
            text,
            "  {severity}: {} ({place})\n    {}",
            problem.message, problem.fix
        );
    }
    for entry in report.entries.iter().take(SHOWN_ENTRIES) {
        let day = entry
            .published
            .map_or_else(|| "no date   ".to_owned(), |at| at.format("%Y-%m-%d").to_string());
        let title = entry.title.as_deref().unwrap_or(&entry.summary);
        let _ = write!(text, "  {day}  {}", model::first_words(title, 14));
        for topic in &entry.topics {
            let _ = write!(text, " [{}]", topic.slug);
        }
        for tag in &entry.hashtags {
            let _ = write!(text, " #{tag}");
        }
        text.push('\n');
    }
    if report.entries.len() > SHOWN_ENTRIES {
        let _ = writeln!(
            text,
            "  … and {} more; --json shows them all",
            report.entries.len() - SHOWN_ENTRIES
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_for_terminals() {
        let plain = Paint { coloured: false };
        assert_eq!(plain.severity(Severity::Error), "error");
        let coloured = Paint { coloured: true };
        assert_eq!(coloured.severity(Severity::Error), "\x1b[1;31merror\x1b[0m");
        assert_ne!(
            coloured.severity(Severity::Warning),
            coloured.severity(Severity::Info)
        );
    }
}
