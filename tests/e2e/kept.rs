//! Servers of the past that begin with snapshots of the state and kept copies of the views: the same answers as from
//! the log alone, whatever lies in the folder, and nothing of it is changed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

use crate::server::{Server, command, run};
use crate::world::{App, application};

/// What happened, and where to look at it.
struct Story {
    applications: Vec<App>,
    auditor: String,
    first: String,
    /// Positions before and after each thing that a snapshot must not know too early or too late.
    moments: BTreeSet<u64>,
}

fn operator(server: &Server, method: &str, path: &str, body: &str) -> serde_json::Value {
    let token = fs::read_to_string(server.data.join("operator.token")).unwrap();
    let answer = server.call(method, &format!("/operator/v1{path}"), Some(token.trim()), Some(body));
    assert!(answer.status < 300, "{path}: {}", answer.text);
    answer.json()
}

fn pay(from: &App, to: &App, amount: &str) -> String {
    let reference = from.initiate("alice", "bob", amount);
    to.accept(&reference).expect(200);
    reference
}

fn reconcile(data: &Path) {
    let output = run(data, &["reconcile"]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
}

/// 1. Two applications, some payments; the views are kept.
/// 2. A third application registers, and an auditor is added.
/// 3. A key and a webhook secret are replaced; the views are kept again.
/// 4. A subject is erased, and the third application switched off. More payments.
fn tell(data: &Path) -> Story {
    let server = Server::start_with(data, command(), &[("FLEXLEDGER_ENGINE__SNAPSHOT_EVERY", "2")]);
    let mut moments = BTreeSet::new();
    let mut note = || moments.insert(server.position());
    let (wallet, shop) = (application(&server, "walletapp", "alice"), application(&server, "shopapp", "bob"));
    note();
    let first = pay(&wallet, &shop, "100.50");
    pay(&wallet, &shop, "3");
    reconcile(data);
    note();
    let late = application(&server, "lateapp", "carol");
    note();
    let auditor = operator(&server, "POST", "/auditors", r#"{"name":"Ada"}"#)["token"].as_str().unwrap().to_owned();
    note();
    shop.post("/api/v1/applications/keys/rotate", None).expect(200);
    shop.post("/api/v1/applications/webhook-secret/rotate", None).expect(200);
    note();
    pay(&wallet, &shop, "7");
    reconcile(data);
    note();
    operator(&server, "POST", &format!("/subjects/{}/erase", wallet.subject), "");
    note();
    let own = late.get("/api/v1/applications").json()["data"].to_string();
    let id = own.split("\"id\":\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap().to_owned();
    late.try_call("PATCH", &format!("/api/v1/applications/{id}/deactivate"), None, None).unwrap().expect(200);
    note();
    (0..3).for_each(|_| drop(pay(&wallet, &shop, "1")));
    note();
    let (ended, _) = server.terminate();
    assert!(ended.success());
    Story { applications: vec![wallet, shop, late], auditor, first, moments }
}

const PATHS: [&str; 9] = [
    "/api/v1/wallet",
    "/api/v1/wallet/statement?size=100",
    "/api/v1/applications",
    "/api/v1/subjects",
    "/api/v1/tags",
    "/api/v1/tags/bob@shopapp",
    "/api/v1/transactions/sent",
    "/api/v1/transactions/received",
    "/api/v1/settlement",
];

/// Everything that a server of the past answers, and what its log says.
fn ask(data: &Path, story: &Story, at: u64) -> (BTreeMap<String, (u16, String)>, String) {
    let said = tempfile::NamedTempFile::new().unwrap();
    let (mut past, place) = (command(), at.to_string());
    past.args(["serve", "--as-of", &place]).stderr(File::create(said.path()).unwrap());
    let server = Server::start_verb(data, past, &[("FLEXLEDGER_LOG__FILTER", "info")]);
    assert_eq!(server.position(), at);
    let mut answers = BTreeMap::new();
    for app in &story.applications {
        let body = json!({ "client_id": app.client_id, "client_secret": app.client_secret }).to_string();
        let issued = server.call("POST", "/api/v1/auth/token", None, Some(&body));
        answers.insert(format!("{} token", app.client_id), (issued.status, issued.code()));
        let mut app = app.at(&server);
        if issued.status == 200 {
            app.token = issued.data()["token"].as_str().unwrap().to_owned();
        }
        for path in PATHS.into_iter().chain([format!("/api/v1/transactions/{}", story.first).as_str()]) {
            let answer = app.get(path);
            answers.insert(format!("{} {path}", app.client_id), (answer.status, answer.text));
        }
    }
    let token = fs::read_to_string(data.join("operator.token")).unwrap();
    for token in [token.trim(), &story.auditor] {
        for view in ["wallets", "tags", "settlement", "balances", "trial-balance"] {
            let path = format!("/audit/v1/as-of/{at}/{view}");
            let answer = server.call("GET", &path, Some(token), None);
            answers.insert(format!("{} {path}", token == story.auditor), (answer.status, answer.text));
        }
    }
    let (ended, _) = server.terminate();
    assert!(ended.success());
    (answers, fs::read_to_string(said.path()).unwrap())
}

/// Where copies stand: those whose names begin and end so.
fn positions(data: &Path, begin: &str, end: &str) -> Vec<u64> {
    let entries = fs::read_dir(data.join("snapshots")).unwrap();
    let name = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name().into_string().unwrap();
    let position = |name: String| name.strip_prefix(begin)?.strip_suffix(end)?.parse().ok();
    let mut positions: Vec<u64> = entries.map(name).filter_map(position).collect();
    positions.sort_unstable();
    positions
}

/// Every file below a folder, with its content; without what any reader of the log's database leaves beside it.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if !path.ends_with("events.db-wal") && !path.ends_with("events.db-shm") {
            found.insert(path.clone(), fs::read(path).unwrap());
        }
    }
    found
}

