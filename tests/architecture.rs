//! Holds the house to its plan: who may depend on whom, and where the things stand that only one place may hold.
//!
//! It reads `cargo metadata` and the sources, never a built program. A rule that stands in the way is changed here,
//! together with ARCHITECTURE.md and for a reason; it is not worked around.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Every crate, and the crates of the house that it may use.
const MAY_USE: [&str; 10] = [
    "model:",
    "registry: model",
    "fetch: model",
    "normalize: model",
    "store: model",
    "poll: model registry fetch normalize store",
    "export: model",
    "mail: model store",
    "serve: model store export poll",
    "voice: model registry fetch normalize store poll export mail serve",
];

/// A library, the crates that keep it to themselves, and why.
const KEPT_TO: [&str; 13] = [
    "lettre: mail: what is mailed, and that it is plain text to confirmed addresses, is written in one place",
    "sqlx: store: every SQL string and every row decoder is in one place",
    "reqwest: fetch: every request passes the guard against private addresses",
    "feed-rs: normalize: whatever a feed says is repaired, read and sanitised in one place",
    "ammonia: normalize: there is one sanitiser, and it runs last",
    "lol_html: normalize: unsanitised markup is handled nowhere else",
    "axum: serve: routes and status codes are known to the web alone",
    "askama: serve: pages are rendered where the escaping is watched",
    "toml: registry: feeds.toml is read in one place, which names the line of a mistake",
    "cron: registry poll: a schedule is checked where it is written and kept where it runs",
    "clap: voice: libraries know of no command line",
    "anyhow: voice: a library names its errors in an enum",
    "tokio: fetch store poll mail serve voice: the other crates compute, and wait for nothing",
];

/// The only two that may vouch for markup.
const MAY_VOUCH: [&str; 2] = ["crates/normalize/src/sanitize.rs", "crates/store/src/rows.rs"];

/// Every `|safe` there is, by template and expression, and why it may be.
const TRUSTED: [&str; 1] = [
    "crates/serve/templates/entry.html: post: a SafeHtml whose headings were moved and whose pictures and links were named",
];

const LONGEST_FILE: usize = 1_000;
const THIS_FILE: &str = "tests/architecture.rs";

#[test]
fn crates_depend_on_one_another_as_the_plan_says() {
    let mut problems =
        Problems::because("an arrow that the plan does not have lets out what a crate keeps in");
    let dependencies = normal_dependencies();
    let plan: BTreeMap<&str, &str> = MAY_USE.iter().filter_map(|row| row.split_once(':')).collect();
    for name in plan.keys().filter(|name| !dependencies.contains_key(**name)) {
        problems.add(&manifest(name), "the plan has this crate, the workspace has not");
    }
    for (name, used) in &dependencies {
        let Some(allowed) = plan.get(name.as_str()) else {
            problems.add(
                &manifest(name),
                "the crate is not in the plan; a new crate gets its row in MAY_USE",
            );
            continue;
        };
        for other in used.iter().filter(|other| dependencies.contains_key(*other)) {
            if !allowed.split(' ').any(|allowed| allowed == other) {
                problems.add(
                    &manifest(name),
                    &format!("{name} uses {other}; it may use only:{allowed}"),
                );
            }
        }
    }
    problems.none();
}

#[test]
fn each_library_is_kept_to_its_crate() {
    let mut problems =
        Problems::because("what one crate keeps to itself can be replaced by changing one crate");
    let dependencies = normal_dependencies();
    for row in KEPT_TO {
        let (library, rest) = row
            .split_once(": ")
            .expect("a row names a library, its crates and the reason");
        let (keepers, why) = rest
            .split_once(": ")
            .expect("a row names a library, its crates and the reason");
        let users: Vec<&str> = dependencies
            .iter()
            .filter(|(_, used)| used.contains(library))
            .map(|(name, _)| name.as_str())
            .collect();
        if users.is_empty() {
            problems.add(
                THIS_FILE,
                &format!("nobody uses {library} any more; its row in KEPT_TO can go"),
            );
        }
        for user in users
            .into_iter()
            .filter(|user| !keepers.split(' ').any(|keeper| keeper == *user))
        {
            problems.add(
                &manifest(user),
                &format!("{user} uses {library}, kept to {keepers}: {why}"),
            );
        }
    }
    problems.none();
}

#[test]
fn sql_stands_in_store_alone() {
    let mut problems = Problems::because("SQL outside the store escapes the suite that runs each query");
    let statements = [
        "SELECT ",
        "INSERT INTO ",
        "INSERT OR ",
        "DELETE FROM ",
        "CREATE TABLE ",
        "PRAGMA ",
    ];
    for source in sources()
        .iter()
        .filter(|source| !source.path.starts_with("crates/store/"))
    {
        for (number, line) in source.code() {
            if statements.iter().any(|statement| line.contains(statement)) {
                problems.add(&source.at(number), "SQL belongs into crates/store");
            }
        }
    }
    problems.none();
}

