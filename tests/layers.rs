//! Who may depend on whom, and what the domain must not contain. See "Rooms" in the README.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail by panicking"
)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Each crate and the crates of this workspace that it may use.
const LAYERS: &[(&str, &[&str])] = &[
    ("flexledger-domain", &[]),
    ("flexledger-eventstore", &["domain"]),
    ("flexledger-commands", &["domain", "eventstore"]),
    ("flexledger-projections", &["domain", "eventstore"]),
    ("flexledger-replay", &["domain", "eventstore", "projections"]),
    ("flexledger-api", &["domain", "eventstore", "commands", "projections", "replay"]),
    ("flexledger", &["domain", "eventstore", "commands", "projections", "replay", "api"]),
];

/// Crates that a room must not use, with the reason.
const FORBIDDEN: &[(&str, &[&str], &str)] = &[
    (
        "flexledger-domain",
        &["tokio", "sqlx", "axum", "rand", "reqwest", "hyper", "async-trait", "futures"],
        "decisions are pure: no clock, no randomness, no input or output",
    ),
    ("flexledger-commands", &["sqlx", "axum", "hyper"], "the engine knows no SQL and no HTTP"),
    ("flexledger-projections", &["axum", "hyper", "reqwest", "flexledger-commands"], "views have no side effects"),
    ("flexledger-api", &["sqlx"], "handlers ask queries; they hold no SQL"),
];

/// Words that have no business in the domain's code.
const IMPURE: &[&str] = &[
    "f32",
    "f64",
    "SystemTime",
    "std::time",
    "async fn",
    ".await",
    "tokio::",
    "rand::",
    "std::fs",
    "std::net",
    "std::env",
    "println!",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn packages() -> Vec<Value> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version", "1", "--offline"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    metadata["packages"].as_array().unwrap().clone()
}

/// The names of what a package depends on, tests left out.
fn dependencies(package: &Value) -> BTreeSet<String> {
    let all = package["dependencies"].as_array().unwrap().iter();
    all.filter(|dependency| dependency["kind"].is_null())
        .map(|dependency| dependency["name"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn imports_point_downwards_only() {
    let packages = packages();
    for package in &packages {
        let name = package["name"].as_str().unwrap();
        let Some((_, allowed)) = LAYERS.iter().find(|(layer, _)| *layer == name) else {
            panic!("{name} has no place among the layers: give it one here and in the README");
        };
        for dependency in dependencies(package) {
            if let Some(room) = dependency.strip_prefix("flexledger-") {
                assert!(allowed.contains(&room), "{name} must not use {dependency}");
            }
        }
    }
    assert_eq!(packages.len(), LAYERS.len(), "a layer has no crate");
}

#[test]
fn rooms_do_not_use_what_they_must_not_know() {
    for package in packages() {
        let name = package["name"].as_str().unwrap();
        for (room, forbidden, reason) in FORBIDDEN.iter().filter(|(room, ..)| *room == name) {
            for dependency in dependencies(&package) {
                assert!(!forbidden.contains(&dependency.as_str()), "{room} uses {dependency}: {reason}");
            }
        }
    }
}

/// Calendar arithmetic is welcome in the domain; the clock of the calendar library is not.
#[test]
fn the_domains_calendar_has_no_clock() {
    let domain = packages().into_iter().find(|package| package["name"] == "flexledger-domain").unwrap();
    let chrono = domain["dependencies"].as_array().unwrap().iter().find(|it| it["name"] == "chrono");
    if let Some(dependency) = chrono {
        assert_eq!(dependency["uses_default_features"], false);
        let features = dependency["features"].as_array().unwrap();
        assert!(features.iter().all(|feature| feature != "clock" && feature != "now"), "{features:?}");
    }
}

#[test]
fn the_domain_has_no_clock_no_float_and_no_input_or_output() {
    for file in sources(&root().join("domain/src")) {
        let text = std::fs::read_to_string(&file).unwrap();
        // What stands below belongs to tests.
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
        for (number, line) in code.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//")) {
            for word in IMPURE {
                assert!(!has_word(line, word), "{}:{}: {word}", file.display(), number + 1);
            }
        }
    }
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            files.extend(sources(&path));
        } else if name.ends_with(".rs") && name != "tests.rs" && name != "testing.rs" {
            files.push(path);
        }
    }
    assert!(!files.is_empty());
    files
}

/// Whether `word` stands in the line by itself, not as part of a longer name.
fn has_word(line: &str, word: &str) -> bool {
    let letter = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    line.match_indices(word)
        .any(|(at, found)| !letter(line[..at].chars().next_back()) && !letter(line[at + found.len()..].chars().next()))
}
