//! Counts of requests and of deliveries, for `/metrics`.
//!
//! Budget per request: one hash of the route, one look into a fixed table, four relaxed additions; no lock, no
//! allocation. The table holds `PLACES` pairs of method and route, more than the router has; what finds no place is
//! counted under an empty route.

use std::fmt::Write as _;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::extract::MatchedPath;
use axum::http::Method;

/// Pairs of method and route that are told apart.
const PLACES: usize = 512;
/// Places that are looked at for one pair.
const PROBES: usize = 16;
/// Upper bounds of the buckets of latency, in microseconds.
const BOUNDS: [u64; 12] =
    [250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000, 2_500_000];
/// Statuses that are told apart; 0 stands for all others.
const STATUSES: [u16; 19] =
    [200, 201, 204, 400, 401, 403, 404, 405, 408, 409, 413, 415, 422, 429, 431, 500, 502, 503, 0];

/// Everything that is counted here.
pub struct Metrics {
    routes: Vec<OnceLock<Route>>,
    other: Route,
    /// Attempts to deliver a webhook that the receiver took.
    delivered: AtomicU64,
    /// Attempts that it did not take.
    refused: AtomicU64,
}

struct Route {
    method: &'static str,
    route: String,
    statuses: [AtomicU64; STATUSES.len()],
    /// One more than there are bounds: the last one has none.
    buckets: [AtomicU64; BOUNDS.len() + 1],
    micros: AtomicU64,
}

impl Route {
    fn new(method: &'static str, route: &str) -> Self {
        let (statuses, buckets) =
            (std::array::from_fn(|_| AtomicU64::new(0)), std::array::from_fn(|_| AtomicU64::new(0)));
        Route { method, route: route.to_owned(), statuses, buckets, micros: AtomicU64::new(0) }
    }

    fn add(&self, status: u16, micros: u64) {
        let place = STATUSES.iter().position(|known| *known == status).unwrap_or(STATUSES.len() - 1);
        let bucket = BOUNDS.partition_point(|bound| *bound < micros);
        let counters = self.statuses.get(place).into_iter().chain(self.buckets.get(bucket));
        counters.for_each(|counter| add(counter, 1));
        add(&self.micros, micros);
    }
}

fn add(counter: &AtomicU64, count: u64) {
    counter.fetch_add(count, Ordering::Relaxed);
}

fn get(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

impl Default for Metrics {
    fn default() -> Self {
        let routes = std::iter::repeat_with(OnceLock::new).take(PLACES).collect();
        Metrics { routes, other: Route::new("", ""), delivered: AtomicU64::new(0), refused: AtomicU64::new(0) }
    }
}

impl Metrics {
    /// Counts one answered request.
    pub fn answered(&self, method: &Method, route: Option<&MatchedPath>, status: u16, micros: u64) {
        self.place(known(method), route.map_or("", MatchedPath::as_str)).add(status, micros);
    }

    /// Counts one attempt to deliver a webhook.
    pub fn attempted(&self, delivered: bool) {
        add(if delivered { &self.delivered } else { &self.refused }, 1);
    }

    fn place(&self, method: &'static str, route: &str) -> &Route {
        let start = usize::try_from(hash(method, route) % (PLACES as u64)).unwrap_or(0);
        let places = (start..start + PROBES).filter_map(|place| self.routes.get(place % PLACES));
        let mut found = places.map(|place| place.get_or_init(|| Route::new(method, route)));
        found.find(|known| known.method == method && known.route == route).unwrap_or(&self.other)
    }

    /// In the text format of Prometheus.
    pub fn write(&self, out: &mut String) {
        let routes: Vec<_> = self.routes.iter().filter_map(OnceLock::get).chain([&self.other]).collect();
        head(out, "flexledger_http_requests_total", "counter", "Requests by route and status.");
        for route in &routes {
            let counted = STATUSES.iter().zip(&route.statuses).map(|(status, counter)| (status, get(counter)));
            for (status, count) in counted.filter(|(_, count)| *count > 0) {
                let Route { method, route, .. } = route;
                line(
                    out,
                    "flexledger_http_requests_total",
                    &format!("method=\"{method}\",route=\"{route}\",status=\"{status}\""),
                    count,
                );
            }
        }
        head(out, "flexledger_http_request_duration_seconds", "histogram", "Time to answer, by route.");
        routes.iter().for_each(|route| histogram(out, route));
        head(out, "flexledger_webhook_attempts_total", "counter", "Attempts to deliver a webhook, by outcome.");
        for (outcome, counter) in [("delivered", &self.delivered), ("failed", &self.refused)] {
            line(out, "flexledger_webhook_attempts_total", &format!("outcome=\"{outcome}\""), get(counter));
        }
    }
}

fn histogram(out: &mut String, route: &Route) {
    let name = "flexledger_http_request_duration_seconds";
    let total: u64 = route.buckets.iter().map(get).sum();
    if total == 0 {
        return;
    }
    let labels = format!("method=\"{}\",route=\"{}\"", route.method, route.route);
    let mut count = 0;
    for (bound, bucket) in BOUNDS.iter().zip(&route.buckets) {
        count += get(bucket);
        line(out, &format!("{name}_bucket"), &format!("{labels},le=\"{}\"", Seconds(*bound)), count);
    }
    line(out, &format!("{name}_bucket"), &format!("{labels},le=\"+Inf\""), total);
    line(out, &format!("{name}_sum"), &labels, Seconds(get(&route.micros)));
    line(out, &format!("{name}_count"), &labels, total);
}

/// Microseconds, shown as seconds.
pub struct Seconds(pub u64);

impl std::fmt::Display for Seconds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let digits = format!("{}.{:06}", self.0 / 1_000_000, self.0 % 1_000_000);
        f.write_str(digits.trim_end_matches('0').trim_end_matches('.'))
    }
}

