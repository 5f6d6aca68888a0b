//! What stands in the writer's queue: a command with its waiting caller, whatever its type.

use flexledger_domain::{Command, Instant, Ledger, Position};
use tokio::sync::oneshot;

use super::Failure;
use super::core::Core;

/// One entry of the queue.
pub trait Job: Send {
    /// Decides; the writer calls it once, in queue order.
    fn run(&mut self, core: &mut Core);

    /// Tells the caller, once everything that its answer rests on is durable.
    fn finish(self: Box<Self>);

    /// Tells the caller that nothing was done.
    fn fail(self: Box<Self>, failure: Failure);

    /// Whether it changes nothing, so that a follower can answer it.
    fn only_asks(&self) -> bool {
        false
    }
}

/// What the writer tells the caller of a command.
pub enum Reply<T> {
    /// It was carried out now.
    Fresh { outcome: T, recorded_at: Instant, position: Position },
    /// It was carried out before under the same key; its first event stands here.
    Repeated(Position),
}

/// What the caller of a command waits for.
pub type Answer<T> = Result<Reply<T>, Failure>;

/// A command that waits for its turn, then for its batch.
pub struct Pending<C: Command> {
    command: C,
    answer: Option<Answer<C::Outcome>>,
    caller: oneshot::Sender<Answer<C::Outcome>>,
}

impl<C: Command> Pending<C> {
    /// A command, and where its caller listens.
    pub fn new(command: C) -> (Self, oneshot::Receiver<Answer<C::Outcome>>) {
        let (caller, answer) = oneshot::channel();
        (Pending { command, answer: None, caller }, answer)
    }
}

impl<C: Command> Job for Pending<C> {
    fn run(&mut self, core: &mut Core) {
        self.answer = Some(core.carry_out(&self.command));
    }

    fn finish(self: Box<Self>) {
        let answer = self.answer.unwrap_or(Err(Failure::Unavailable));
        // A caller that has gone away loses its answer only: what was decided is durable.
        let _gone = self.caller.send(answer);
    }

    fn fail(self: Box<Self>, failure: Failure) {
        let _gone = self.caller.send(Err(failure));
    }
}

/// Ends the past at an instant: once it is told, everything recorded at or before is durable, and nothing more will be.
pub struct Close {
    until: Instant,
    caller: oneshot::Sender<Result<(), Failure>>,
}

impl Close {
    /// The instant, and where its caller listens.
    pub fn new(until: Instant) -> (Self, oneshot::Receiver<Result<(), Failure>>) {
        let (caller, told) = oneshot::channel();
        (Close { until, caller }, told)
    }
}

impl Job for Close {
    fn run(&mut self, core: &mut Core) {
        core.record_from(Instant::from_micros(self.until.micros().saturating_add(1)));
    }

    fn finish(self: Box<Self>) {
        let _gone = self.caller.send(Ok(()));
    }

    /// A follower fails it as well: it cannot speak for the leader.
    fn fail(self: Box<Self>, failure: Failure) {
        let _gone = self.caller.send(Err(failure));
    }
}

/// A question about the state, answered between two commands.
pub struct Question<T, F> {
    ask: Option<F>,
    answer: Option<T>,
    caller: oneshot::Sender<T>,
}

impl<T, F> Question<T, F> {
    /// A question, and where its caller listens.
    pub fn new(ask: F) -> (Self, oneshot::Receiver<T>) {
        let (caller, answer) = oneshot::channel();
        (Question { ask: Some(ask), answer: None, caller }, answer)
    }
}

impl<T: Send, F: FnOnce(&Ledger) -> T + Send> Job for Question<T, F> {
    fn run(&mut self, core: &mut Core) {
        self.answer = self.ask.take().map(|ask| ask(core.ledger()));
    }

    fn finish(self: Box<Self>) {
        if let Some(answer) = self.answer {
            let _gone = self.caller.send(answer);
        }
    }

    /// The caller sees its channel closed.
    fn fail(self: Box<Self>, _: Failure) {}

    fn only_asks(&self) -> bool {
        true
    }
}
