//! Lines of further formats, with the fields that servers write: of 200 to 250 bytes, as in [`sample`](super::sample).

/// What a web server writes of a request, combined format.
pub fn access(i: usize) -> String {
    let (minute, second) = (i / 60_000 % 60, i / 1_000 % 60);
    format!(
        concat!(
            r#"203.0.113.{} - user{} [30/Nov/2026:08:{:02}:{:02} +0100] "GET /api/v1/cart/{}?page={} HTTP/1.1" "#,
            r#"{} {} "https://shop.example.org/catalogue/{}" "#,
            r#""Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0 Safari/537.36""#,
        ),
        i % 256,
        i * 7919 % 1_000,
        minute,
        second,
        i % 1_000,
        i % 17,
        [200, 200, 304, 200, 404, 500][i % 6],
        i * 31 % 50_000,
        i % 500,
    )
}

/// What a daemon sends, RFC 3164 and RFC 5424 in turns.
pub fn syslog(i: usize) -> String {
    let (minute, second, milli) = (i / 60_000 % 60, i / 1_000 % 60, i % 1_000);
    let text = format!(
        concat!(
            "Accepted publickey for deploy from 203.0.113.{} port {} ssh2: ED25519 ",
            "SHA256:{:043x}, session {} opened for the user by the pluggable modules",
        ),
        i % 256,
        40_000 + i % 20_000,
        (i as u128 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835),
        i,
    );
    match i % 2 {
        0 => format!("<86>Nov 30 08:{minute:02}:{second:02} web-{} sshd[{}]: {text}", i % 10, i % 30_000),
        _ => format!(
            "<86>1 2026-11-30T08:{minute:02}:{second:02}.{milli:03}Z web-{} sshd {} login - {text}",
            i % 10,
            i % 30_000,
        ),
    }
}

/// The fields of [`sample`](super::sample) as pairs.
pub fn logfmt(i: usize) -> String {
    let (minute, second, milli) = (i / 60_000 % 60, i / 1_000 % 60, i % 1_000);
    format!(
        concat!(
            r#"time=2026-11-30T08:{:02}:{:02}.{:03}Z level={} msg="request {} finished, the cart has {} items" "#,
            "service=checkout trace_id={:032x} user_id={} duration_ms={}.{} path=/api/v1/cart/{} ok=true",
        ),
        minute,
        second,
        milli,
        ["info", "info", "debug", "info", "warn", "error"][i % 6],
        i,
        i % 17,
        (i as u128 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835),
        i * 7919 % 100_000,
        i % 500,
        i % 10,
        i % 1_000,
    )
}