#[test]
fn only_the_sanitiser_and_the_row_decoder_vouch_for_markup() {
    let mut problems = Problems::because("a browser runs whatever is called SafeHtml");
    let mut vouching = BTreeSet::new();
    for source in sources() {
        for (number, line) in source.code() {
            if !line.contains("vouched") || line.contains("fn vouched") {
                continue;
            }
            if MAY_VOUCH.contains(&source.path.as_str()) {
                vouching.insert(source.path.clone());
            } else {
                problems.add(
                    &source.at(number),
                    "calls SafeHtml::vouched, which is not for this file",
                );
            }
        }
    }
    for path in MAY_VOUCH.into_iter().filter(|path| !vouching.contains(*path)) {
        problems.add(
            path,
            "vouches for nothing any more, or moved; MAY_VOUCH must follow",
        );
    }
    problems.none();
}

#[test]
fn every_file_says_what_it_is() {
    let mut problems =
        Problems::because("who opens a file reads first what it does and what it refuses to do");
    for source in sources().iter().filter(|source| !source.text.starts_with("//! ")) {
        problems.add(&source.at(1), "the file does not open with //!");
    }
    problems.none();
}

#[test]
fn no_file_is_longer_than_a_reader_can_hold() {
    let mut problems = Problems::because("a file of that length holds two nouns; its tests are not counted");
    for source in sources() {
        let lines = source.outside_tests().count();
        if lines > LONGEST_FILE {
            problems.add(
                &source.at(lines),
                &format!("{lines} lines, more than {LONGEST_FILE}: split it"),
            );
        }
    }
    problems.none();
}

#[test]
fn templates_trust_sanitised_markup_alone() {
    let mut problems =
        Problems::because("what is not escaped lets the author of a feed run scripts in our pages");
    let templates = files(&root().join("crates/serve/templates"));
    assert!(
        !templates.is_empty(),
        "crates/serve/templates holds no template; this rule looks in the wrong place"
    );
    for template in templates {
        for (number, line) in numbered(&template.text) {
            for expression in trusted_expressions(line) {
                let row = format!("{}: {expression}: ", template.path);
                if !TRUSTED.iter().any(|trusted| trusted.starts_with(&row)) {
                    problems.add(
                        &template.at(number),
                        &format!("{expression}|safe is not in TRUSTED"),
                    );
                }
            }
            if line.contains("autoescape") {
                problems.add(&template.at(number), "switches the escaping off");
            }
        }
    }
    let ways_round = ["escape = \"none\"", "HtmlSafe", "filters::Safe"];
    for source in sources()
        .iter()
        .filter(|source| source.path.starts_with("crates/serve/"))
    {
        for (number, line) in source.code() {
            if ways_round.iter().any(|way| line.contains(way)) {
                problems.add(&source.at(number), "goes round the escaping of templates");
            }
        }
    }
    problems.none();
}

#[test]
fn no_file_knows_the_machine_it_was_written_on() {
    let mut problems = Problems::because("the project must build and read the same wherever it is cloned");
    // Written in two parts, or this file would be the first to fail.
    let folders = ["work", "root", "home", "tmp", "Users"].map(|name| format!("/{name}/"));
    for file in files(&root()) {
        for (number, line) in numbered(&file.text) {
            let found = |folder: &String| line.match_indices(folder).any(|(at, _)| begins_a_path(line, at));
            if let Some(folder) = folders.iter().find(|folder| found(folder)) {
                problems.add(&file.at(number), &format!("holds a path under {folder}"));
            }
        }
    }
    problems.none();
}

/// Whether what stands at `at` begins a path, rather than going on with an address.
fn begins_a_path(line: &str, at: usize) -> bool {
    let before = line[..at].chars().next_back();
    !before.is_some_and(|c| c.is_alphanumeric() || "._-~})]>*".contains(c))
}

/// What stands before each `|safe` in a line of a template.
fn trusted_expressions(line: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for (at, _) in line.match_indices('|') {
        let filter = line[at + 1..].trim_start();
        let name_ends = |rest: &str| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_');
        if filter.strip_prefix("safe").is_some_and(name_ends) {
            let before = line[..at].trim_end();
            let start = before.rfind(['{', '%', '(']).map_or(0, |brace| brace + 1);
            found.push(before[start..].trim());
        }
    }
    found
}

/// The problems that a rule found, and why there is the rule.
struct Problems {
    reason: &'static str,
    found: Vec<String>,
}

impl Problems {
    fn because(reason: &'static str) -> Self {
        Self {
            reason,
            found: Vec::new(),
        }
    }

    fn add(&mut self, place: &str, message: &str) {
        self.found.push(format!("{place}: {message}"));
    }

    fn none(self) {
        let mut list = String::new();
        for problem in &self.found {
            let _ = writeln!(list, "  {problem}");
        }
        assert!(
            self.found.is_empty(),
            "\n{list}The rule is there because {}.",
            self.reason
        );
    }
}

/// A text file of the repository.
struct File {
    /// From the root, with forward slashes.
    path: String,
    text: String,
    /// Rust that is compiled for tests alone.
    is_test: bool,
}