/// What a measurement is.
pub fn head(out: &mut String, name: &str, kind: &str, about: &str) {
    // Writing to a string cannot fail.
    let _infallible = writeln!(out, "# HELP {name} {about}\n# TYPE {name} {kind}");
}

/// One measurement. Labels are routes, views and words of this program: nothing in them needs escaping.
pub fn line(out: &mut String, name: &str, labels: &str, value: impl std::fmt::Display) {
    let (open, close) = if labels.is_empty() { ("", "") } else { ("{", "}") };
    let _infallible = writeln!(out, "{name}{open}{labels}{close} {value}");
}

fn known(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::PUT => "PUT",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        _ => "OTHER",
    }
}

/// FNV-1a.
fn hash(method: &str, route: &str) -> u64 {
    let bytes = method.bytes().chain(route.bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_by_route_status_and_time() {
        let metrics = Metrics::default();
        for (status, micros) in [(200, 100), (200, 600), (418, 9_000_000)] {
            metrics.answered(&Method::GET, None, status, micros);
        }
        metrics.attempted(true);
        let mut out = String::new();
        metrics.write(&mut out);
        for expected in [
            "flexledger_http_requests_total{method=\"GET\",route=\"\",status=\"200\"} 2\n",
            "flexledger_http_requests_total{method=\"GET\",route=\"\",status=\"0\"} 1\n",
            "flexledger_http_request_duration_seconds_bucket{method=\"GET\",route=\"\",le=\"0.00025\"} 1\n",
            "flexledger_http_request_duration_seconds_bucket{method=\"GET\",route=\"\",le=\"0.001\"} 2\n",
            "flexledger_http_request_duration_seconds_bucket{method=\"GET\",route=\"\",le=\"+Inf\"} 3\n",
            "flexledger_http_request_duration_seconds_sum{method=\"GET\",route=\"\"} 9.0007\n",
            "flexledger_webhook_attempts_total{outcome=\"delivered\"} 1\n",
        ] {
            assert!(out.contains(expected), "{expected} in {out}");
        }
    }

    #[test]
    fn a_full_table_counts_on() {
        let metrics = Metrics::default();
        for n in 0..2 * PLACES {
            metrics.place("GET", &format!("/{n}")).add(200, 1);
        }
        let counted = metrics.routes.iter().filter_map(OnceLock::get).chain([&metrics.other]);
        let total: u64 = counted.flat_map(|route| route.statuses.iter().map(get)).sum();
        assert_eq!(total, 2 * PLACES as u64);
    }
}
