//! The `voice` program: command line, environment, logs and shutdown. The only place that wires the crates
//! together; it holds no rule of the business.

mod cli;
mod commands;
mod context;
mod logging;
mod output;
mod signals;

use std::num::NonZero;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::cli::{Cli, Command, ServeArguments};

/// Reading feeds is small pieces of text, made and thrown away by the thousand: see `docs/decisions/0013-mimalloc.md`.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What was asked for failed.
const FAILED: u8 = 1;
/// The command line or the configuration is wrong.
const MISUSED: u8 = 2;

fn main() -> ExitCode {
    let Cli { options, command } = Cli::parse();
    if let Err(error) = logging::start(&options.log) {
        eprintln!("voice: {error:#}");
        return ExitCode::from(MISUSED);
    }
    open_many_files();
    let command = command.unwrap_or(Command::Serve(ServeArguments::default()));
    // A server answers many people at once, on half of the processors: what reads the database, reads feeds or compresses has
    // threads of its own, and those that wait for the network wake each other for nothing. A command has one thing to
    // do: on one thread its tasks hand over to one another.
    let mut runtime = match command {
        Command::Serve(_) | Command::Demo => {
            let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
            let mut runtime = tokio::runtime::Builder::new_multi_thread();
            runtime.worker_threads((processors / 2).max(1));
            runtime
        }
        _ => tokio::runtime::Builder::new_current_thread(),
    };
    let runtime = match runtime.enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("voice: cannot start: {error}");
            return ExitCode::from(FAILED);
        }
    };
    let result = runtime.block_on(async {
        match command {
            Command::Serve(arguments) => commands::serve::run(&options, &arguments).await,
            Command::Poll(arguments) => Box::pin(commands::poll::run(&options, &arguments)).await,
            Command::Check(arguments) => commands::check::run(&options, &arguments).await,
            Command::Feeds(command) => commands::feeds::run(&options, &command).await,
            Command::Topics(command) => commands::topics::run(&options, &command).await,
            Command::Entries(command) => commands::entries::run(&options, &command).await,
            Command::Audit { limit } => commands::audit::run(&options, limit).await,
            Command::Digest(arguments) => commands::digest::run(&options, &arguments).await,
            Command::Export(arguments) => commands::export::run(&options, &arguments).await,
            Command::Backup { file } => commands::backup::run(&options, &file).await,
            Command::Restore(arguments) => commands::restore::run(&options, &arguments).await,
            Command::MigrateDatabase { from, to } => {
                commands::migrate_database::run(&options, &from, &to).await
            }
            Command::Healthcheck => commands::healthcheck::run(&options).await,
            Command::Demo => commands::demo::run(&options).await,
        }
    });
    // A feed that is being parsed when Ctrl-C comes has a moment to end; nothing of it is written.
    runtime.shutdown_timeout(Duration::from_secs(2));
    match result {
        Ok(code) => code,
        Err(error) if output::is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("voice: {}", in_words(&error));
            ExitCode::from(if is_misuse(&error) { MISUSED } else { FAILED })
        }
    }
}

/// Lets as many files be open as the system allows, and not the 1,024 that are usual: each host that is asked is one, and
/// each reader who is answered.
fn open_many_files() {
    let limit = getrlimit(Resource::Nofile);
    let current = limit.maximum;
    // Where that may not be, it stays as it was.
    let _ = setrlimit(Resource::Nofile, Rlimit { current, ..limit });
}

/// Whether the command line or the configuration is to blame.
fn is_misuse(error: &anyhow::Error) -> bool {
    error.is::<registry::RegistryError>()
        || error.is::<context::Misuse>()
        || matches!(
            error.downcast_ref(),
            Some(store::StoreError::UnsupportedUrl { .. } | store::StoreError::BadUrl { .. })
        )
}

/// The error and its causes, each said once: most of our messages tell their cause already.
fn in_words(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !text.contains(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
    }
    text
}