impl File {
    fn at(&self, line: usize) -> String {
        format!("{}:{line}", self.path)
    }

    /// The lines outside of tests, with their numbers. A test module closes its file, which clippy holds
    /// (`items_after_test_module`); other items for tests end at a bracket in their own column, which rustfmt holds.
    fn outside_tests(&self) -> impl Iterator<Item = (usize, &str)> {
        let mut skipping: Option<usize> = None;
        numbered(&self.text).filter(move |(_, line)| {
            if self.is_test {
                return false;
            }
            let indent = line.len() - line.trim_start().len();
            if let Some(column) = skipping {
                let ends = indent == column && (line.ends_with(';') || line.trim_start().starts_with('}'));
                let opens = without_visibility(line).starts_with("mod ") && line.ends_with('{');
                skipping = match (ends, opens) {
                    (true, _) => None,
                    (_, true) => Some(usize::MAX),
                    _ => skipping,
                };
                return false;
            }
            if line.trim_start().starts_with("#[cfg(test)]") {
                skipping = Some(indent);
            }
            skipping.is_none()
        })
    }

    /// The lines outside of tests that are no comment.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        self.outside_tests()
            .filter(|(_, line)| !line.trim_start().starts_with("//"))
    }

    /// The files of the modules that this one declares for tests alone (`#[cfg(test)]`, then `mod fixtures;`).
    fn test_modules(&self) -> Vec<String> {
        let (folder, name) = self.path.rsplit_once('/').unwrap_or(("", &self.path));
        let folder = match name {
            "lib.rs" | "main.rs" | "mod.rs" => folder.to_owned(),
            _ => self.path.trim_end_matches(".rs").to_owned(),
        };
        let lines: Vec<&str> = self.text.lines().collect();
        let declared = lines
            .windows(2)
            .filter(|pair| pair[0] == "#[cfg(test)]")
            .filter_map(|pair| {
                without_visibility(pair[1])
                    .strip_prefix("mod ")?
                    .strip_suffix(';')
            });
        declared
            .flat_map(|name| [format!("{folder}/{name}.rs"), format!("{folder}/{name}/mod.rs")])
            .collect()
    }
}

fn without_visibility(line: &str) -> &str {
    line.trim_start().trim_start_matches("pub(crate) ")
}

fn numbered(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().map(|(index, line)| (index + 1, line))
}

/// The Rust files of all crates.
fn sources() -> Vec<File> {
    let mut sources: Vec<File> = files(&root().join("crates"));
    sources.retain(|file| {
        file.path.contains("/src/") && Path::new(&file.path).extension().is_some_and(|e| e == "rs")
    });
    assert!(
        sources.len() > MAY_USE.len(),
        "only {} sources found; the rules look in the wrong place",
        sources.len()
    );
    let tests: BTreeSet<String> = sources.iter().flat_map(File::test_modules).collect();
    for source in &mut sources {
        source.is_test = tests.contains(&source.path);
    }
    sources
}

/// The text files under a folder, in order of their paths. Left out: what cargo builds (it marks a folder that it makes;
/// `target` may have been there before it), what the program polled, and hidden files but CI's, which are version control's
/// and editors' own.
fn files(folder: &Path) -> Vec<File> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for item in std::fs::read_dir(&folder).expect("a folder of the repository can be listed") {
            let path = item.expect("a folder of the repository can be listed").path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if name == "data" || name == "target" || (name.starts_with('.') && name != ".ci") {
                continue;
            }
            if path.is_dir() {
                if !path.join("CACHEDIR.TAG").exists() {
                    folders.push(path);
                }
            } else if let Ok(text) = std::fs::read_to_string(&path) {
                let path = path
                    .strip_prefix(root())
                    .expect("it was found under the root")
                    .to_string_lossy();
                found.push(File {
                    path: path.replace('\\', "/"),
                    text,
                    is_test: false,
                });
            }
        }
    }
    found.sort_by(|one, other| one.path.cmp(&other.path));
    found
}

/// The crates of the workspace, each with what it depends on outside of its tests and build scripts.
fn normal_dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .expect("cargo, which runs this test, can be run");
    assert!(
        output.status.success(),
        "cargo metadata: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: serde_json::Value =
        serde_json::from_slice(&output.stdout).expect("cargo metadata writes JSON");
    let text = |value: &serde_json::Value| value.as_str().expect("cargo names its packages").to_owned();
    let packages = metadata["packages"]
        .as_array()
        .expect("cargo metadata lists packages");
    packages
        .iter()
        .map(|package| {
            let all = package["dependencies"]
                .as_array()
                .expect("a package has its dependencies");
            let normal = all.iter().filter(|dependency| dependency["kind"].is_null());
            (
                text(&package["name"]),
                normal.map(|dependency| text(&dependency["name"])).collect(),
            )
        })
        .collect()
}

fn manifest(name: &str) -> String {
    format!("crates/{name}/Cargo.toml")
}

fn root() -> PathBuf {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the crate voice lies in crates/");
    crates.parent().expect("crates/ lies in the root").to_owned()
}
