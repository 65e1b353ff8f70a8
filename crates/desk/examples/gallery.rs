//! The pages of all three places, served on loopback by an invented backend, to look at and
//! to drive with the browser tests: `cargo run -p jukinet-desk --example gallery -- PORT`.
//!
//! PORT is the clerk's desk, PORT+1 the disclosure desk, PORT+2 the network room. Each prints its
//! one-time start address. Lines on standard input move the world: `PORT card out`, `PORT card in`,
//! `PORT advance MS`, `PORT token` (a new start token).

#![allow(
    clippy::print_stdout,
    clippy::expect_used,
    reason = "a tool for people and tests, not shipped"
)]

#[path = "../tests/it/fake.rs"]
#[allow(
    dead_code,
    clippy::all,
    clippy::pedantic,
    clippy::indexing_slicing,
    clippy::expect_used,
    reason = "shared with the tests"
)]
mod fake;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{SystemTime, UNIX_EPOCH};

use desk::{Backend, PlaceKind};
use tokio::io::{AsyncBufReadExt, BufReader};

fn token() -> String {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).expect("entropy");
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let first: u16 = std::env::args().nth(1).and_then(|port| port.parse().ok()).unwrap_or(8801);
    let mut places = BTreeMap::new();
    let kinds = [PlaceKind::Clerk, PlaceKind::Disclosure, PlaceKind::NetworkRoom];
    for (port, kind) in (first..).zip(kinds) {
        let fake = fake::Fake::new(kind);
        let host = format!("127.0.0.1:{port}");
        let token = token();
        let mut settings = fake.settings(&host, &token);
        settings.dice = Arc::new(|bytes: &mut [u8]| getrandom::fill(bytes).expect("entropy"));
        let (router, door) = desk::open(Arc::clone(&fake) as Arc<dyn Backend>, settings);
        let listener = tokio::net::TcpListener::bind(&host).await.expect("port is taken");
        tokio::spawn(async move { axum::serve(listener, router).await });
        println!("{kind:?} http://{host}/?t={token}");
        places.insert(port, (fake, door));
    }
    let epoch = SystemTime::now().duration_since(UNIX_EPOCH).map(|d| d.as_millis());
    let epoch = u64::try_from(epoch.expect("clock")).expect("clock");
    places.values().for_each(|(fake, _)| fake.set_now(epoch));
    println!("ready, PIN {}", fake::PIN);
    tokio::spawn(tick(places.values().map(|(fake, _)| Arc::clone(fake)).collect()));
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [port, rest @ ..] = words.as_slice() else { continue };
        let Some((fake, door)) = port.parse().ok().and_then(|port: u16| places.get(&port)) else {
            continue;
        };
        match rest {
            ["card", "out"] => fake.card(false),
            ["card", "in"] => fake.card(true),
            ["token"] => {
                let token = token();
                println!("ok token={token}");
                door.admit(token);
                continue;
            }
            ["advance", ms] => fake.advance(ms.parse().unwrap_or(0)),
            _ => {}
        }
        println!("ok asked={}", fake.asked.load(Ordering::SeqCst));
    }
    // Standard input is closed when nobody drives it; the pages stay.
    std::future::pending::<()>().await;
}

async fn tick(places: Vec<Arc<fake::Fake>>) {
    loop {
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        places.iter().for_each(|fake| fake.advance(200));
    }
}
