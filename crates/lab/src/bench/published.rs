//! What others have published about the systems that a user would pick instead. Quoted, never
//! measured here: each with its hardware and its source, so that nobody takes it for a figure of
//! this machine.

use super::report::table;

/// System, figure, machine, source.
const PEERS: [[&str; 4]; 12] = [
    [
        "X-Road security server",
        "about 110 requests/s at 300 users (1,000/s without it)",
        "32 cores, 64 GB a server",
        "nordic-institute/X-Road issue 1321",
    ],
    [
        "X-Road, sizing by Finland's operator",
        "below 50 requests a minute",
        "2 vCPU, 4 GB",
        "kehittajille.suomi.fi, technical specifications for the security server",
    ],
    [
        "X-tee, all of Estonia",
        "246 requests/s mean over 182 days",
        "whole state",
        "xroad25.nortal.com, from logs.x-tee.ee",
    ],
    ["Estonian population register, change services", "880 ms mean", "–", "xroad25.nortal.com"],
    [
        "MOSIP authentication 1.2.0-rc2",
        "6.40/s, p90 2.06 s",
        "4.5 CPU, database 4 CPU",
        "mosip/documentation, performance-test-report.md@a331bc2",
    ],
    ["MOSIP audit manager", "64 to 74 audit writes/s", "1 CPU", "the same, lines 165–199"],
    [
        "Aadhaar authentication, November 2025",
        "891/s mean",
        "national data centers",
        "kalingatv.com, 2025-12",
    ],
    [
        "TesseraCT",
        "600 appends/s",
        "2 vCPU, 8 GB, Cloud Spanner behind it",
        "transparency-dev/tesseract, docs/performance.md@7c4b52b",
    ],
    [
        "Tessera POSIX",
        "10,567 appends/s, proof after 2.3 to 3.6 s",
        "up to 7 cores, NVMe",
        "transparency-dev/tessera, docs/performance.md@1811ae1",
    ],
    [
        "rustls 0.23.37, full TLS 1.3 handshakes with ECDSA",
        "6,786/s server, 3,160/s client",
        "1 core Xeon E-2386G",
        "rustls/rustls, 2026-03-07-report.md@6868ee8",
    ],
    [
        "Splink, probabilistic linkage",
        "17,000 records/s",
        "a laptop",
        "moj-analytical-services/splink, README.md@e22dacd",
    ],
    ["J-LIS", "no throughput is published", "–", "–"],
];

/// The section of the page.
pub(crate) fn section() -> String {
    let rows = PEERS.iter().map(|row| row.map(str::to_owned).to_vec());
    format!(
        "\n## Published, not measured\n\nFigures of others on their machines. None was \
         measured here, and none is part of a ratio above.\n\n{}",
        table(&["system", "figure", "machine", "source"], rows)
    )
}
