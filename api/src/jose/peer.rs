//! Both directions against an independent JOSE implementation.
//!
//! Needs a Python with the package `jwcrypto`: `JOSE_PYTHON`, else `python3`. Without it the test says
//! loudly that it was skipped; where the variable `CI` is set it fails instead.

use std::io::Write;
use std::process::{Command, Stdio};

use p256::SecretKey;

use super::*;

const PEER: &str = include_str!("peer.py");

pub(crate) fn python() -> Option<String> {
    let python = std::env::var("JOSE_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let probe = Command::new(&python).args(["-c", "import jwcrypto"]).stderr(Stdio::null()).status();
    if probe.is_ok_and(|status| status.success()) {
        return Some(python);
    }
    assert!(std::env::var_os("CI").is_none(), "{python} with the package jwcrypto is required in CI");
    eprintln!("SKIPPED: {python} has no package jwcrypto; encryption was not checked against another implementation");
    None
}

pub(crate) fn ask(python: &str, question: &serde_json::Value) -> String {
    let mut peer =
        Command::new(python).args(["-c", PEER]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    peer.stdin.take().unwrap().write_all(question.to_string().as_bytes()).unwrap();
    let output = peer.wait_with_output().unwrap();
    assert!(output.status.success());
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    answer["out"].as_str().unwrap().to_owned()
}

#[test]
fn an_independent_implementation_opens_ours_and_makes_what_we_open() {
    let Some(python) = python() else { return };
    let key = generate().unwrap();
    let text = r#"{"amount":1500.0000,"narration":"Škola – ₦ 1,500"}"#;
    let compact = encrypt(&public_key(&key.public).unwrap(), "application/json", text.as_bytes()).unwrap();
    let opened = ask(&python, &serde_json::json!({ "do": "decrypt", "key": key.private, "text": compact }));
    assert_eq!(opened, text);

    let public = public_jwk(&key.public);
    let made = ask(&python, &serde_json::json!({ "do": "encrypt", "key": public, "text": text }));
    use base64::Engine as _;
    let d = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(key.private.d.unwrap().as_bytes()).unwrap();
    assert_eq!(decrypt_json(&SecretKey::from_slice(&d).unwrap(), made.as_bytes()).unwrap(), text.as_bytes());
}
