//! The network between one node and its database, which can be cut.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread;
use std::time::Duration;

const OPEN: u8 = 0;
const REFUSES: u8 = 1;
const SWALLOWS: u8 = 2;
const TICK: Duration = Duration::from_millis(20);

/// A way to a port on loopback.
pub struct Proxy {
    pub port: u16,
    state: Arc<AtomicU8>,
}

impl Proxy {
    pub fn to(target: u16) -> Proxy {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(AtomicU8::new(OPEN));
        let shared = state.clone();
        thread::spawn(move || {
            for near in listener.incoming().flatten() {
                if shared.load(Ordering::SeqCst) == REFUSES {
                    continue;
                }
                let Ok(far) = TcpStream::connect((Ipv4Addr::LOCALHOST, target)) else { continue };
                for (from, to) in [(near.try_clone(), far.try_clone()), (far.try_clone(), near.try_clone())] {
                    let (from, to, shared) = (from.unwrap(), to.unwrap(), shared.clone());
                    thread::spawn(move || copy(from, to, &shared));
                }
            }
        });
        Proxy { port, state }
    }

    /// Cuts all connections and takes no new ones.
    pub fn refuse(&self) {
        self.state.store(REFUSES, Ordering::SeqCst);
    }

    /// Keeps all connections, and lets nothing through.
    pub fn swallow(&self) {
        self.state.store(SWALLOWS, Ordering::SeqCst);
    }

    pub fn heal(&self) {
        self.state.store(OPEN, Ordering::SeqCst);
    }
}

fn copy(mut from: TcpStream, mut to: TcpStream, state: &AtomicU8) {
    from.set_read_timeout(Some(TICK)).unwrap();
    let mut buffer = vec![0; 64 << 10];
    loop {
        match state.load(Ordering::SeqCst) {
            REFUSES => break,
            SWALLOWS => {
                thread::sleep(TICK);
                continue;
            }
            _ => {}
        }
        match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) if to.write_all(&buffer[..count]).is_err() => break,
            Ok(_) => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(_) => break,
        }
    }
    // Either may be closed already.
    let _closed = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}
