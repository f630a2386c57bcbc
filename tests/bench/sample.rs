//! The lines that benchmarks work on: JSON, 245 bytes, with the fields that a service writes.

/// Line `i`, without its newline.
pub fn line(i: usize) -> String {
    let levels = ["INFO", "INFO", "DEBUG", "INFO", "WARN", "ERROR"];
    let trace = (i as u128 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    let (minute, second, milli) = (i / 60_000 % 60, i / 1_000 % 60, i % 1_000);
    format!(
        concat!(
            r#"{{"time":"2026-11-30T08:{:02}:{:02}.{:03}Z","level":"{}","message":"request {} finished, the cart "#,
            r#"has {} items","service":"checkout","trace_id":"{:032x}","user_id":{},"duration_ms":{}.{},"#,
            r#""path":"/api/v1/cart/{}","ok":true}}"#,
        ),
        minute,
        second,
        milli,
        levels[i % levels.len()],
        i,
        i % 17,
        trace,
        i * 7919 % 100_000,
        i % 500,
        i % 10,
        i % 1_000,
    )
}
