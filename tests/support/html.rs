//! The HTML checker of the W3C.

use std::process::Command;

use serde_json::Value;

use super::checker;

/// Fails where one of these pages, each with what it is called, is no valid HTML. Without the checker nothing is looked at.
pub(crate) fn assert_valid(pages: &[(String, String)]) {
    let Some(jar) = checker("vnu-jar/build/dist/vnu.jar") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new("java");
    command
        .arg("-jar")
        .arg(jar)
        .args(["--format", "json", "--stdout", "--exit-zero-always"]);
    for (number, (name, page)) in pages.iter().enumerate() {
        let file = folder.path().join(format!("{number}.html"));
        std::fs::write(&file, format!("{page}<!-- {} -->\n", name.replace("--", ""))).unwrap();
        command.arg(file);
    }
    let broken = folder.path().join("broken.html");
    std::fs::write(&broken, "<!doctype html><html lang=en><title>A</title><p><li>b").unwrap();
    let report = command.arg(&broken).output().unwrap().stdout;
    let report: Value = serde_json::from_slice(&report).unwrap();
    let (own, others): (Vec<&Value>, Vec<&Value>) = report["messages"]
        .as_array()
        .unwrap()
        .iter()
        .partition(|message| message["url"].as_str().unwrap().ends_with("broken.html"));
    assert!(!own.is_empty(), "the checker finds nothing at all");
    let others: Vec<_> = others
        .iter()
        .map(|message| {
            let url = message["url"].as_str().unwrap();
            let number = url
                .rsplit(['/', '.'])
                .nth(1)
                .and_then(|number| number.parse::<usize>().ok());
            (number.map(|number| &pages[number].0), *message)
        })
        .collect();
    assert!(others.is_empty(), "{others:#?}");
}
