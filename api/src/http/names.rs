//! The names that a later release of the same API changed (`idaas.md` 18).

use std::sync::Arc;

/// Configurable parts of names on the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    /// What error codes begin with, without the hyphen: `IDAAS`.
    pub code_prefix: Arc<str>,
    /// The stem of the webhook headers: `IDaaS` in `X-IDaaS-Signature`.
    pub header_stem: Arc<str>,
    /// The last part of the path of the platform key: `idaas` in `/v1/keys/idaas`.
    pub key_path: Arc<str>,
}

impl Default for Names {
    fn default() -> Self {
        Names { code_prefix: "IDAAS".into(), header_stem: "IDaaS".into(), key_path: "idaas".into() }
    }
}
