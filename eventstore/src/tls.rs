//! The cryptography of encrypted connections to databases.

/// Chooses it for the process. The program links two providers, and where none is chosen, the driver of PostgreSQL panics
/// as soon as it is to check a certificate without its name (`sslmode=verify-ca`).
pub fn choose() {
    // An error says that one was chosen before.
    let _chosen = rustls::crypto::ring::default_provider().install_default();
}
