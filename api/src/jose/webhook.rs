//! Webhook signatures (`idaas.md` 10.4).

use std::fmt::Write;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// What every signature begins with.
const VERSION: &str = "v0=";

/// The signature of the exact bytes that are sent: `v0=` and 64 hex digits.
///
/// `secret` is the raw webhook secret of the target, `timestamp` the Unix seconds of the timestamp header.
#[must_use]
pub fn signature(secret: &[u8], timestamp: i64, body: &[u8]) -> String {
    // HMAC takes a key of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret) else { return String::new() };
    mac.update(format!("v0:{timestamp}:").as_bytes());
    mac.update(body);
    let mut text = String::with_capacity(VERSION.len() + 64);
    text.push_str(VERSION);
    for byte in mac.finalize().into_bytes() {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// Whether `given` is the signature, compared in constant time.
#[must_use]
pub fn verify_signature(secret: &[u8], timestamp: i64, body: &[u8], given: &str) -> bool {
    signature(secret, timestamp, body).as_bytes().ct_eq(given.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vector_of_the_contract() {
        let text = signature(b"s3cr3t", 1_741_082_580, br#"{"event":"PING"}"#);
        assert_eq!(text, "v0=a107fb2714ea3e85e388526d566fb979f27badf8ee8d5c556b3044271c8723b3");
    }

    #[test]
    fn any_other_secret_time_or_body_fails() {
        let good = signature(b"s3cr3t", 1, b"{}");
        assert!(verify_signature(b"s3cr3t", 1, b"{}", &good));
        assert!(!verify_signature(b"s3cr3T", 1, b"{}", &good));
        assert!(!verify_signature(b"s3cr3t", 2, b"{}", &good));
        assert!(!verify_signature(b"s3cr3t", 1, b"{ }", &good));
        assert!(!verify_signature(b"s3cr3t", 1, b"{}", ""));
    }
}
