use aes_kw::KwAes256;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proptest::prelude::*;

use super::*;

/// Bob's key of RFC 7518, appendix C.
const BOB: &str = "VEmDZpDXXK8p8N0Cndsxs924q6nS1RXFASRl6BfUqdw";
/// Alice's ephemeral key there.
const ALICE: &str = "0_NxaRPUMQoAJt50Gz8YiTr8gRTwyEaCumd-MToTmIo";

/// Made for Bob by jwcrypto 1.6.1 from `{"event":"PING"}`.
const FOREIGN: &str = concat!(
    "eyJhbGciOiJFQ0RILUVTK0EyNTZLVyIsImN0eSI6ImFwcGxpY2F0aW9uL2pzb24iLCJlbmMiOiJBMjU2R0NNIiwiZXBrIjp7",
    "ImNydiI6IlAtMjU2Iiwia3R5IjoiRUMiLCJ4IjoibWpDN3EtSWRJQk5UZUF4V3prMU1qdXBMdklVTV9yaDZCNFBPWVViZTZp",
    "ZyIsInkiOiJocWRnWi0tTXNmZ2F1NGp1dE1lUXpoMzZaeFFQQldmYkdlNlVmZi1fNWVjIn19.FiWpk_I-yV5WQhx6IYVxx17",
    "eWdCUJjK4EdNFqUqouuBoPBRV3fZodw.dBo9htiWuodq-4E0.pxdFAqQZPD7RI6GaV80VeA.RR9tTWMysvudy4x3QdLh7A",
);

/// The same with the parties "Alice" and "Bob" in the header.
const FOREIGN_PARTIES: &str = concat!(
    "eyJhbGciOiJFQ0RILUVTK0EyNTZLVyIsImFwdSI6IlFXeHBZMlUiLCJhcHYiOiJRbTlpIiwiZW5jIjoiQTI1NkdDTSIsImVw",
    "ayI6eyJjcnYiOiJQLTI1NiIsImt0eSI6IkVDIiwieCI6IldCRTNReG1tYUpKYVRNQ3QzNndoMjgzNU13TFVRbGUtMWRyaUlv",
    "bVRtZk0iLCJ5IjoiMkdKNkN1RXh6QWR1OUtadWJ5R01XZGVzcHNQZU0tWFVLeHMzNUYwa3I3ayJ9fQ.soNfG5zCwcewSYzJi",
    "73FLYFUdjMC0--gFrueEtTuUAXxWqO6Qp_1Lw.BUzLzzRp8GlEmGBM.acDWJM02MC-xaUH9o0GwFA.pa8WLym7Oj2gR9B95o",
    "cznw",
);

fn bytes(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).unwrap()
}

fn key(text: &str) -> SecretKey {
    SecretKey::from_slice(&bytes(text)).unwrap()
}

fn hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

#[test]
fn key_agreement_is_that_of_rfc_7518_appendix_c() {
    assert_eq!(jwk::coordinates(&key(BOB).public_key()).x, "weNJy2HscCSM6AEDTDg04biOvhFhyyWvOHQfeF_PxMQ");
    assert_eq!(jwk::coordinates(&key(ALICE).public_key()).x, "gI0GAILBdu7T53akrFmMyGcsF3n5dO7MmwNBHKW5SV0");
    let purpose = Purpose { algorithm: "A128GCM", producer: b"Alice", consumer: b"Bob", bits: 128 };
    for (ours, theirs) in [(ALICE, BOB), (BOB, ALICE)] {
        let shared = key(ours).diffie_hellman(&key(theirs).public_key());
        let derived = kdf::derive(shared.raw_secret_bytes(), &purpose);
        assert_eq!(URL_SAFE_NO_PAD.encode(&derived[..16]), "VqqN6vgjbSBcIijNcacQGg");
    }
}

#[test]
fn key_wrapping_is_that_of_rfc_3394_section_4_6() {
    let kek: [u8; 32] = hex("000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F").try_into().unwrap();
    let data = hex("00112233445566778899AABBCCDDEEFF000102030405060708090A0B0C0D0E0F");
    let expected = hex("28C9F404C4B810F4CBCCB35CFB87F8263F5786E2D80ED326CBC7F0E71A99F43BFB988B9B7A02DD21");
    let mut wrapped = [0; WRAPPED_KEY];
    KwAes256::new((&kek).into()).wrap_key(&data, &mut wrapped).unwrap();
    assert_eq!(wrapped.as_slice(), expected);
}

