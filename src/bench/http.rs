//! `bench http`: initiate and accept over HTTP, against the ceiling of the same run.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use flexledger_api::App;

use super::load::{Plan, Tally, play};
use super::report::{Document, bytes_below};
use super::world::{APPLICATIONS, Tag};
use super::{Ground, Pair, ceiling, world};
use crate::cli::Bench;
use crate::config::Config;
use crate::failure::Failure;
use crate::verbs::{Server, ServerOptions};

/// How long the views may take to catch up after a round.
const CATCH_UP: Duration = Duration::from_secs(120);

/// Requests and the time they took, over all rounds.
#[derive(Default)]
struct Side {
    tally: Arc<Tally>,
    time: Duration,
}

impl Side {
    fn rate(&self) -> f64 {
        self.tally.answered.load(Ordering::Relaxed) as f64 / self.time.as_secs_f64().max(1e-9)
    }
}

/// Both servers, and the load for them.
struct Stage {
    server: Server,
    ceiling: SocketAddr,
    _stop: tokio::sync::oneshot::Sender<()>,
    _receiver: Option<world::Receiver>,
    plan: Plan,
}

/// The ceiling alone.
pub async fn ceiling(ground: &Ground<'_>, options: &Bench) -> Result<Document, Failure> {
    let stage = Stage::set(ground, options, false).await?;
    let mut side = Side::default();
    for round in 0..options.rounds {
        stage.play_ceiling(round, &mut side).await?;
    }
    stage.server.stop().await;
    Ok(ceiling_document(&side))
}

/// Payments over HTTP, in turns with the ceiling. The time until the views have caught up counts as well.
pub async fn http(ground: &Ground<'_>, options: &Bench, hot: bool) -> Result<Pair, Failure> {
    let stage = Stage::set(ground, options, hot).await?;
    let (mut measured, mut reference) = (Side::default(), Side::default());
    for round in 0..options.rounds {
        stage.play_ceiling(round, &mut reference).await?;
        stage.play_http(round, &mut measured).await?;
    }
    let app = stage.server.app();
    let name = if hot { "http --hot" } else { "http" };
    let mut document =
        Document::new(name).against(measured.rate(), reference.rate()).latencies(&measured.tally.latencies);
    document.refused = Some(measured.tally.refused.load(Ordering::Relaxed));
    document.events = Some(app.engine().tail().head().number());
    document.durability = Some(app.engine().store().durability());
    document.bytes_on_disk = bytes_below(ground.folder);
    stage.server.stop().await;
    Ok(Pair { measured: document, reference: ceiling_document(&reference) })
}

fn ceiling_document(side: &Side) -> Document {
    let mut document = Document::new("ceiling").latencies(&side.tally.latencies);
    document.per_second = Some(super::report::rounded(side.rate()));
    document.refused = Some(side.tally.refused.load(Ordering::Relaxed));
    document
}

impl Stage {
    async fn set(ground: &Ground<'_>, options: &Bench, hot: bool) -> Result<Self, Failure> {
        let config =
            Config { listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), rate_limits: false, ..ground.config() };
        let server = Server::start(&config, ServerOptions { without_clocks: true, as_of: None }, |_| Ok(())).await?;
        let receiver = match options.deaf_receiver {
            true => Some(world::Receiver::deaf(server.app().vault()).await?),
            false => None,
        };
        let tags = world::build(server.app().engine(), receiver.as_ref()).await?;
        let tokens = tokens(server.app(), &tags)?;
        let (ceiling, stop) = ceiling::start(server.app().clone()).await?;
        let plan = Plan {
            address: server.address(),
            tokens: Arc::new(tokens),
            tags: Arc::new(tags),
            hot,
            connections: options.connections,
            time: Duration::from_secs(options.seconds),
            round: 0,
        };
        Ok(Stage { server, ceiling, _stop: stop, _receiver: receiver, plan })
    }

    async fn play_ceiling(&self, round: u64, side: &mut Side) -> Result<(), Failure> {
        let plan = Plan { address: self.ceiling, round, ..self.plan.clone() };
        side.time += play(plan, side.tally.clone()).await?;
        Ok(())
    }

    async fn play_http(&self, round: u64, side: &mut Side) -> Result<(), Failure> {
        side.time += play(Plan { round, ..self.plan.clone() }, side.tally.clone()).await?;
        let app = self.server.app();
        let began = Instant::now();
        let caught_up = app.views().caught_up(app.engine().tail().head(), Some(CATCH_UP)).await;
        caught_up.map_err(|error| Failure::Store(format!("the views did not catch up: {error}")))?;
        side.time += began.elapsed();
        Ok(())
    }
}

/// One token per application, in their order.
fn tokens(app: &App, tags: &[Tag]) -> Result<Vec<String>, Failure> {
    let owners = (0..APPLICATIONS).filter_map(|number| tags.iter().find(|tag| tag.number == number));
    let token = |tag: &Tag| app.tokens().issue(tag.owner, false, app.now()).map(|issued| issued.token);
    let issued: Result<Vec<String>, _> = owners.map(token).collect();
    issued.map_err(|_| Failure::Store("no token could be signed".to_owned()))
}
