//! The tour of the README works as it is written.

use std::os::unix::fs::symlink;
use std::process::Command;

use crate::server::{PROGRAM, Server};

const README: &str = include_str!("../../README.md");

/// The blocks of the tour, in order.
fn tour() -> String {
    let blocks = README.split("```sh tour\n").skip(1);
    blocks.map(|block| block.split("```").next().unwrap()).collect::<Vec<&str>>().join("\n")
}

#[test]
fn the_tour_of_the_readme_works_as_written() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    // A fresh clone after the first two commands: the program where the README says, the data where it puts them.
    std::fs::create_dir_all(here.join("target/release")).unwrap();
    symlink(PROGRAM, here.join("target/release/flexledger")).unwrap();
    let server = Server::start(&here.join("flexledger-data"));
    let script = tour().replace("127.0.0.1:8080", &server.address.to_string());
    let script = format!("set -euo pipefail\n{script}\n");
    let output = Command::new("bash").args(["-c", &script]).current_dir(here).output().unwrap();
    let (said, told) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}\n{told}");
    for expected in [
        "\"status\":\"COMPLETED\"",
        "\"entryType\":\"CREDIT\"",
        "\"closingBalance\":1500.0000",
        "\"balance\":-1500.0000",
        "transaction.accepted",
    ] {
        assert!(said.contains(expected), "{expected}: {said}");
    }
}
