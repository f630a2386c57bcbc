//! What is put takes no more of the network than it may.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::s3::{BUCKET, Server};
use crate::support::{Host, eventually, succeed};

const RATE: u64 = 50_000;

/// Lines that hardly compress.
fn lines(count: usize) -> String {
    let mut random = StdRng::seed_from_u64(6);
    let mut pad = || (0..500).map(|_| char::from(random.random_range(b'a'..=b'z'))).collect::<String>();
    (0..count).map(|_| format!("{{\"level\":\"INFO\",\"pad\":\"{}\"}}\n", pad())).collect()
}

#[test]
fn uploads_stay_below_their_rate_over_time_and_all_arrive() {
    let host = Host::new("builtin:json");
    let server = Server::start(&host.path("s3"), TcpListener::bind("127.0.0.1:0").unwrap());
    let url = format!("file://{}", host.path("lake").display());
    let reached =
        format!("s3://{BUCKET}/lake\"\nupload_rate = \"{RATE}\"\n[central.options]\n{}#", server.options());
    host.edit(|edge| edge.replace(&format!("{url}\""), &format!("{reached}\"")));
    host.edit(|edge| {
        edge.replace("bronze_interval", "bronze_bytes = \"32KiB\"\nsilver_bytes = \"20KB\"\nbronze_interval")
    });
    let started = Instant::now();
    let agent = host.start();
    host.append("logs/a.log", lines(1_000));
    let (mut sent, mut largest) = (0, 0);
    eventually("a good part has been put", || {
        for put in server.asked().iter().filter(|asked| asked.method == "PUT") {
            sent += put.body.len() as u64;
            largest = largest.max(put.body.len() as u64);
        }
        // An object goes at once, and those after it wait.
        let allowed = (RATE as f64 * started.elapsed().as_secs_f64()) as u64 + largest;
        assert!(sent <= allowed, "{sent} bytes were sent, {allowed} may have been");
        sent >= 250_000
    });
    assert!(started.elapsed() >= Duration::from_secs(3), "it went as fast as it could");
    agent.stop();
    succeed(&mut host.edge(&["run", "--once"]));
    let status = succeed(&mut host.edge(&["status", "--json"]));
    let status: serde_json::Value = serde_json::from_str(&status).unwrap();
    assert_eq!(status["pipelines"][0]["rows"], 1_000);
    assert_eq!(status["pipelines"][0]["uploads"]["waiting_objects"], 0);
}
