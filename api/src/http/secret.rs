//! Bearer secrets: made here. What is shown once is kept as a digest; a consent token, which its requester may be told
//! of again, as a number that gives the token only together with a key of the platform.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use flexledger_domain::TokenHash;
use hmac::{Hmac, KeyInit, Mac};
use rand::Rng;
use sha2::{Digest, Sha256};

/// 256 random bits as text.
#[must_use]
pub fn fresh() -> String {
    URL_SAFE_NO_PAD.encode(rand::rng().random::<[u8; 32]>())
}

/// The digest under which a secret is known to the ledger.
#[must_use]
pub fn digest(secret: &str) -> TokenHash {
    TokenHash::new(Sha256::digest(secret.as_bytes()).into())
}

/// The number of a fresh consent token: 256 random bits. The ledger may know it, for it opens nothing.
#[must_use]
pub fn consent_number() -> TokenHash {
    TokenHash::new(rand::rng().random())
}

/// The consent token with a number: the number, and the code that only the holder of the key can make.
#[must_use]
pub fn consent_token(key: &[u8], number: &TokenHash) -> Option<String> {
    let code = code(key, number)?.finalize().into_bytes();
    let mut token = number.bytes().to_vec();
    token.extend_from_slice(&code);
    Some(URL_SAFE_NO_PAD.encode(token))
}

/// The number of a consent token, if it was made with this key.
#[must_use]
pub fn consent_number_of(key: &[u8], token: &str) -> Option<TokenHash> {
    let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
    let (number, sent) = bytes.split_first_chunk::<32>()?;
    let number = TokenHash::new(*number);
    code(key, &number)?.verify_slice(sent).ok()?;
    Some(number)
}

fn code(key: &[u8], number: &TokenHash) -> Option<Hmac<Sha256>> {
    // HMAC takes keys of every length.
    let mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
    Some(mac.chain_update(b"flexledger/consent/v1\0").chain_update(number.bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_consent_token_is_its_number_and_the_code_of_the_key() {
        let number = TokenHash::new([7; 32]);
        let token = consent_token(b"key", &number).unwrap();
        assert_eq!(consent_number_of(b"key", &token), Some(number));
        assert_eq!(consent_number_of(b"other", &token), None);
        for wrong in ["", "nothing", &token[1..], &token[..43], &token.replacen('B', "C", 1)] {
            assert_eq!(consent_number_of(b"key", wrong), None, "{wrong}");
        }
    }
}
