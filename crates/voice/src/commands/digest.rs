//! `voice digest`: prints a week's digest.

use std::process::ExitCode;

use export::DigestView;
use model::{Clock, SystemClock, Week};
use store::Store;

use crate::cli::{DigestArguments, DigestFormat, Options};
use crate::{context, output};

pub(crate) async fn run(options: &Options, arguments: &DigestArguments) -> anyhow::Result<ExitCode> {
    let settings = context::settings(options)?;
    let store = Store::open(&options.database).await?;
    let site = &settings.site;
    let now = SystemClock.now();
    let week = arguments
        .week
        .unwrap_or_else(|| Week::of(now, site.timezone).previous());
    let schedule = context::digest_schedule(site)?;
    let digest = serve::digest_of_week(&store, site, week, now, &|after| schedule.next_after(after)).await?;
    let digest = digest.view(&DigestView::default());
    output::print(&match arguments.format {
        _ if options.json => digest.to_json(),
        DigestFormat::Json => digest.to_json(),
        DigestFormat::Markdown => digest.to_markdown(),
        DigestFormat::Html => digest.to_html(),
        DigestFormat::Text => digest.to_text(),
        DigestFormat::Csv => digest.to_csv(),
    })?;
    Ok(ExitCode::SUCCESS)
}