fn unchanged(data: &Path, before: &BTreeMap<PathBuf, Vec<u8>>) {
    let after = files(data);
    let names = |files: &BTreeMap<PathBuf, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(before), names(&after));
    let changed = |(path, content): &(&PathBuf, &Vec<u8>)| after.get(*path) != Some(*content);
    assert_eq!(before.iter().find(changed).map(|(path, _)| path), None);
}

/// A copy of a data directory without what only makes things faster.
fn bare(data: &Path) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in ["events.db", "platform.key", "operator.token"] {
        fs::copy(data.join(name), folder.path().join(name)).unwrap();
    }
    folder
}

fn number(log: &str, line: &str, field: &str) -> Option<u64> {
    let rest = log.lines().find(|found| found.contains(line))?.split(&format!(" {field}=")).nth(1)?;
    Some(rest.split_whitespace().next()?.parse().unwrap())
}

#[test]
fn the_past_from_snapshots_is_the_past_from_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let story = tell(data);
    let bare = bare(data);
    let (states, views) = (positions(data, "", ".state"), positions(data, "views-", ".db"));
    assert!((8..=16).contains(&states.len()) && views.len() == 2, "{states:?} {views:?}");
    // Personal text is sealed in copies as everywhere.
    let before = files(data);
    let clear = |content: &Vec<u8>| content.windows(9).any(|bytes| bytes == b"Some Body");
    assert!(!before.values().any(clear));
    let edges = views.iter().flat_map(|at| [at - 1, *at, at + 1]);
    let between = states.iter().rev().skip(3).take(2).flat_map(|at| [at - 1, *at]);
    let moments: BTreeSet<u64> = story.moments.iter().copied().chain(edges).chain(between).chain([1, 2]).collect();
    for at in moments {
        let (answers, said) = ask(data, &story, at);
        let nearest = |positions: &[u64]| positions.iter().copied().filter(|position| *position <= at).max();
        assert_eq!(number(&said, "past.from_kept_views", "position"), nearest(&views), "{at}: {said}");
        assert_eq!(number(&said, "engine.loaded", "read"), Some(at - nearest(&states).unwrap_or(0)), "{at}: {said}");
        assert!(!said.contains("WARN"), "{said}");
        let (expected, said) = ask(bare.path(), &story, at);
        assert_eq!(number(&said, "engine.loaded", "read"), Some(at), "{said}");
        let other = answers.iter().find(|(asked, answer)| expected.get(*asked) != Some(*answer));
        assert!(other.is_none() && answers.len() == expected.len(), "at {at}: {other:?} of {expected:?}");
    }
    unchanged(data, &before);
    assert!(!bare.path().join("snapshots").exists() && !bare.path().join("views.db").exists());
}

/// Who exists, is active or may read, before and after that was so.
#[test]
fn the_past_knows_nobody_too_early_and_nobody_too_late() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let story = tell(data);
    let late = &story.applications[2].client_id;
    let seen = story.moments.iter().map(|at| {
        let (answers, _) = ask(data, &story, *at);
        let token = answers[&format!("{late} token")].0;
        (token == 200, answers[&format!("true /audit/v1/as-of/{at}/wallets")].0 == 200)
    });
    let seen: Vec<_> = seen.collect();
    let (nobody, both) = ((false, false), (true, true));
    assert_eq!(seen, [nobody, nobody, (true, false), both, both, both, both, (false, true), (false, true)]);
}

