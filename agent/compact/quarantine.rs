//! Objects that must not be folded, kept beside the landing with the reason.
//!
//! A move is a copy first, the reason second; the original is deleted with the consumed objects, after the
//! commit that passes it. Killed in between, the next pass does the same again.

use bytes::Bytes;
use object_store::ObjectStoreExt;
use object_store::path::Path;
use serde_json::json;

use super::validate::Refusal;
use super::{CompactError, Quarantined};
use crate::clock::Timestamp;
use crate::store::{Place, StoreError};
use crate::sync::landing::LANDING;

/// The folder, below the central URL, that holds refused objects.
pub(super) const QUARANTINE: &str = "quarantine";

/// What follows an object's name in that of its reason.
pub(super) const REASON: &str = ".reason.json";

/// Copies the object at `location` into quarantine, with a `.reason.json` beside it.
///
/// # Errors
/// [`CompactError::Moved`] where the object is gone; or the store failed.
pub(super) async fn keep(
    place: &Place,
    location: &Path,
    refusal: &Refusal,
    now: Timestamp,
) -> Result<Quarantined, CompactError> {
    let landing = place.object(LANDING);
    let Some(rest) = location.as_ref().strip_prefix(landing.as_ref()) else {
        return Err(CompactError::Moved { object: location.to_string() });
    };
    let to = Path::parse(format!("{}{rest}", place.object(QUARANTINE)))
        .map_err(|e| StoreError::Address { url: place.url().to_string(), reason: e.to_string() })?;
    match place.store().copy(location, &to).await {
        Ok(()) => {}
        Err(object_store::Error::NotFound { .. }) => {
            return Err(CompactError::Moved { object: location.to_string() });
        }
        Err(source) => {
            let url = format!("{}{QUARANTINE}{rest}", place.url());
            return Err(StoreError::Request { operation: "write", url, source }.into());
        }
    }
    let object = format!("{LANDING}{rest}");
    let reason = json!({
        "object": object,
        "kind": refusal.kind(),
        "reason": refusal.to_string(),
        "at": now.to_string(),
    });
    let name = format!("{QUARANTINE}{rest}{REASON}");
    // A reason that is there already is that of an earlier try.
    let _ = place.put_new(&name, Bytes::from(reason.to_string())).await?;
    tracing::warn!(object, reason = %refusal, "object put into quarantine");
    Ok(Quarantined { object, kind: refusal.kind(), reason: refusal.to_string() })
}
