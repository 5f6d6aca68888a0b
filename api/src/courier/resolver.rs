//! Judges addresses at the moment a connection is made: a name that was fine when it was given may resolve to
//! anything later.

use std::net::SocketAddr;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::http::target::is_global;

/// Why a name leads nowhere.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// Every address of it is private, or of another kind that is not globally reachable.
    #[error("the name resolves to no public address")]
    Private,
    /// It has no address.
    #[error("the name cannot be resolved")]
    Unknown(#[source] std::io::Error),
}

/// The resolver of the system. Unless `allow_private`, it keeps to addresses that are globally reachable.
#[derive(Debug, Clone, Copy)]
pub struct Resolver {
    /// Whether any address is fine.
    pub allow_private: bool,
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let allow_private = self.allow_private;
        Box::pin(async move {
            // The port is filled in by the caller.
            let found = tokio::net::lookup_host((name.as_str(), 0)).await.map_err(ResolveError::Unknown)?;
            let fit: Vec<SocketAddr> = found.filter(|address| allow_private || is_global(address.ip())).collect();
            if fit.is_empty() {
                return Err(ResolveError::Private.into());
            }
            Ok(Box::new(fit.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn names_of_this_machine_are_private() {
        let resolve = |allow_private| Resolver { allow_private }.resolve("localhost".parse().unwrap());
        assert!(resolve(true).await.unwrap().next().is_some());
        let error = resolve(false).await.err().unwrap();
        assert!(matches!(error.downcast_ref(), Some(ResolveError::Private)));
    }
}