/// Damaged, of another ledger, or no database at all: passed over, and the log has it all.
#[test]
fn the_past_passes_over_what_cannot_be_used() {
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (data, other) = (folder.path(), other.path());
    let (story, _) = (tell(data), tell(other));
    let bare = bare(data);
    let at = *story.moments.last().unwrap();
    let (expected, _) = ask(bare.path(), &story, at);
    let snapshots = data.join("snapshots");
    let check = |begun: &[&str]| {
        let (answers, said) = ask(data, &story, at);
        assert_eq!(answers, expected);
        assert_eq!(number(&said, "engine.loaded", "read"), Some(at), "{said}");
        assert!(!said.contains("past.from_kept_views"), "{said}");
        begun.iter().for_each(|line| assert!(said.contains(line), "{line}: {said}"));
    };
    for (path, mut content) in files(&snapshots) {
        let middle = content.len() / 2;
        content[middle] ^= 1;
        fs::write(path, content).unwrap();
    }
    check(&["snapshot.unusable", "its content is not what was kept"]);
    for path in files(&snapshots).into_keys() {
        fs::remove_file(path).unwrap();
    }
    for (path, content) in files(&other.join("snapshots")) {
        fs::write(snapshots.join(path.file_name().unwrap()), content).unwrap();
    }
    check(&["snapshot.foreign", "past.kept_views_unusable"]);
    for name in positions(data, "views-", ".db").into_iter().map(|at| format!("views-{at:013}")) {
        fs::write(snapshots.join(format!("{name}.db")), "this is no database, whatever its digest says").unwrap();
        let sum = Command::new("sha256sum").arg(format!("{name}.db")).current_dir(&snapshots).output().unwrap();
        fs::write(snapshots.join(format!("{name}.sha256")), sum.stdout).unwrap();
    }
    check(&["past.kept_views_unusable"]);
}

/// The command line begins with kept copies too, where the live views are of no use; they can be checked with plain
/// tools.
#[test]
fn the_past_on_the_command_line_begins_with_kept_views() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let story = tell(data);
    let bare = bare(data);
    for at in positions(data, "views-", ".db") {
        let sum = format!("views-{at:013}.sha256");
        let checked = Command::new("sha256sum").args(["--check", &sum]).current_dir(data.join("snapshots")).output();
        assert!(checked.unwrap().status.success());
    }
    for suffix in ["", "-wal", "-shm"] {
        let _may_be_missing = fs::remove_file(data.join(format!("views.db{suffix}")));
    }
    let before = files(data);
    for at in &story.moments {
        let place = at.to_string();
        for view in ["wallets", "tags", "balances", "trial-balance"] {
            let arguments = ["as-of", &place, view, "--json"];
            let (near, far) = (run(data, &arguments), run(bare.path(), &arguments));
            assert_eq!((near.status.code(), &near.stdout), (Some(0), &far.stdout), "{arguments:?}");
        }
    }
    unchanged(data, &before);
}

/// The server writes snapshots and keeps views all the time, and makes room for them.
#[test]
fn the_past_beside_a_server_that_makes_room_is_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let server = Server::start_with(data, command(), &[("FLEXLEDGER_ENGINE__SNAPSHOT_EVERY", "1")]);
    let (wallet, shop) = (application(&server, "walletapp", "alice"), application(&server, "shopapp", "bob"));
    let first = pay(&wallet, &shop, "100.50");
    reconcile(data);
    pay(&wallet, &shop, "3");
    let at = server.position();
    let applications = vec![wallet.clone(), shop.clone()];
    let story = Story { applications, auditor: String::new(), first, moments: BTreeSet::from([at]) };
    let (expected, _) = ask(data, &story, at);
    std::thread::scope(|scope| {
        let busy = scope.spawn(|| {
            for _ in 0..6 {
                (0..8).for_each(|_| drop(pay(&wallet, &shop, "1")));
                reconcile(data);
            }
        });
        let mut asked = 0;
        while !busy.is_finished() || asked == 0 {
            let (answers, said) = ask(data, &story, at);
            assert!(answers == expected && !said.contains("WARN"), "{said}");
            asked += 1;
        }
    });
    assert!(positions(data, "", ".state").len() <= 16 && positions(data, "views-", ".db").len() <= 2);
}