#[test]
fn content_encryption_is_that_of_rfc_7516_appendix_a_1() {
    let content_key = [
        177, 161, 244, 128, 84, 143, 225, 115, 63, 180, 3, 255, 107, 154, 212, 246, 138, 7, 110, 91, 112, 46, 34, 105,
        47, 130, 203, 46, 122, 234, 64, 252,
    ];
    let nonce = Nonce::from([227, 197, 117, 252, 2, 219, 233, 68, 180, 225, 77, 219]);
    let header = b"eyJhbGciOiJSU0EtT0FFUCIsImVuYyI6IkEyNTZHQ00ifQ";
    let mut text = b"The true sign of intelligence is not knowledge but imagination.".to_vec();
    let cipher = Aes256Gcm::new(&content_key.into());
    let tag = cipher.encrypt_inout_detached(&nonce, header, text.as_mut_slice().into()).unwrap();
    let expected = "5eym8TW_c8SuK0ltJ3rpYIzOeDQz7TALvtu6UG9oMo4vpzs9tX_EFShS8iB7j6jiSdiwkIr3ajwQzaBtQD_A";
    assert_eq!(URL_SAFE_NO_PAD.encode(text), expected);
    assert_eq!(URL_SAFE_NO_PAD.encode(tag), "XFBoMYUZodetZdvTiFvSkQ");
}

#[test]
fn what_another_implementation_made_opens() {
    for compact in [FOREIGN, FOREIGN_PARTIES] {
        assert_eq!(decrypt_json(&key(BOB), compact.as_bytes()).unwrap(), br#"{"event":"PING"}"#);
        assert_eq!(decrypt(&key(ALICE), compact.as_bytes()), Err(JweError::Undecipherable));
    }
    let with_newline = format!("{FOREIGN}\n");
    assert!(decrypt(&key(BOB), with_newline.as_bytes()).is_ok());
}

#[test]
fn only_json_inside_is_json() {
    let compact = encrypt(&key(BOB).public_key(), "application/json", b"not json").unwrap();
    assert_eq!(decrypt(&key(BOB), compact.as_bytes()).unwrap(), b"not json");
    assert_eq!(decrypt_json(&key(BOB), compact.as_bytes()), Err(JweError::Undecipherable));
}

fn with_header(header: &serde_json::Value) -> Vec<u8> {
    let (_, rest) = FOREIGN.split_once('.').unwrap();
    format!("{}.{rest}", URL_SAFE_NO_PAD.encode(header.to_string())).into_bytes()
}

#[test]
fn what_is_no_jwe_of_these_algorithms_is_malformed() {
    let header: serde_json::Value = serde_json::from_slice(&bytes(FOREIGN.split('.').next().unwrap())).unwrap();
    let mut wrong: Vec<Vec<u8>> = vec![
        Vec::new(),
        b"{}".to_vec(),
        b"....".to_vec(),
        b"a.b.c.d".to_vec(),
        format!("{FOREIGN}.").into_bytes(),
        FOREIGN.replace('.', ".=").into_bytes(),
        [b"A".repeat(LONGEST_HEADER + 1).as_slice(), b"...."].concat(),
    ];
    for (name, value) in [
        ("alg", "ECDH-ES"),
        ("alg", "dir"),
        ("alg", "RSA-OAEP"),
        ("enc", "A128GCM"),
        ("enc", "A256CBC-HS512"),
        ("zip", "DEF"),
        ("crit", "exp"),
        ("epk", "x"),
    ] {
        let mut changed = header.clone();
        changed[name] = value.into();
        wrong.push(with_header(&changed));
    }
    let mut other_curve = header;
    other_curve["epk"]["crv"] = "P-384".into();
    wrong.push(with_header(&other_curve));
    for compact in wrong {
        let text = String::from_utf8_lossy(&compact).into_owned();
        assert_eq!(decrypt(&key(BOB), &compact), Err(JweError::Malformed), "{text}");
    }
}

#[test]
fn a_point_off_the_curve_is_refused() {
    let mut header: serde_json::Value = serde_json::from_slice(&bytes(FOREIGN.split('.').next().unwrap())).unwrap();
    header["epk"]["y"] = header["epk"]["x"].clone();
    assert_eq!(decrypt(&key(BOB), &with_header(&header)), Err(JweError::Undecipherable));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn what_is_encrypted_opens_for_its_recipient_only(text: Vec<u8>) {
        let compact = encrypt(&key(BOB).public_key(), "application/json", &text).unwrap();
        prop_assert_eq!(compact.split('.').count(), 5);
        prop_assert_eq!(decrypt(&key(BOB), compact.as_bytes()), Ok(text));
        prop_assert_eq!(decrypt(&key(ALICE), compact.as_bytes()), Err(JweError::Undecipherable));
    }

    #[test]
    fn any_changed_character_is_noticed(at: prop::sample::Index, to in "[A-Za-z0-9_-]") {
        let mut compact = FOREIGN.as_bytes().to_vec();
        let at = at.index(compact.len());
        let to = to.as_bytes()[0];
        prop_assume!(compact[at] != to && compact[at] != b'.');
        compact[at] = to;
        prop_assert!(decrypt(&key(BOB), &compact).is_err());
    }

    #[test]
    fn no_bytes_make_it_fail_otherwise(bytes: Vec<u8>) {
        prop_assert!(decrypt(&key(BOB), &bytes).is_err());
    }
}
