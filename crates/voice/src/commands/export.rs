//! `voice export`: everything that is stored, written out as it is read.

use std::process::ExitCode;

use export::{AtomWriter, FeedInfo};
use model::{Clock, Entry, SystemClock};
use store::Store;

use crate::cli::{ExportArguments, ExportFormat, Options};
use crate::commands::feeds;
use crate::{context, output};

/// Entries read from the store at once.
const BATCH: u32 = 200;

pub(crate) async fn run(options: &Options, arguments: &ExportArguments) -> anyhow::Result<ExitCode> {
    let settings = context::settings(options)?;
    let site = &settings.site;
    let store = Store::open(&options.database).await?;
    match arguments.format {
        ExportFormat::Opml => output::print(&feeds::opml(site, &store.feeds().await?, SystemClock.now()))?,
        ExportFormat::Jsonl => {
            each_batch(&store, |entries| {
                entries.iter().try_for_each(|entry| {
                    output::print(&(export::json(&export::entry_json(site, entry)) + "\n"))
                })
            })
            .await?;
        }
        ExportFormat::Atom => {
            let mut writer = AtomWriter::new(&FeedInfo {
                site,
                title: site.title.clone(),
                subtitle: site.subtitle.clone(),
                path: "/feed".to_owned(),
                html_path: "/".to_owned(),
                updated: store.revision().await?.changed_at,
                archive: None,
                withdrawn: Vec::new(),
                style: None,
            });
            each_batch(&store, |entries| {
                for entry in entries {
                    writer.entry(entry);
                }
                output::print(&writer.take())
            })
            .await?;
            output::print(&writer.finish())?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Hands every stored entry to `write`, a batch at a time.
async fn each_batch(
    store: &Store,
    mut write: impl FnMut(&[Entry]) -> std::io::Result<()>,
) -> anyhow::Result<()> {
    let mut after = None;
    loop {
        let (entries, next) = store.entries_after(after, BATCH).await?;
        write(&entries)?;
        if next.is_none() {
            return Ok(());
        }
        after = next;
    }
}
