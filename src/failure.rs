//! How a verb ends when it does not end well (`operations.md` 1).

use std::process::ExitCode;

/// The end of a verb that could not do its work, or found something wrong.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The job ran and found differences or violations: exit status 1.
    #[error("{0}")]
    Found(String),
    /// Wrong usage or configuration: exit status 2.
    #[error("{0}")]
    Usage(String),
    /// The store could not be opened or read: exit status 3.
    #[error("{0}")]
    Store(String),
}

impl Failure {
    /// Says what happened and what to do, and gives the exit status.
    pub fn report(&self) -> ExitCode {
        eprintln!("flexledger: {self}");
        ExitCode::from(match self {
            Failure::Found(_) => 1,
            Failure::Usage(_) => 2,
            Failure::Store(_) => 3,
        })
    }

    /// A message with what to do next on a line of its own.
    pub fn hint(problem: impl std::fmt::Display, next: &str) -> String {
        format!("{problem}\n  {next}")
    }
}

impl From<crate::config::ConfigError> for Failure {
    fn from(error: crate::config::ConfigError) -> Self {
        Failure::Usage(error.to_string())
    }
}

impl From<std::io::Error> for Failure {
    /// Output that cannot be written; files have messages of their own.
    fn from(error: std::io::Error) -> Self {
        Failure::Usage(format!("output: {error}"))
    }
}
