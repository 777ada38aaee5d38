//! What goes to stdout. A reader that has gone away (`voice export | head`) is not an error.

use std::io::{self, Write};

use serde::Serialize;

/// Writes `text` to stdout.
pub(crate) fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Writes `value` to stdout as one line of JSON.
pub(crate) fn print_json(value: &impl Serialize) -> anyhow::Result<()> {
    let mut line = serde_json::to_string(value)?;
    line.push('\n');
    Ok(print(&line)?)
}

/// Whether `error` is only that nobody reads stdout any more.
pub(crate) fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<io::Error>()
        .is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// A size as people read it.
pub(crate) fn size(bytes: u64) -> String {
    let (mut size, mut unit) = (bytes as f64, "bytes");
    for larger in ["KiB", "MiB", "GiB"] {
        if size < 1024.0 {
            break;
        }
        (size, unit) = (size / 1024.0, larger);
    }
    let decimals = usize::from(unit != "bytes" && size < 100.0);
    format!("{size:.decimals$} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_rounded_and_named() {
        let sizes = [0, 1023, 1024, 1_572_864, 250 << 20, 5 << 40].map(size);
        assert_eq!(
            sizes,
            [
                "0 bytes",
                "1023 bytes",
                "1.0 KiB",
                "1.5 MiB",
                "250 MiB",
                "5120 GiB"
            ]
        );
    }
}
