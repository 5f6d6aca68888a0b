use std::path::PathBuf;

use flexledger_domain::ids::{Epoch, LedgerId};
use flexledger_domain::system::{EpochOpened, SystemEvent};
use flexledger_domain::{Event, Idempotency, Recorded};
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::contract;
use crate::hash::leaf_hash;
use crate::port::{Head, Record};
use crate::samples;

fn encoded(recorded: &Recorded) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode(recorded, &mut bytes).unwrap();
    bytes
}

/// RFC 8785 by another implementation.
fn canonical(bytes: &[u8]) -> Vec<u8> {
    let value: serde_json::Value = serde_json::from_slice(bytes).unwrap();
    serde_json_canonicalizer::to_vec(&value).unwrap()
}

#[test]
fn every_kind_is_canonical_and_reads_back() {
    for recorded in samples::world() {
        let bytes = encoded(&recorded);
        assert_eq!(String::from_utf8_lossy(&bytes), String::from_utf8_lossy(&canonical(&bytes)));
        assert_eq!(decode(&bytes).unwrap(), recorded);
    }
}

proptest! {
    #[test]
    fn any_key_is_canonical_and_reads_back(key: String, fingerprint: Option<String>, position in 1..9_999_999_999_999_u64) {
        let mut recorded = samples::recorded(position, samples::accepted(position));
        recorded.idempotency = Some(Idempotency { fingerprint, key });
        let bytes = encoded(&recorded);
        prop_assert_eq!(&bytes, &canonical(&bytes));
        prop_assert_eq!(decode(&bytes).unwrap(), recorded.clone());
        let hash = leaf_hash(b"any");
        let record = Record { position: recorded.position, bytes, hash };
        let mut line = Vec::new();
        write_line(&record, &mut line).unwrap();
        prop_assert_eq!(&line, &canonical(&line));
        prop_assert_eq!(parse_line(&line).unwrap(), record);
    }

    /// Any damaged byte is either refused or makes another canonical record; nothing panics.
    #[test]
    fn damaged_records_are_refused_or_canonical(which in 0..17_usize, at: prop::sample::Index, byte: u8) {
        let world = samples::world();
        let mut bytes = encoded(&world[which % world.len()]);
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(recorded) = decode(&bytes) {
            prop_assert_eq!(encoded(&recorded), bytes);
        }
    }

    /// Whatever is read is, written again, what was read: there is no second spelling of anything.
    #[test]
    fn other_spellings_are_refused(
        which in 0..17_usize,
        at: prop::sample::Index,
        cut in 0..3_usize,
        put in prop::sample::select(vec!["", "0", "00", "-", "+", " ", ".", "0.", ".0", "\"", "\\u0041", "A", "F", "e1", "{}", ","]),
    ) {
        let world = samples::world();
        let mut bytes = encoded(&world[which % world.len()]);
        let at = at.index(bytes.len());
        let end = (at + cut).min(bytes.len());
        bytes.splice(at..end, put.bytes());
        if let Ok(recorded) = decode(&bytes) {
            prop_assert_eq!(encoded(&recorded), bytes);
        }
    }

    #[test]
    fn cut_records_are_refused(which in 0..17_usize, at: prop::sample::Index) {
        let world = samples::world();
        let bytes = encoded(&world[which % world.len()]);
        prop_assert!(decode(&bytes[..at.index(bytes.len())]).is_err());
    }

    #[test]
    fn any_bytes_are_no_record(bytes: Vec<u8>) {
        prop_assert!(decode(&bytes).is_err());
        prop_assert!(parse_line(&bytes).is_err());
    }
}

#[test]
fn other_spellings_of_a_record_are_refused() {
    let good = String::from_utf8(encoded(&samples::recorded(7, samples::accepted(7)))).unwrap();
    let changes = [
        ("{\"actor\"", "{ \"actor\""),
        ("\"version\":1", "\"version\":1,\"zeal\":1"),
        ("\"position\":7", "\"position\":07"),
        ("\"position\":7", "\"position\":7.0"),
        ("\"version\":1", "\"version\":2"),
        ("\"kind\":\"transaction.accepted\"", "\"kind\":\"transaction.unknown\""),
        ("\"settlement_date\"", "\"extra\":1,\"settlement_date\""),
        ("1500.0007", "1500.0008"),
        ("1500.0007", "01500.0007"),
        ("https", "htt\\u0070s"),
        ("transaction/TXN", "subject/TXN"),
        ("\"debit\"", "\"credit\""),
    ];
    for (from, to) in changes {
        assert!(good.contains(from), "{from}");
        assert!(decode(good.replacen(from, to, 1).as_bytes()).is_err(), "{to}");
    }
    let upper = good.replacen("application/", "application/A", 1);
    assert!(decode(upper.as_bytes()).is_err());
    every_letter_has_one_case(&good);
    assert!(decode(format!("{good} ").as_bytes()).is_err());
}

/// Readers of JSON take larger numbers for their neighbours.
#[test]
fn numbers_stay_below_what_every_reader_can_hold() {
    let ledger = LedgerId::from_uuid(Uuid::from_u128(7));
    let body = EpochOpened { epoch: Epoch(7), node: "n".to_owned() };
    let event = Event::System(SystemEvent::EpochOpened(ledger, body));
    let good = String::from_utf8(encoded(&samples::recorded(7, event))).unwrap();
    for (epoch, fine) in
        [("9007199254740991", true), ("9007199254740992", false), ("18446744073709551615", false), ("7.0", false)]
    {
        let text = good.replacen("\"epoch\":7", &format!("\"epoch\":{epoch}"), 1);
        assert_ne!(text, good);
        assert_eq!(decode(text.as_bytes()).is_ok(), fine, "{epoch}");
    }
}

/// Ids stand in the envelope, the postings and the payload; each of their letters has one case.
fn every_letter_has_one_case(good: &str) {
    for (at, byte) in good.bytes().enumerate().filter(|(_, byte)| byte.is_ascii_alphabetic()) {
        let mut bytes = good.as_bytes().to_vec();
        bytes[at] = byte ^ b' ';
        if let Ok(recorded) = decode(&bytes) {
            assert_eq!(encoded(&recorded), bytes, "at {at}");
        }
    }
}

#[test]
fn unsealed_text_is_not_written() {
    let mut recorded = samples::recorded(1, samples::initiated(1));
    for text in recorded.event.personal() {
        *text = flexledger_domain::personal::Personal::clear(text.subject, "School fees");
    }
    let mut out = b"before".to_vec();
    assert!(matches!(encode(&recorded, &mut out), Err(RecordError::Payload(_))));
    assert_eq!(out, b"before");
}

/// Golden vectors: the sample world as an export. The file is written once, with `GOLDEN=write`, and never changes.
#[test]
fn the_golden_log_is_byte_for_byte_the_same() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../fixtures/log/events.jsonl");
    let records = contract::chain(Head::default(), samples::world().iter().map(encoded));
    let mut export = Vec::new();
    for record in &records {
        write_line(record, &mut export).unwrap();
        export.push(b'\n');
    }
    if std::env::var_os("GOLDEN").is_some() && !path.exists() {
        std::fs::write(&path, &export).unwrap();
    }
    let golden = std::fs::read(&path).unwrap();
    assert!(golden == export, "the record format has changed");
    for (line, record) in golden.split(|b| *b == b'\n').zip(&records) {
        assert_eq!(&parse_line(line).unwrap(), record);
        assert_eq!(canonical(line), line);
    }
}
